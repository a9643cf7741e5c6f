"""The other side of a listener: connections that speak MLLP, messages to send, answers read apart."""
import json
import os
import re
import socket
import ssl
import time

import bed

VT, END = b"\x0b", b"\x1c\r"


def frame(text):
    return VT + (text.encode() if isinstance(text, str) else text) + END


def message(control, serial, patient=None, accept="", application="", kind="ADT^A01^ADT_A01", sender="EHR", more="", charset=""):
    """An admission of a patient whose name tells the message."""
    mrn = f"{bed.CANARY}-{patient if patient is not None else serial}"
    segments = [f"MSH|^~\\&|{sender}|CLINIC|KETLINK|HERE|20260301100000+0000||{kind}|{control}|P|2.5.1|||{accept}|{application}{charset and '||' + charset}",
                "EVN|A01|20260301100000+0000",
                f"PID|1||{mrn}^^^CLINIC^MR||{bed.CANARY}{serial}^Anna||19800101|F",
                f"PV1|1|O|||||||||||||||||V-{serial}|||||||||||||||||||||||||20260301100000+0000"]
    return "\r".join(segments + ([more] if more else [])) + "\r"


def fields(segment):
    return segment.split("|")


class Answer:
    def __init__(self, text):
        self.text = text
        self.segments = {line[:3]: fields(line) for line in text.split("\r") if line}
        self.code, self.control = self.segments["MSA"][1:3]
        self.own = self.segments["MSH"][9]


class Closed(Exception):
    pass


class Peer:
    def __init__(self, place, context=None, timeout=20):
        if isinstance(place, (str, os.PathLike)):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket()
        self.socket.settimeout(timeout)
        self.socket.connect(str(place) if isinstance(place, os.PathLike) else place)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self, timeout=20, encoding="utf-8"):
        """The next whole frame; Closed when there is none any more, TimeoutError."""
        self.socket.settimeout(timeout)
        while END not in self.rest:
            try:
                more = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError) as fault:
                raise Closed(str(fault)) from fault
            if not more:
                raise Closed(repr(self.rest))
            self.rest += more
        one, _, self.rest = self.rest.partition(END)
        assert one[:1] == VT and VT not in one[1:], one
        return Answer(one[1:].decode(encoding))

    def answers(self, count):
        return [self.answer() for _ in range(count)]

    def silent(self, seconds=0.5):
        """Nothing comes, and it is not closed."""
        self.socket.settimeout(seconds)
        try:
            more = self.socket.recv(65536)
        except TimeoutError:
            return True
        self.rest += more
        return False

    def closed(self, timeout=20):
        """It is closed, and nothing came before."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(65536) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def ask(self, text, timeout=20):
        self.send(frame(text))
        return self.answer(timeout)


def route(work):
    """Admissions have a way to their map, if the mappings say nothing of them."""
    path = work / "mappings/routes.json"
    routes = json.loads(path.read_text())
    if any(row["format"] == "hl7v2/ADT_A01" for row in routes["routes"]):
        return
    routes["routes"].append({"format": "hl7v2/ADT_A01", "model": "http://ketlink.dev/fhir/StructureDefinition/hl7v2-ADT_A01",
                             "map": "http://ketlink.dev/fhir/StructureMap/hl7v2-ADT_A01", "clinicId": "MSH.MSH_4.HD_1",
                             "patientId": "PID.PID_3.CX_1.first()", "recordId": "MSH.MSH_10"})
    path.write_text(json.dumps(routes))


def delivered(server):
    """The serials of the messages that arrived, each as often as it did."""
    return [int(resource["name"][0]["family"].removeprefix(bed.CANARY)) for kind, _, resource in list(server.commits) if kind == "Patient"]


def listen(work, name="ehr", more="", place="./mllp.sock", to="hospital"):
    """A further section of the configuration; the way to it, if it is a path."""
    with open(work / "relay.ini", "a") as file:
        file.write(f"\n[mllp {name}]\nlisten = {place}\nto = {to}\n{more}\n")
    return work / place


def port_of(work, name, seconds=20):
    """Of a listener that asked for any."""
    found = None

    def look():
        nonlocal found
        found = re.findall(rf"mllp-listens listener={name} port=(\d+)", (work / "log").read_text() if (work / "log").exists() else "")
        return bool(found)

    assert bed.wait_for(look, seconds), "it does not listen"
    return int(found[-1])


def send_until_answered(place, text, seconds=60, wait=10):
    """As a sender does: again on a new connection, until there is an answer. The answer, and how often it was sent."""
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            with Peer(place, timeout=wait) as peer:
                sent += 1
                return peer.ask(text, wait), sent
        except (OSError, Closed):
            time.sleep(0.05)
    raise TimeoutError("no answer")
