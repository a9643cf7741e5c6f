#!/usr/bin/env python3
"""A listener of the relay: acknowledgements by fault, mode and MSH-15/16; framing, caps and deadlines; TLS; many who only wait, some who only
send.

    mllp.py [--idle N] [PART …]      KETLINK names the program; ketlink-relay stands beside it; 77 = skipped

What must be answered stands in ACKNOWLEDGEMENTS below.
"""
import argparse
import atexit
import fcntl
import hashlib
import os
import pathlib
import re
import resource
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed  # noqa: E402
import ehr  # noqa: E402
import peer  # noqa: E402

RELAY = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve().with_name("ketlink-relay")
PACK = pathlib.Path(os.environ.get("KETLINK_DEFINITIONS", ROOT / "build/definitions.pack")).absolute()
PATIENCE = 20

# fault -> the code without its first letter, which is A or C; whether it is a success, for SU and ER
ACKNOWLEDGEMENTS = {"good": ("A", True), "again": ("A", True), "invalid": ("R", False), "unknown-type": ("R", False),
                    "conflict": ("E", False), "conflict-again": ("E", False), "full": ("E", False), "stored-not-delivered": ("E", False)}
CONDITIONS = ("", "AL", "NE", "SU", "ER")
SERIALS = iter(range(1, 1000000))


# what sites set for their old systems: the relay's own rules hold all the same
LAX = """openssl_conf = lax
[lax]
ssl_conf = all
[all]
system_default = old
[old]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
Options = UnsafeLegacyRenegotiation
"""


def expected(fault, accept, application):
    """The codes that must come, in their order (HL7 v2.8 chapter 2.9.2)."""
    letter, success = ACKNOWLEDGEMENTS[fault]
    if not accept and not application:
        return ["A" + letter]
    asked = {"AL": True, "SU": success, "ER": not success}  # NE and empty: no
    return ["C" + letter] * asked.get(accept, False) + ["A" + letter] * asked.get(application, False)


class Case:
    """A relay with its listeners, in a folder of its own."""

    def __init__(self, work, listeners, server=None, relay=""):
        self.work, self.faults, self.checks = work, [], 0
        self.server = server
        bed.prepare(work, PACK, {"hospital": server}, relay=relay)
        peer.route(work)
        self.places = {name: peer.listen(work, name, more, place) for name, (more, place) in listeners.items()}
        (work / "lax.cnf").write_text(LAX)
        self.relay = bed.Relay(RELAY, work, environment={"OPENSSL_CONF": str(work / "lax.cnf")})
        self.relay.start()
        self.check("it starts", bed.wait_for(lambda: bed.holds(work / "log", b"started "), PATIENCE))

    def check(self, what, fine):
        self.checks += 1
        if not fine:
            self.faults.append(what)

    def place(self, name):
        return ("127.0.0.1", peer.port_of(self.work, name)) if str(self.places[name]).endswith(":0") else self.places[name]

    def log(self):
        return (self.work / "log").read_text()

    def metric(self, name):
        text = subprocess.run(["curl", "-s", "--unix-socket", self.work / "relay.sock", "http://localhost/metrics"], check=True,
                              capture_output=True, text=True).stdout
        found = [line.split()[1] for line in text.splitlines() if line.startswith(name + " ")]
        return int(found[0]) if found else None

    def close(self):
        self.check(f"it ends with 0: {self.log()[-400:]}", self.relay.stop() == 0)
        self.check("a patient's data stands in the clear", not bed.told(self.work, self.relay))
        return self.faults


def make(control, serial=None, **more):
    serial = next(SERIALS) if serial is None else serial
    return peer.message(control, serial, **more)


# --- acknowledgements ---

def fault_message(case, fault, control, accept, application):
    """What is sent before, and the message that has the fault."""
    serial = next(SERIALS)
    given = {"accept": accept, "application": application}
    text = make(control, serial, **given)
    if fault == "again":
        return [(text, "good")], text
    if fault == "conflict":
        return [(make(control, next(SERIALS), **given), "good")], text
    if fault == "conflict-again":
        return [(make(control, next(SERIALS), **given), "good"), (text, "conflict")], text
    if fault == "invalid":
        return [], text.replace("\rPID|", "\rP!D|")
    if fault == "unknown-type":
        return [], make(control, serial, kind="ZZZ^Z99^ZZZ_Z99", **given)
    return [], text


def check_table(case, listener, faults, prefix):
    with peer.Peer(case.place(listener)) as sender:
        for fault in faults:
            for accept in CONDITIONS:
                for application in CONDITIONS:
                    control = f"{prefix}{[*ACKNOWLEDGEMENTS].index(fault)}{accept}-{application}"
                    before, text = fault_message(case, fault, control, accept, application)
                    for earlier, its in before:
                        sender.send(peer.frame(earlier))
                        sender.answers(len(expected(its, accept, application)))
                    sender.send(peer.frame(text))
                    wanted = expected(fault, accept, application)
                    got = sender.answers(len(wanted))
                    case.check(f"{listener} {fault} {accept} {application}: {[a.code for a in got]}, wanted {wanted}",
                               [answer.code for answer in got] == wanted and all(answer.control == control for answer in got))
        case.check(f"{listener}: nothing more comes", sender.silent(0.3))


def never_an_acknowledgement_of_one(case):
    with peer.Peer(case.place("stored")) as sender:
        for number, kind in enumerate(("ACK", "ACK^A01^ACK", "ORU^R01^ORU_R01")):
            text = make(f"ACK{number}", kind=kind, accept="AL", application="AL")
            segments = text.split("\r")
            sender.send(peer.frame("\r".join([segments[0], "MSA|AA|whatever"]) + "\r"))
        case.check("an acknowledgement is not acknowledged", sender.silent(0.3))
        case.check("and others are, after it", sender.ask(make("AFTER")).code == "AA")


# what is sent -> code, ERR-2, ERR-3.1, the beginning of MSA-3, fate in the log
REFUSALS = (
    (lambda text: re.sub(r"[|]R\d+[|]P", "||P", text), "AR", "MSH^1^10", "101", "MSH-10, the control id, is missing", "refused"),
    (lambda text: text.replace("|P|2.5.1", "|T|2.5.1"), "AR", "MSH^1^11", "202", "MSH-11: the message is for training (T)", "unsupported"),
    (lambda text: text.replace("|P|2.5.1", "|D|2.5.1"), "AR", "MSH^1^11", "202", "MSH-11: the message is for debugging (D)", "unsupported"),
    (lambda text: text.replace("|P|2.5.1", "|P|9.9"), "AR", "MSH^1^12", "203", "MSH-12: this version is not read here", "unsupported"),
    (lambda text: text.replace("|P|2.5.1||", "|P|2.5.1||7"), "AR", "MSH^1^14", "100", "the message continues another (MSH-14)", "refused"),
    (lambda text: text.replace("ADT^A01^ADT_A01", "ADT^A12^ADT_A01"), "AR", "MSH^1^9", "201", "ADT^A12 is not mapped; mapped are ADT^A01 A03 A04", "unsupported"),
    (lambda text: text.replace("ADT^A01^ADT_A01", "ADT^A23^ADT_A01"), "AR", "MSH^1^9", "201", "ADT^A23 is not mapped", "unsupported"),
    (lambda text: text.replace("ADT^A01^ADT_A01", "SIU^S23^SIU_S12"), "AR", "MSH^1^9", "201", "SIU^S23 is not mapped", "unsupported"),
    (lambda text: text.replace("ADT^A01^ADT_A01", "ZZZ^Z01"), "AR", "MSH^1^9", "200", "ZZZ^Z01 is not mapped", "unsupported"),
    (lambda text: text.replace("\rPID|", "\rNTE|"), "AR", "PID^1", "101", "PID is missing", "refused"),
    (lambda text: text.replace("\rPV1|", "\rP!1|"), "AR", "", "100", "the line does not begin with the name of a segment", "refused"),
    (lambda text: text + text, "AR", "", "100", "a frame has one message", None),
    (lambda text: text + "BTS|1\r", "AR", "", "100", "a frame has one message", None),
    (lambda text: text.replace("ADT^A01^ADT_A01", "ADT^A01^ORU_R01"), "AA", None, None, None, "accepted"),
    (lambda text: text.replace("|P|2.5.1", "||"), "AA", None, None, None, "accepted"),
    (lambda text: text.replace("||19800101|", "||19801399|"), "AA", None, None, None, "accepted"),
)


def batch(case):
    """Cannot be answered. Of lines like that one in a second is written."""
    with peer.Peer(case.place("stored")) as sender:
        sender.send(peer.frame("BHS|^~\\&|EHR\r" + make("R-BATCH") + "BTS|1\r"))
        return sender.closed() and "an envelope (FHS, BHS): a frame has one message" in case.log()


def refusals(case):
    """What is refused says what is wrong, and where; nothing of it is delivered."""
    with peer.Peer(case.place("stored")) as sender:
        for number, (change, code, place, condition, words, fate) in enumerate(REFUSALS):
            control = f"R{number}"
            answer = sender.ask(change(make(control)))
            err = answer.segments.get("ERR", [""] * 9)
            said = (answer.code, err[2] if place is not None else None, err[3].split("^")[0] if condition else None)
            case.check(f"{control}: {answer.text!r}", said == (code, place, condition))
            said = [text.replace("\\S\\", "^") for text in (answer.segments["MSA"] + [""])[3:4] + err[8:9]]
            case.check(f"{control}: {answer.text!r} says it", not words or all(text.startswith(words) for text in said) and len(said) == 2)
            digest = hashlib.sha256(control.encode() if number else b"").hexdigest()[:12]
            case.check(f"{control}: the log says {fate}", not fate or re.search(f"control={digest} fate={fate}", case.log()))
        text = make("R-OLD").replace("|P|2.5.1", "|P|2.3").replace("ADT^A01^ADT_A01", "ADT^A12")
        answer = sender.ask(text)
        case.check(f"before 2.5 there is no ERR: {answer.text}", "ERR" not in answer.segments and answer.segments["MSA"][3].startswith("ADT\\S\\A12 is not"))
        case.check("the log says the field", re.search('message-finding code=hl7v2-required line=1 column=[0-9]+ field=MSH-10', case.log()))
        case.check("of a value too", re.search('message-finding code=value-format line=3 column=[0-9]+ field=PID-7', case.log()))
        for control, accept, application, wanted in (("W1", '""', '""', ["AA"]), ("W2", "XX", "", ["AA"]), ("W3", "AL", '""', ["CA"]), ("W4", "XX", "AL", ["AA"])):
            sender.send(peer.frame(make(control, accept=accept, application=application)))
            got = [answer.code for answer in sender.answers(len(wanted))]
            case.check(f"MSH-15 {accept}, MSH-16 {application}: {got}", got == wanted and sender.silent(0.1))
    case.check("a batch ends the connection, and the log says why", bed.wait_for(lambda: batch(case), PATIENCE))
    with peer.Peer(case.place("training")) as sender:
        case.check("a listener for tests takes T", sender.ask(make("TRAIN").replace("|P|2.5.1", "|T|2.5.1")).code == "AA")
        case.check("and no P", sender.ask(make("LIVE")).code == "AR")


def own_ids(case):
    """Who answers names himself: MSH-10 of answers is never the same."""
    with peer.Peer(case.place("stored")) as sender:
        seen = [sender.ask(make(f"OWN{number}")) for number in range(5)]
        case.check("MSH-10 of answers", len({answer.own for answer in seen}) == 5)
        answer = seen[0].segments["MSH"]
        case.check(f"the answer goes back: {answer[2:6]}", answer[2:6] == ["KETLINK", "HERE", "EHR", "CLINIC"])


def acknowledgements(work, server):
    http = "[http]\nsocket = relay.sock\n[post]\nto = hospital\n"
    case = Case(work, {"stored": ("", "./stored.sock"), "delivered": ("acknowledge = delivered", "./delivered.sock"),
                       "hurried": ("acknowledge = delivered\ndelivered-seconds = 1", "./hurried.sock"),
                       "training": ("processing = T, D", "./training.sock")}, server, http)
    refusals(case)
    check_table(case, "stored", ("good", "again", "invalid", "unknown-type", "conflict", "conflict-again"), "S")
    check_table(case, "delivered", ("good", "again", "invalid", "conflict"), "D")
    never_an_acknowledgement_of_one(case)
    own_ids(case)
    server.stall = 3
    with peer.Peer(case.place("hurried")) as sender:
        text = make("LATE")
        answer = sender.ask(text)
        case.check(f"stored and not delivered in time: {answer.code}", answer.code == "AE" and answer.control == "LATE")
        server.stall = 0
        case.check("it is when it is sent again", bed.wait_for(lambda: sender.ask(text).code == "AA", PATIENCE))
    server.gate.clear()
    with peer.Peer(case.place("delivered")) as sender:
        sender.send(peer.frame(make("STOP")))
        case.check("it is stored", bed.wait_for(lambda: hashlib.sha256(b"STOP").hexdigest()[:12] in case.log(), PATIENCE))
        numbers = {name: case.metric(f'ketlink_mllp_{name}') for name in (
            'conflicts_total{listener="stored"}', 'answers_total{listener="stored",code="AE"}', 'again_total{listener="stored"}')}
        case.relay.process.terminate()
        answer = sender.answer()
        case.check(f"who waits while it stops is told: {answer.code}", answer.code == "AE" and answer.control == "STOP")
    server.gate.set()
    case.relay.process.wait(60)  # by itself, with what was under way
    check_numbers(case, *numbers.values())
    return case.close()


def check_numbers(case, conflicts, negative, again):
    case.check("an alert about control ids", "alert state=control-id-reused what=stored" in case.log())
    case.check(f"conflicts are counted: {conflicts}", conflicts == 2 * len(CONDITIONS) ** 2)
    case.check(f"answers are counted: {negative}", negative >= 2)
    case.check(f"repetitions are counted: {again}", again == 2 * len(CONDITIONS) ** 2)


def full(work, server):
    """A store without room: transient, so never a rejection; and it goes on when there is room."""
    server.stop()
    case = Case(work, {"stored": ("", "./stored.sock")}, server, "[store]\nmax-records = 3\n")
    with peer.Peer(case.place("stored")) as sender:
        for number in range(3):
            sender.ask(make(f"FILL{number}"))
    check_table(case, "stored", ("full",), "F")
    server.start()
    waiting = make("ROOM")
    with peer.Peer(case.place("stored")) as sender:
        case.check("it takes again", bed.wait_for(lambda: sender.ask(waiting).code == "AA", 60))
    case.check("alerts on both edges", case.log().count("state=store-full what=stored") == 1 and
               case.log().count("state=store-takes what=stored") == 1)
    return case.close()


# --- charsets, and posts ---

def charsets(case):
    """Declared and actual; the answer is in the charset of the message."""
    trials = (("", "utf-8", "AA"), ("", "latin-1", "AR"), ("8859/1", "latin-1", "AA"), ("UNICODE UTF-8", "utf-8", "AA"),
              ("UNICODE UTF-8", "latin-1", "AR"), ("8859/1", "utf-8", "AR"), ("ASCII", "utf-8", "AR"), ("KLINGON", "ascii", "AR"))
    with peer.Peer(case.place("ehr")) as sender:
        for number, (declared, actual, wanted) in enumerate(trials):
            name = "Anna" if actual == "ascii" else "J\u00fcrgen"
            text = make(f"CS{number}", charset=declared, sender="EHR" if wanted == "AR" or actual == "ascii" else "\u00c4rztehaus")
            sender.send(peer.frame(text.replace("Anna", name).encode(actual)))
            answer = sender.answer(encoding=actual)
            case.check(f"{declared or 'nothing'} declared, {actual}: {answer.code}", answer.code == wanted and answer.control == f"CS{number}")
            case.check(f"{actual}: the sender's name {answer.segments['MSH'][4]}", wanted == "AR" or answer.segments["MSH"][4] == "\u00c4rztehaus")


def fallback(case):
    """Messages that name no charset."""
    with peer.Peer(case.place("latin")) as sender:
        for actual, wanted in (("latin-1", "AA"), ("utf-8", "AR"), ("ascii", "AA")):
            name = "Anna" if actual == "ascii" else "J\u00fcrgen"
            sender.send(peer.frame(make(f"FB{actual}").replace("Anna", name).encode(actual)))
            case.check(f"fallback 8859/1, {actual}", sender.answer(encoding=actual).code == wanted)


def posts(case):
    """The same messages by HTTP: one, two at once, and one that is none."""
    for kind in ("x-application/hl7-v2+er7", "application/hl7-v2"):
        for body, status in ((make(f"{kind}1"), "202"), (make(f"{kind}2") + make(f"{kind}3"), "202"), ("MSH|oh no\r", "422"),
                             (make(f"{kind}4").replace("|P|2.5.1", "|T|2.5.1"), "422"), (re.sub("[|]P[|]2", "||2", make(f"{kind}5")), "202")):
            command = ["curl", "-s", "--unix-socket", case.work / "relay.sock", "-H", f"Content-Type: {kind}", "--data-binary", "@-",
                       "-o", "/dev/null", "-w", "%{http_code}", "http://localhost/records"]
            got = subprocess.run(command, check=True, capture_output=True, text=True, input=body).stdout
            case.check(f"post of {kind}: {got}, wanted {status}", got == status)


# --- framing ---

def framing(work, server):
    case = Case(work, {"ehr": ("frame-seconds = 2", "./ehr.sock"), "latin": ("charset = 8859/1", "./latin.sock")}, server, "[http]\nsocket = relay.sock\n[post]\nto = hospital\n")
    charsets(case)
    fallback(case)
    posts(case)
    with peer.Peer(case.place("ehr")) as sender:
        texts = [make(f"PIPE{number}") for number in range(100)]
        sender.send(b"".join(peer.frame(text) for text in texts))
        case.check("pipelined: in order", [a.control for a in sender.answers(100)] == [f"PIPE{number}" for number in range(100)])
        texts = [large(f"MIX{number}", (900, 9000, 70000, 250000)[number % 7 % 4]) for number in range(60)]
        sender.send(b"".join(peer.frame(text) for text in texts))
        case.check("large and small ones: in order", [(a.control, a.code) for a in sender.answers(60)] ==
                   [(f"MIX{number}", "AA") for number in range(60)])
        stream = b"noise\r\n" + peer.frame(make("A")) + b"more" + peer.frame(make("B")) + b"\n\n" + peer.frame(make("C")) + b"\xff\0"
        for at in range(0, len(stream)):
            sender.send(stream[at:at + 1])
        case.check("byte by byte, noise between", [a.control for a in sender.answers(3)] == ["A", "B", "C"])
        sender.send(b"\x0bMSH|^~\\&|EHR|||cut off" + peer.frame(make("D")))
        case.check("a VT within: the second is answered", sender.answer().control == "D")
        sender.send(peer.frame(make("E"))[:-1] + peer.frame(make("F")))
        case.check("FS without CR before VT", [a.control for a in sender.answers(2)] == ["E", "F"])
        sender.send(peer.frame(make("G"))[:-1])
        answer = sender.answer()
        case.check("FS without CR, and nothing more", answer.control == "G" and answer.code == "AA")
        sender.send(peer.frame(make("H"))[:-2] + b"\x1cxx\r" + peer.frame(make("I")))
        answer = sender.answer()
        case.check(f"FS within: {answer.text!r}", answer.control == "H" and answer.code == "AE" and "FS within" in answer.text)
        case.check("and the next one", sender.answer().control == "I")
        sender.send(peer.frame(make("H2"))[:-1] + b"\n" + peer.frame(make("H3")))
        case.check("FS LF, whatever it is for", [(a.control, a.code) for a in sender.answers(2)] == [("H2", "AE"), ("H3", "AA")])
        sender.send(peer.frame(make("J"))[:-1])
        sender.end()
        case.check("half-closed before its last CR", sender.answer().control == "J")
        case.check("then it is closed", sender.closed())
    with peer.Peer(case.place("ehr")) as sender:
        sender.send(peer.frame(make("K")) + peer.frame("no header\rat all\r") + peer.frame(make("L")))
        case.check("what came before junk is answered", sender.answer().control == "K")
        case.check("junk ends the connection", sender.closed())
    with peer.Peer(case.place("ehr")) as sender:
        serial = next(SERIALS)
        sender.send(peer.frame(make("GONE", serial)))
    case.check("who does not wait for his answer is served", bed.wait_for(lambda: serial in peer.delivered(server), PATIENCE))
    serials = [next(SERIALS) for _ in range(40)]
    with peer.Peer(case.place("ehr")) as sender:
        sender.send(b"".join(peer.frame(make(f"LEFT{serial}", serial)) for serial in serials))
        case.check("the first of many is answered", sender.answer().control == f"LEFT{serials[0]}")
    with peer.Peer(case.place("ehr")) as sender:
        sender.send(b"".join(peer.frame(make(f"LEFT{serial}", serial)) for serial in serials))
        sender.end()
        case.check("half-closed with answers to come", [a.code for a in sender.answers(len(serials))] == ["AA"] * len(serials))
    case.check("what was sent twice since it was not answered is there once", bed.wait_for(lambda: set(serials) <= set(peer.delivered(server)), PATIENCE)
               and all(peer.delivered(server).count(serial) == 1 for serial in serials))
    with peer.Peer(case.place("ehr")) as sender:
        sender.send(b"x" * (64 << 10) + peer.frame(make("M")))
        case.check("noise up to its cap", sender.answer().control == "M")
        sender.send(b"x" * ((64 << 10) + 1))
        case.check("noise over its cap", sender.closed())
    return case.close()


# --- caps and deadlines ---

def large(control, size):
    """A message of so many bytes: a long note."""
    text = make(control, more="OBX|1|TX|NOTE^Note^L||||||||F")
    text = text.replace("NOTE^Note^L||", "NOTE^Note^L||" + "x" * (size - len(text)))
    assert len(text) == size
    return text


def sizes(case):
    """To the byte: max-bytes less one, as many, one more."""
    for size in (65535, 65536, 65537):
        text = large(f"SIZE{size}", size)
        with peer.Peer(case.place("small")) as sender:
            answer = sender.ask(text)
            wanted = ("AA",) if size <= 65536 else ("AE", "AR")
            case.check(f"{size} bytes: {answer.code}", answer.code in wanted and answer.control == f"SIZE{size}")
            case.check(f"{size} bytes: {answer.text}", ("more bytes than max-bytes" in answer.text) == (size > 65536))
            case.check(f"{size} bytes: goes on", sender.closed() if size > 65536 else sender.ask(make(f"THEN{size}")).code == "AA")


def never_enough(case):
    """What needs more memory than any record may have is refused for good; the next one is taken."""
    text = make("NEVER", more="OBX|1|ST|NOTE^Note^L||" + "&".join("a" * 2500000) + "||||||F")
    with peer.Peer(case.place("heavy")) as sender:
        answers = [sender.ask(text), sender.ask(make("ENOUGH"))]
        case.check(f"too much memory: {[answer.code for answer in answers]}", [answer.code for answer in answers] == ["AR", "AA"])


def times(case):
    with peer.Peer(case.place("small")) as sender:
        start = time.monotonic()
        data = peer.frame(make("SLOW"))
        try:
            for at in range(len(data)):
                sender.send(data[at:at + 1])
                if not sender.silent(0.3):
                    break
        except OSError:
            pass
        case.check(f"a lively dripper has {time.monotonic() - start:.1f} s", 1.9 < time.monotonic() - start < 8)
    with peer.Peer(case.place("small")) as sender:
        start = time.monotonic()
        case.check("who does nothing is closed", sender.closed(10) and 2.9 < time.monotonic() - start < 9)


def not_reading(case):
    """Answers that nobody takes: no more is read, and then it is closed."""
    with peer.Peer(case.place("small")) as sender:
        data = b"".join(peer.frame(f"MSH|^~\\&|EHR|||HERE|20260301||ADT^A01^ADT_A01|MUTE{number}|P|2.5.1\r") for number in range(4000))
        try:
            sender.send(data)
        except (TimeoutError, OSError):
            pass
        case.check("who takes no answers is closed", bed.wait_for(lambda: "answers are not taken" in case.log(), PATIENCE))


def unread(local):
    """Bytes that the other side of a socket of this host has not read yet."""
    return struct.unpack("i", fcntl.ioctl(local, termios.TIOCOUTQ, bytes(4)))[0]


def memory(case):
    """64 MiB of messages under way, over all connections, and a bit more."""
    there = [peer.Peer(case.place("heavy")) for _ in range(6)]
    for one in there[:4]:
        one.send(b"\x0b" + b"x" * 16000000)
    there[4].send(b"\x0b" + b"x" * 3000000)
    case.check("they are not read", bed.wait_for(lambda: not any(unread(one.socket) for one in there[:5]), PATIENCE))
    case.check("67,000,000 bytes under way", there[4].silent(0.5))
    there[5].send(b"\x0b" + b"x" * 200000)
    case.check("more than 64 MiB", there[5].closed())
    for one in there[:5]:
        one.socket.close()
    with peer.Peer(case.place("heavy")) as sender:
        case.check("and afterwards", sender.ask(make("HEAVY")).code == "AA")
        notes = "\r".join(f"OBX|{number}|TX|NOTE^Note^L||{'x' * 500000}||||||F" for number in range(1, 7))
        answer = sender.ask(make("MEGA", more=notes))
        case.check(f"3 MiB, where that is allowed: {answer.text}", answer.code == "AA")


def places(case):
    """Connections, N and one more; of one address too. Those that are there go on."""
    for name, most in (("small", 4), ("few", 2)):
        there = [peer.Peer(case.place(name)) for _ in range(most)]
        case.check(f"{name}: {most} places", [one.ask(make(f"{name}{i}")).code for i, one in enumerate(there)] == ["AA"] * most)
        with peer.Peer(case.place(name)) as more:
            case.check(f"{name}: one more is turned away", more.closed())
        case.check(f"{name}: the others go on", there[0].ask(make(f"{name}on")).code == "AA")
        there.pop().socket.close()
        case.check(f"{name}: a place that is free again", bed.wait_for(lambda: takes(case, name), PATIENCE))
        for one in there:
            one.socket.close()


def takes(case, name):
    try:
        with peer.Peer(case.place(name)) as one:
            return one.ask(make(f"{name}{next(SERIALS)}")).code == "AA"
    except (OSError, peer.Closed):
        return False


def caps(work, server):
    case = Case(work, {"small": ("max-bytes = 65536\nframe-seconds = 2\nidle-seconds = 3\nmax-connections = 4", "./small.sock"),
                       "few": ("max-per-address = 2", "127.0.0.1:0"), "heavy": ("max-bytes = 16777216", "./heavy.sock")}, server)
    sizes(case)
    never_enough(case)
    times(case)
    not_reading(case)
    memory(case)
    places(case)
    return case.close()


# --- TLS ---

def context(certs, client=None, most=None):
    made = ssl.create_default_context(cafile=certs / "ca.pem")
    if client:
        made.load_cert_chain(certs / f"{client}.pem", certs / f"{client}.key")
    if most:
        made.maximum_version = most
    return made


def lax(certs, client):
    made = ssl.create_default_context(cafile=certs / "ca.pem")
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.load_cert_chain(certs / f"{client}.pem", certs / f"{client}.key")
    return made


def shakes(place, given):
    """TLS 1.3 tells of a refused certificate only after the client is through."""
    try:
        with peer.Peer(place, given) as sender:
            return sender.ask(make(f"TLS{next(SERIALS)}")).code == "AA"
    except (OSError, peer.Closed, ssl.SSLError):
        return False


def tls(work, server):
    certs = server.certificate.parent
    ours = f"certificate = {certs}/server.pem\nkey = {certs}/server.key\n"
    put(certs, work, "server")
    put(certs, work, "server", "later")
    case = Case(work, {"renewed": (f"certificate = own.pem\nkey = own.key\nclient-ca = {certs}/ca.pem", "127.0.0.1:0"),
                       "mutual": (f"{ours}client-ca = {certs}/ca.pem", "0.0.0.0:0"), "own": (ours, "127.0.0.1:0"),
                       "named": (f"{ours}client-ca = {certs}/ca.pem\nclient-names = lab.example, Ketlink.Example\nclient-names = Ward 7", "127.0.0.1:0"),
                       "host": (f"{ours}client-ca = {certs}/ca.pem\nclient-names = ketlink test client, lab.ketlink.example, example", "127.0.0.1:0"),
                       "listed": (f"{ours}client-ca = {certs}/ca.pem\ncrl = {certs}/crl.pem", "127.0.0.1:0"),
                       "later": ("certificate = later.pem\nkey = later.key", "127.0.0.1:0")}, server, "[http]\nsocket = relay.sock\n[post]\nto = hospital\n")
    mutual, own, named, host, listed = (("127.0.0.1", peer.port_of(work, name)) for name in ("mutual", "own", "named", "host", "listed"))
    case.check("with a client certificate", shakes(mutual, context(certs, "client")))
    case.check("TLS 1.2 with one", shakes(mutual, context(certs, "client", ssl.TLSVersion.TLSv1_2)))
    case.check("without one", not shakes(mutual, context(certs)))
    for client in ("clientother", "clientexpired"):
        case.check(f"with {client}", not shakes(mutual, context(certs, client)))
    for client in ("clientsmall", "second"):  # RSA of 1024 bits; a certificate for servers
        case.check(f"with {client}", not shakes(mutual, lax(certs, client)))
    case.check("where none is asked for", shakes(own, context(certs)))
    old = context(certs, "client")
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    case.check("TLS 1.1", not shakes(mutual, old))
    weak = context(certs, "client", ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")
    case.check("suites without forward secrecy or with CBC", not shakes(mutual, weak))
    for client, known in (("client", True), ("clientnamed", True), ("revoked", False), ("clientstar", False), ("clientother", False)):
        case.check(f"client-names and {client}", shakes(named, context(certs, client)) == known)
    for client in ("client", "clientstar"):  # it has a host: the common name does not count; no wildcard does
        case.check(f"client-names without {client}", not shakes(host, context(certs, client)))
    case.check("who is not named is told", 'mllp-tls listener=host why="its certificate is for none of client-names"' in case.log())
    case.check("who is not named is counted", case.metric('ketlink_mllp_turned_away_total{listener="host"}') == 2)
    case.check("not in the list of revoked ones", shakes(listed, context(certs, "client")))
    case.check("in the list", not shakes(listed, context(certs, "revoked")))
    with peer.Peer(mutual) as clear:
        clear.send(peer.frame(make("CLEAR")))
        case.check("in clear", clear.closed() or b"\x0b" not in clear.rest)
    with peer.Peer(mutual, context(certs, "client")) as sender:
        texts = [make(f"TP{number}") for number in range(50)]
        sender.send(b"".join(peer.frame(text) for text in texts))
        case.check("pipelined by TLS", [a.control for a in sender.answers(50)] == [f"TP{number}" for number in range(50)])
    renewed(case, certs)
    case.check("refusals are told", "mllp-tls listener=mutual" in case.log())
    return case.close() + refused_at_the_check(work, certs, ours)


def shown(place, certs):
    with peer.Peer(place, context(certs, "client")) as sender:
        return sender.socket.getpeercert()["serialNumber"]


def renewed(case, certs):
    """Certificates are read again at a reload; what is wrong with them changes nothing."""
    place = ("127.0.0.1", peer.port_of(case.work, "renewed"))
    first = shown(place, certs)
    with peer.Peer(place, context(certs, "client")) as there:
        put(certs, case.work, "second")
        case.relay.process.send_signal(signal.SIGHUP)
        case.check("renewed", bed.wait_for(lambda: shown(place, certs) != first, PATIENCE))
        second = shown(place, certs)
        put(certs, case.work, "expired")
        case.relay.process.send_signal(signal.SIGHUP)
        case.check("not renewed by one that has expired", bed.wait_for(lambda: "reload-refused" in case.log(), PATIENCE))
        case.check("the one before is still shown", shown(place, certs) == second)
        put(certs, case.work, "server")
        put(certs, case.work, "expired", "later")
        case.relay.process.send_signal(signal.SIGHUP)
        case.check("refused for a later one", bed.wait_for(lambda: case.log().count("not-reloaded") == 2, PATIENCE))
        case.check("none is renewed without all", shown(place, certs) == second)
        case.check("who is there goes on", there.ask(make("RENEWED")).code == "AA")


def put(certs, work, name, to="own"):
    for kind in ("pem", "key"):
        shutil.copy(certs / f"{name}.{kind}", work / f"{to}.{kind}")


def refused_at_the_check(work, certs, ours):
    """relay --check says what is wrong with the files."""
    faults, plain = [], (work / "relay.ini").read_text().split("[mllp renewed]")[0]
    trials = {"can be read by others": (ours, 0o640), "has expired": (ours.replace("server.pem", "expired.pem"), 0o600),
              "not that of its certificate": (ours.replace("server.pem", "second.pem"), 0o600),
              "client-ca of [mllp] is missing": (f"{ours}client-ca = {certs}/none.pem", 0o600),
              "crl of [mllp] is missing": (f"{ours}client-ca = {certs}/ca.pem\ncrl = {certs}/ca.pem", 0o600),
              "certificate, key and client-ca are needed": (ours, 0o600),
              "client-names needs client-ca": (f"{ours}client-names = lab.example", 0o600),
              "whole names as certificates have them": (f"{ours}client-ca = {certs}/ca.pem\nclient-names = *.example", 0o600),
              "not one of HL7 table 0211": ("charset = KLINGON", 0o600),
              "processing is one of P (production)": ("processing = X", 0o600)}
    for words, (more, mode) in trials.items():
        os.chmod(certs / "server.key", mode)
        place = "0.0.0.0:0" if "are needed" in words else "127.0.0.1:0"
        (work / "check.ini").write_text(f"{plain}\n[mllp one]\nlisten = {place}\nto = hospital\n{more}\n")
        done = subprocess.run([RELAY, "relay", "--check", "--config", work / "check.ini"], capture_output=True, text=True)
        if done.returncode != 78 or words not in done.stderr:
            faults.append(f"--check does not say {words}: {done.returncode} {done.stderr[:300]}")
    os.chmod(certs / "server.key", 0o600)
    return faults


# --- many who only wait ---

def latencies(sender, count, prefix):
    """Of so many messages one after the other, the shortest first."""
    took = []
    for number in range(count):
        text = make(f"{prefix}{number}")
        start = time.monotonic()
        assert sender.ask(text).code == "AA"
        took.append(time.monotonic() - start)
    return sorted(took)


def percentile(took, share):
    return took[int(len(took) * share)]


def drip(place, stop):
    with peer.Peer(place) as sender:
        data = peer.frame(make(f"DRIP{next(SERIALS)}"))
        for at in range(len(data)):
            sender.send(data[at:at + 1])
            if stop.wait(1):
                return


def crowd(work, server, idle):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < idle + 200:
        print(f"crowd: skipped: at most {hard} descriptors")
        return []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, idle + 200) if hard != resource.RLIM_INFINITY else idle + 200, hard))
    case = Case(work, {"ehr": ("max-connections = 20000\nmax-per-address = 20000\nframe-seconds = 3600", "127.0.0.1:0")}, server)
    for turn in range(3):  # what the machine does besides may have begun in between: then it is measured again
        slower = beside(case, idle, turn)
        if not slower:
            break
    case.check(f"each time: {slower}", not slower)
    return case.close()


def beside(case, idle, turn):
    """-> how much longer answers take beside connections that wait, if it is too long."""
    place, stop, messages = case.place("ehr"), threading.Event(), 200 if idle > 1000 else 60
    with peer.Peer(place) as sender:
        before = latencies(sender, messages, f"W{turn}-")
        start = time.monotonic()
        there = [peer.Peer(place) for _ in range(idle)]
        dripper = threading.Thread(target=drip, args=(place, stop))
        dripper.start()
        connected = time.monotonic() - start
        after = latencies(sender, 2 * messages, f"X{turn}-")
        memory = int((pathlib.Path("/proc") / str(case.relay.process.pid) / "statm").read_text().split()[1]) * 4096 >> 20
        print(f"crowd: {idle} idle connections in {connected:.1f} s, {memory} MiB; p99 {percentile(before, 0.99) * 1000:.1f} ms before, "
              f"{percentile(after, 0.99) * 1000:.1f} ms after")
        case.check("those who wait are still there", there[0].ask(make(f"IDLE{turn}-0")).code == "AA" and there[-1].ask(make(f"IDLE{turn}-1")).code == "AA")
        stop.set()
        dripper.join()
        for one in there:
            one.socket.close()
    # of all messages, none left out: the slowest of them tell of the machine, which does other things as well, the tenth slowest in
    # a hundred of the relay
    pairs = {share: (percentile(before, share), percentile(after, share)) for share in (0.5, 0.9)}
    return ", ".join(f"{share:.0%} of the answers within {pair[0] * 1000:.1f} ms before, {pair[1] * 1000:.1f} ms after"
                     for share, pair in pairs.items() if pair[1] >= pair[0] * 2 + 0.05)


# --- some who only send ---

FLOOD = """
import socket, ssl, sys
place, authority, piece = int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
there = socket.create_connection(("127.0.0.1", place))
if authority:
    there = ssl.create_default_context(cafile=authority).wrap_socket(there, server_hostname="localhost")
while True:
    there.sendall(piece)
"""

# the other side asks for new keys and never reads the answers, until there is no room for one more
KEYS = """
import ctypes, ctypes.util, socket, sys, time
tls = ctypes.CDLL(ctypes.util.find_library("ssl"))
for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
    getattr(tls, name).restype = ctypes.c_void_p
there = socket.socket()
there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
there.connect(("127.0.0.1", int(sys.argv[1])))
ssl = ctypes.c_void_p(tls.SSL_new(ctypes.c_void_p(tls.SSL_CTX_new(ctypes.c_void_p(tls.TLS_client_method())))))
tls.SSL_set_fd(ssl, there.fileno())
assert tls.SSL_connect(ssl) == 1
there.settimeout(0.0)
stalls = 0
while stalls < 20:
    tls.SSL_key_update(ssl, 1)
    stalls = 0
    while tls.SSL_do_handshake(ssl) != 1 and stalls < 20:
        time.sleep(0.05)
        stalls += 1
print("stalled", flush=True)
time.sleep(60)
"""


def serves(case, what):
    """Whoever else sends is acknowledged, which takes a commit."""
    start = time.monotonic()
    try:
        with peer.Peer(case.place("own")) as sender:
            case.check(f"{what}: not acknowledged", sender.ask(make(f"SERVED{next(SERIALS)}"), 8).code == "AA")
    except (TimeoutError, peer.Closed) as fault:
        case.check(f"{what}: {fault!r}", False)
    case.check(f"{what}: it took {time.monotonic() - start:.1f} s", time.monotonic() - start < 4)


def seconds_of(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def begin(words, **more):
    """A process that does not outlive this one, whatever becomes of the test."""
    process = subprocess.Popen([sys.executable, "-c", *words], **more)
    atexit.register(process.kill)
    return process


def greedy(work, server):
    """Peers that send as much as they can, and take nothing, leave time for all else."""
    certs = server.certificate.parent
    case = Case(work, {"own": ("", "127.0.0.1:0"), "tls": (f"certificate = {certs}/server.pem\nkey = {certs}/server.key", "127.0.0.1:0")}, server)
    refused = peer.frame(f"MSH|^~\\&|EHR|||HERE|20260301||ADT^A01^ADT_A01|REFUSED|P|2.5.1\r")
    for what, piece in (("frames that are cut off", b"\x0bMSH|^~\\&|A" * 1000), ("nothing but beginnings", b"\x0b" * 10000), ("refused messages", refused * 100)):
        for name, authority in (("own", ""), ("tls", certs / "ca.pem")):
            floods = [begin([FLOOD, str(peer.port_of(work, name)), str(authority), piece.hex()], stderr=subprocess.DEVNULL) for _ in range(2)]
            time.sleep(1)
            serves(case, f"{what}, {name}")
            for flood in floods:
                flood.kill()
                flood.wait()
    keys = begin([KEYS, str(peer.port_of(work, "tls"))], stdout=subprocess.PIPE, text=True)
    case.check("new keys: they do not stall", keys.stdout.readline() == "stalled\n")
    serves(case, "new keys")
    before = seconds_of(case.relay.process)
    time.sleep(2)
    case.check(f"new keys: {seconds_of(case.relay.process) - before:.2f} s of 2 for nothing", seconds_of(case.relay.process) - before < 0.5)
    keys.kill()
    keys.wait()
    return case.close()


PARTS = {"greedy": greedy, "acknowledgements": acknowledgements, "full": full, "framing": framing, "caps": caps, "tls": tls, "crowd": crowd}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    given = parser.parse_args()
    if not PACK.exists() or not os.access(RELAY, os.X_OK):
        print("skipped: no definition pack, or no ketlink-relay")
        return 77
    faults = []
    with tempfile.TemporaryDirectory(prefix="ketlink-mllp-") as name:
        certs = pathlib.Path(name) / "certs"
        subprocess.run([ROOT / "tests/servers/certs.sh", certs, "bad"], check=True, stdout=subprocess.DEVNULL)
        for part in given.parts or PARTS:
            work = pathlib.Path(name) / part
            work.mkdir()
            server = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
            start = time.monotonic()
            found = PARTS[part](work, server, *([given.idle] if part == "crowd" else []))
            print(f"{part}: {'fine' if not found else 'FAILED'}, {time.monotonic() - start:.1f} s", flush=True)
            faults += [f"{part}: {fault}" for fault in found]
            server.stop()
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
