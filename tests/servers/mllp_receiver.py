"""A receiver of HL7 v2 over MLLP that misbehaves on purpose: for send-mllp.py and the oracle mllp_out.py of tests/fault.

It keeps what came, in its order, with how many of one patient were under way at once, and what it has acknowledged with AA or CA. An
answer is chosen by a list of plans, one for each message that comes (then AA), or by chance.
"""
import collections
import random
import select
import socket
import ssl
import threading
import time

import bed  # of tests/fault, which is in the path of all who use this

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
# What may be chosen by chance. Each says whether the message was taken.
FAULTS = ("cut-before", "cut-after", "silent", "late", "foreign", "AE", "garbage", "half", "two", "slow", "other-frame")


def field(message, segment, number):
    """Raw; of MSH the separator is field 1."""
    for line in message.split(b"\r"):
        if line.startswith(segment):
            fields = line.split(b"|")
            index = number - 1 if segment == b"MSH" else number
            return fields[index] if index < len(fields) else b""
    return b""


class Receiver:
    def __init__(self, certificate=None, key=None, seed=0, rate=0.0, port=0, client_ca=None, enhanced=False):
        self.chance, self.rate, self.lock = random.Random(seed), rate, threading.Lock()
        self.plans = collections.deque()
        self.taken, self.came = [], []          # (control, bytes): acknowledged well; all that came whole
        self.active, self.collisions = {}, []   # patient -> messages under way, each as a list of its control id
        self.mine = threading.local()           # of each connection's thread: the one that it answers, and its patient
        self.overtaken, self.connections = [], 0  # came while this receiver was at work ("works") on one of its patient
        self.working, self.works = set(), 1.0   # patients; seconds
        self.injected, self.enhanced, self.delay = collections.Counter(), enhanced, 0.0
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
            if client_ca:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(client_ca)
        self.open = True
        self.held, self.port = bed.hold_port(port)  # while nobody listens too
        self.shakes_after = 0.0                 # seconds before TLS is answered
        self.listen()

    def listen(self):
        self.socket = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.open = True
        threading.Thread(target=self.serve, args=(self.socket,), daemon=True).start()

    def stop(self):
        self.open = False
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def serve(self, listening):
        while self.open:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with self.lock:
            self.connections += 1
        try:
            connection.settimeout(60)
            if self.context:
                time.sleep(self.shakes_after)
                connection = self.context.wrap_socket(connection, server_side=True)
            buffer = b""
            while True:
                more = connection.recv(65536)
                if not more:
                    return
                buffer += more
                while VT in buffer and FS + CR in buffer:
                    start, end = buffer.index(VT), buffer.index(FS + CR)
                    message, buffer = buffer[start + 1:end], buffer[end + 2:]
                    if not self.receive(connection, message):
                        return
        except (OSError, ssl.SSLError):
            pass
        finally:
            connection.close()

    def plan(self):
        with self.lock:
            if self.plans:
                return self.plans.popleft()
            if self.chance.random() >= self.rate:
                return "AA"
            fault = self.chance.choice(FAULTS)
            self.injected[fault] += 1
            return fault

    def receive(self, connection, message):
        """False: the connection is closed."""
        control, patient = field(message, b"MSH", 10), field(message, b"PID", 3)
        with self.lock:
            self.came.append((control, message))
            # the same message again, while an earlier try still waits here for its answer, is one message
            others = [active for active, in self.active.get(patient, []) if active != control]
            self.collisions += [(active, control) for active in others]
            self.overtaken += [control] * (patient in self.working)
            self.mine.patient, self.mine.message = patient, [control]
            self.active.setdefault(patient, []).append(self.mine.message)
        try:
            if self.delay:
                time.sleep(self.delay)
            return self.answer(connection, message, control, self.plan())
        finally:
            self.over()

    def over(self):
        """It is under way no more; known before its answer is on the wire, after which the next one may come at once."""
        with self.lock:
            active = self.active[self.mine.patient]
            active[:] = [message for message in active if message is not self.mine.message]

    def wait(self, connection, seconds):
        """False: the other side has given up meanwhile, and nothing is under way here any more."""
        return not select.select([connection], [], [], seconds)[0]

    def take(self, control, message):
        with self.lock:
            self.taken.append((control, message))

    def say(self, connection, code, control, raw=False):
        text = b"MSH|^~\\&|EHR|HOSPITAL|ketlink||20260101000000||ACK|" + b"A" + control[:19] + b"|P|2.5.1\rMSA|" + code + b"|" + control + b"\r"
        if [control] == self.mine.message and (code != b"CA" or not self.enhanced):
            self.over()
        connection.sendall(text if raw else VT + text + FS + CR)

    def well(self, connection, message, control):
        self.take(control, message)
        if not self.enhanced:
            self.say(connection, b"AA", control)
            return True
        self.say(connection, b"CA", control)
        if field(message, b"MSH", 16) == b"AL":
            self.say(connection, b"AA", control)
        return True

    def answer(self, connection, message, control, plan):
        if plan == "AA":
            return self.well(connection, message, control)
        if plan in ("AE", "AR", "CE", "CR"):
            self.say(connection, plan.encode(), control)
            return True
        if plan == "CA-only":
            self.take(control, message)
            self.say(connection, b"CA", control)
            return True
        if plan == "cut-before":
            return False
        if plan == "cut-after":
            self.take(control, message)
            return False
        if plan == "works":  # whatever becomes of the connection
            return self.work(connection, message, control)
        if plan == "silent":
            self.wait(connection, 3)
            return False
        if plan in ("late", "slow"):
            stays = self.wait(connection, 1.5 if plan == "late" else 0.3)
            return stays and self.well(connection, message, control)
        if plan == "foreign":
            self.say(connection, b"AA", b"SOMEBODYELSE")
            return self.well(connection, message, control)
        if plan == "only-foreign":
            self.say(connection, b"AA", b"SOMEBODYELSE")
            self.wait(connection, 3)
            return False
        if plan == "garbage":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        if plan == "other-frame":
            connection.sendall(VT + b"hello" + FS + CR)
            return False
        if plan == "half":
            self.take(control, message)
            connection.sendall(VT + b"MSH|^~\\&|EHR\rMSA|AA|" + control[:5])
            return False
        if plan == "two":
            self.well(connection, message, control)
            return self.well_again(connection, control)
        raise AssertionError(plan)

    def work(self, connection, message, control):
        patient = field(message, b"PID", 3)
        with self.lock:
            self.working.add(patient)
        time.sleep(self.works)
        with self.lock:
            self.working.discard(patient)
        return self.well(connection, message, control)

    def well_again(self, connection, control):
        self.say(connection, b"CA" if self.enhanced else b"AA", control)
        return True
