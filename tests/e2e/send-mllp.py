#!/usr/bin/env python3
"""Messages of HL7 v2 to receivers that are fine, slow, wrong, silent, or not who they should be.

    send-mllp.py             KETLINK names the program; ketlink-relay stands beside it

`ketlink send` by a table of plans; then connections: plain, TLS, client certificates, bad certificates; `doctor`; the same message has
the same control id and bytes whenever it is sent; the relay waits while the receiver may be at work, tries again after AE and parks
after the third, parks after AR, and its queue commands work on messages.
"""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/fault"), str(ROOT / "tests/servers")]
import bed  # noqa: E402
import mllp_receiver as mllp  # noqa: E402

KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
RELAY = KETLINK.with_name("ketlink-relay")
NOTES = 150
PACK = ROOT / "build/definitions.pack"
RECORD = ROOT / "fixtures/clinic/iv-trd/record.json"
MESSAGES = 6  # of that record
PATIENT_MS, SHORT_MS = 20000, 800  # an acknowledgement is waited for: the machine may be slow; where none comes

# What the receiver does with the first messages; exit status; what becomes of the first; how often the first came; how many
# connections there were.
PLANS = [
    (["AA"], 0, "delivered", 1, 1),
    (["slow"], 0, "delivered", 1, 1),
    (["foreign"], 0, "delivered", 1, 2),
    (["two"], 0, "delivered", 1, 2),
    (["AE"], 0, "delivered", 2, 1),
    (["AE", "AE"], 0, "delivered", 3, 1),
    (["AE", "AE", "AE"], 65, "refused", 3, 1),
    (["CE", "AE", "CE"], 65, "refused", 3, 1),
    (["AR"], 65, "refused", 1, 1),
    (["CR"], 65, "refused", 1, 1),
    (["late"], 75, "not-confirmed", 1, 1),
    (["silent"], 75, "not-confirmed", 1, 1),
    (["only-foreign"], 75, "not-confirmed", 1, 1),
    (["cut-before"], 75, "not-confirmed", 1, 1),
    (["cut-after"], 75, "not-confirmed", 1, 1),
    (["half"], 75, "not-confirmed", 1, 1),
    (["garbage"], 75, "not-confirmed", 1, 1),
    (["other-frame"], 75, "not-confirmed", 1, 1),
    (["AE", "silent"], 75, "not-confirmed", 2, 1),
]
NEVER = {"late", "silent", "only-foreign"}  # in time
faults = []


def expect(what, got, wanted):
    if got != wanted:
        faults.append(f"{what}: {got!r}, expected {wanted!r}")


def destination(work, receiver, **more):
    given = {"protocol": "mllp", "address": f"127.0.0.1:{receiver.port}", "ackTimeoutMs": PATIENT_MS, "retryWaitMs": 10, **more}
    path = work / "receiver.json"
    path.write_text(json.dumps({key: value for key, value in given.items() if value is not None}))
    return path


def run(*arguments):
    return subprocess.run([KETLINK, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, check=False)


def send(path):
    done = run("send", "-q", "--json", "--to", path, RECORD)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def check_plans(work):
    receiver = mllp.Receiver()
    contents = {}
    for plans, status, first, times, connections in PLANS:
        before = receiver.connections
        path = destination(work, receiver, tls=False, ackTimeoutMs=SHORT_MS if NEVER & set(plans) else PATIENT_MS)
        receiver.came.clear()
        receiver.plans.extend(plans)
        done, lines = send(path)
        expect(f"{plans}: exit status", done.returncode, status)
        expect(f"{plans}: the first", lines[0]["action"], first)
        expect(f"{plans}: the others", {line["action"] for line in lines[1:]}, {"delivered" if status == 0 else "not-sent"})
        expect(f"{plans}: messages", len(lines), MESSAGES)
        expect(f"{plans}: connections", receiver.connections - before, connections)
        expect(f"{plans}: how often", [control for control, _ in receiver.came].count(receiver.came[0][0]), times)
        for control, message in receiver.came:
            expect(f"{plans}: bytes of {control}", message, contents.setdefault(control, message))
        receiver.plans.clear()
    expect("control ids", len(contents), MESSAGES)
    expect("their length", {len(control) for control in contents}, {20})


def check_enhanced(work):
    receiver = mllp.Receiver(enhanced=True)
    for mode, accept, application, plan, first in (("commit", b"AL", b"NE", "AA", "delivered"), ("application", b"AL", b"AL", "AA", "delivered"),
                                                  ("commit", b"AL", b"NE", "CA-only", "delivered"),
                                                  ("application", b"AL", b"AL", "CA-only", "not-confirmed")):
        receiver.came.clear()
        receiver.plans.append(plan)
        _, lines = send(destination(work, receiver, tls=False, acknowledge=mode,
                                    ackTimeoutMs=SHORT_MS if first == "not-confirmed" else PATIENT_MS))
        expect(f"{mode} {plan}", lines[0]["action"], first)
        expect(f"{mode}: MSH-15 and 16", [mllp.field(receiver.came[0][1], b"MSH", number) for number in (15, 16)], [accept, application])


def check_older(work):
    """An older revision behind a newer one is not sent: it would undo the correction."""
    receiver = mllp.Receiver()
    path, second = destination(work, receiver, tls=False), work / "second.json"
    record = json.loads(RECORD.read_text())
    record["session"]["revision"] = 2
    second.write_text(json.dumps(record))
    done = run("send", "-q", "--to", path, second, RECORD)
    expect("older behind newer", (done.returncode, len(receiver.came), "older-revision" in done.stderr), (0, MESSAGES, True))
    receiver.came.clear()
    done = run("send", "-q", "--to", path, RECORD, second)
    expect("newer behind older", (done.returncode, len(receiver.came), "older-revision" in done.stderr), (0, 2 * MESSAGES, False))


def pin_of(certificate):
    key = subprocess.run(f"openssl x509 -in {certificate} -pubkey -noout | openssl pkey -pubin -outform DER", shell=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode()


def check_connect_time(work, receiver, ca):
    """Who answers TLS within connectTimeoutMs is taken, however slowly; who does not is given up then, not before."""
    for shakes_after, connect, status in ((0.4, 20000, 0), (20, 400, 69)):
        receiver.taken.clear()
        receiver.shakes_after = shakes_after
        start = time.monotonic()
        done, _ = send(destination(work, receiver, caFile=ca, connectTimeoutMs=connect))
        took = time.monotonic() - start
        expect(f"connects after {shakes_after} s of {connect} ms: exit status", done.returncode, status)
        expect(f"connects after {shakes_after} s of {connect} ms: taken", len(receiver.taken), 0 if status else MESSAGES)
        expect(f"connects after {shakes_after} s of {connect} ms: {took:.1f} s", 0.4 <= took < 20, True)
    for connect, status in ((99, 78), (100, 0), (120000, 0), (120001, 78)):
        done = run("export", "--for", destination(work, receiver, caFile=ca, connectTimeoutMs=connect), RECORD)
        expect(f"connectTimeoutMs {connect}: exit status", done.returncode, status)


def check_tls(work, certs):
    server = lambda name, **more: mllp.Receiver(certs / f"{name}.pem", certs / f"{name}.key", **more)  # noqa: E731
    ca, mine = str(certs / "ca.pem"), {"clientCertFile": str(certs / "client.pem"), "clientKeyFile": str(certs / "client.key")}
    good = server("server")
    strict = server("server", client_ca=certs / "ca.pem")
    identity = lambda name: {"clientCertFile": str(certs / f"{name}.pem"), "clientKeyFile": str(certs / f"{name}.key")}  # noqa: E731
    listed = lambda name: {"caFile": ca, "crlFile": str(certs / f"{name}.pem")}  # noqa: E731
    pin, second = pin_of(certs / "server.pem"), pin_of(certs / "second.pem")
    for what, receiver, more, status in (
            ("good", good, {"caFile": ca}, 0),
            ("not revoked", good, listed("crl"), 0),
            ("revoked, and nobody asks", server("revoked"), {"caFile": ca}, 0),
            ("revoked", server("revoked"), listed("crl"), 78),
            ("a list that has ended", good, listed("stale.crl"), 78),
            ("a list of another authority", good, listed("unknown.crl"), 78),
            ("a list that is none", good, listed("ca"), 78),
            ("a list that is missing", good, listed("none"), 78),
            ("the pin", good, {"caFile": ca, "pinnedKeys": [pin]}, 0),
            ("one of two pins", good, {"caFile": ca, "pinnedKeys": [second, pin]}, 0),
            ("the pin of another", good, {"caFile": ca, "pinnedKeys": [second]}, 78),
            ("the pin, and nobody's authority", good, {"pinnedKeys": [pin]}, 78),
            ("nobody's authority", good, {}, 78),
            ("expired", server("expired"), {"caFile": ca}, 78),
            ("another host", server("otherhost"), {"caFile": ca}, 78),
            ("unknown authority", server("unknown"), {"caFile": ca}, 78),
            ("a wrong pin", good, {"caFile": ca, "pinnedKeys": ["sha256//" + "A" * 43 + "="]}, 78),
            ("our certificate", strict, {"caFile": ca, **mine}, 0),
            ("ours, and nobody asks", good, {"caFile": ca, **mine}, 0),
            ("ours has ended", strict, {"caFile": ca, **identity("clientexpired")}, 78),
            ("ours of another authority", strict, {"caFile": ca, **identity("clientother")}, 78),
            ("none of ours", strict, {"caFile": ca}, 78),
            ("no TLS there", mllp.Receiver(), {"caFile": ca, "connectTimeoutMs": 500}, 69)):
        receiver.taken.clear()
        done, lines = send(destination(work, receiver, **more))
        # with TLS 1.3 the refusal of our certificate comes when the message has left: read as such, or as a lost answer
        fine = (75, 78) if receiver is strict and status else (status,)
        expect(f"{what}: exit status", done.returncode if done.returncode not in fine else status, status)
        if status:
            expect(f"{what}: taken", receiver.taken, [])
            expect(f"{what}: the first", not lines or lines[0]["action"] in ("not-sent", "not-confirmed"), True)
    check_connect_time(work, server("server"), ca)
    for what, more, words in (("clear to elsewhere", {"address": "192.0.2.1:2575", "tls": False}, "nothing leaves this host in clear"),
                              ("no port", {"address": "receiver"}, "address is host:port"),
                              ("a key of FHIR", {"submit": "batch"}, "protocol mllp has no submit"),
                              ("a wrong word", {"messages": ["ORU_R02"]}, "did you mean ORU_R01"),
                              ("a separator", {"receivingFacility": "A|B"}, "receivingFacility")):
        done = run("send", "--to", destination(work, good, **more), RECORD)
        expect(f"{what}: exit status", done.returncode, 78)
        expect(f"{what}: said", words in done.stderr, True)


def check_doctor(work, certs):
    receiver = mllp.Receiver(certs / "server.pem", certs / "server.key")
    done = run("doctor", "--json", destination(work, receiver, caFile=str(certs / "ca.pem")))
    marks = {line["check"]: line["mark"] for line in map(json.loads, done.stdout.splitlines())}
    expect("doctor", (done.returncode, {marks[name] for name in ("configuration", "connection", "tls", "authority")}), (0, {"ok"}))
    receiver.stop()
    expect("doctor, nobody there", run("doctor", destination(work, receiver, caFile=str(certs / "ca.pem"))).returncode, 69)
    expect("doctor sent something", receiver.came, [])


def start_relay(work, certs, plans, **more):
    work.mkdir()
    receiver = mllp.Receiver(certs / "server.pem", certs / "server.key")
    receiver.base, receiver.certificate = "https://127.0.0.1:1", certs / "server.pem"
    bed.prepare(work, PACK, {"hospital": receiver}, "update", destination="parked = block")
    with open(work / "relay.ini", "a", encoding="utf-8") as ini:
        ini.write(f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    (work / "mappings/destinations/hospital.json").write_text(json.dumps(
        {"protocol": "mllp", "address": f"127.0.0.1:{receiver.port}", "caFile": str(certs / "ca.pem"), "ackTimeoutMs": PATIENT_MS, **more}))
    relay = bed.Relay(RELAY, work)
    receiver.plans.extend(plans)
    relay.start()
    return receiver, relay


def check_many(work, certs):
    """A record may make more messages than there may be destinations."""
    record = json.loads(RECORD.read_text())
    own, count = record["notes"][0], NOTES + 1  # another of the record's own is withheld
    record["notes"] += [{**own, "id": f"MANY{number}"} for number in range(NOTES)]
    receiver, relay = start_relay(work, certs, [])
    bed.drop(work, 1, json.dumps(record))
    expect("many", bed.wait_for(lambda: sum(mllp.field(m, b"MSH", 9)[:3] == b"MDM" for _, m in receiver.taken) == count, 60), True)
    expect("their connections", receiver.connections < count / 10, True)
    expect("end with many", relay.stop(), 0)
    if faults:
        print((work / "log").read_text()[-2000:])


def check_settle(work, certs):
    """The receiver is at work on a message whose acknowledgement was given up, or whose sender has died: it does not come again, and
    nothing else of its patient comes, before that has ended."""
    receiver, relay = start_relay(work, certs, ["works", "works"], settleMs=2500, ackTimeoutMs=SHORT_MS)
    receiver.works = 2
    bed.drop(work, 1, RECORD.read_text())
    expect("the first is there", bed.wait_for(lambda: receiver.came, 30), True)
    expect("it comes again", bed.wait_for(lambda: len(receiver.came) == 2, 30), True)
    relay.kill()
    relay.start()
    expect("all are there", bed.wait_for(lambda: len({control for control, _ in receiver.taken}) == MESSAGES, 30), True)
    expect("came too early", receiver.overtaken, [])
    expect("the first came again", [control for control, _ in receiver.came].count(receiver.came[0][0]) >= 3, True)
    expect("end after settling", relay.stop(), 0)
    if faults:
        print((work / "log").read_text()[-2000:])


def check_relay(work, certs):
    """AE three times parks; AR parks; what a person sends again goes, with as many attempts as before."""
    receiver, relay = start_relay(work, certs, ["AE", "AE", "AE"])
    bed.drop(work, 1, RECORD.read_text())

    def listed(state):
        done = run("queue", "list", "--json", "--socket", work / "socket", "--state", state)
        return json.loads(done.stdout)["records"] if done.returncode == 0 and done.stdout else []

    expect("parked", bed.wait_for(lambda: len(listed("parked")) == 1, 30), True)
    if not listed("parked"):
        print((work / "log").read_text()[-2000:])
        return
    expect("reason", [(row["reason"], row["attempts"], row["kind"]) for row in listed("parked")], [("ack-AE", 3, "hl7v2")])
    expect("the others wait", len(listed("queued")), MESSAGES - 1)
    number = str(listed("parked")[0]["id"])
    receiver.plans.extend(["AE", "CE", "AE"])
    expect("retry", run("queue", "retry", "--socket", work / "socket", number).returncode, 0)
    expect("parked again", bed.wait_for(lambda: [row["attempts"] for row in listed("parked")] == [6], 30), True)
    receiver.plans.extend(["AE", "AE", "AA", "AR"])
    expect("retry once more", run("queue", "retry", "--socket", work / "socket", number).returncode, 0)
    expect("the second parked", bed.wait_for(lambda: [row["reason"] for row in listed("parked")] == ["ack-AR"], 30), True)
    if not listed("parked"):
        relay.kill()
        print((work / "log").read_text()[-2000:])
        return
    expect("pass", run("queue", "pass", "--socket", work / "socket", str(listed("parked")[0]["id"])).returncode, 0)
    expect("delivered", bed.wait_for(lambda: len(receiver.taken) == MESSAGES - 1 and not listed("queued"), 30), True)
    expect("order", [mllp.field(message, b"MSH", 9)[:3] for _, message in receiver.taken], [b"ADT", b"SIU", b"RAS", b"ORU", b"MDM"])
    expect("end", relay.stop(), 0)
    if faults:
        print((work / "log").read_text()[-2000:])


def main():
    if not PACK.exists():
        print(f"skipped: {PACK} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-mllp-") as name:
        work = pathlib.Path(name)
        subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs", "bad"], check=True, stdout=subprocess.DEVNULL)
        check_plans(work)
        check_enhanced(work)
        check_older(work)
        check_tls(work, work / "certs")
        check_doctor(work, work / "certs")
        check_settle(work / "settle", work / "certs")
        check_relay(work / "relay", work / "certs")
        check_many(work / "many", work / "certs")
    print("\n".join(faults) if faults else "all as expected")
    return 1 if faults else 0


sys.exit(main())
