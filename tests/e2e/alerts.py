#!/usr/bin/env python3
"""Alerts by webhook: what is posted, to whom, and that nobody waits for it.

    alerts.py                KETLINK names the program; ketlink-relay stands beside it

The receiver is a TLS server of the test's authority that is fine, dead for a while, busy, redirects, or says nothing at all; an edge is
made by taking the drop folder away and giving it back. Then the same in clear on this machine, and addresses that --check refuses.
"""
import contextlib
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed  # noqa: E402
import ehr  # noqa: E402
from bed import expect  # noqa: E402

KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
RELAY = KETLINK.with_name("ketlink-relay")
PACK = ROOT / "build/definitions.pack"
PATIENCE, TOKEN = 40, "a-token-of-the-test"


class Receiver:
    """`mode`: a status, or "hang". What it was told is in `told`, requests to elsewhere in `strays`."""

    def __init__(self, certs, name="server", port=0):
        self.certs, self.name, self.mode, self.server = certs, name, 204, None
        self.held, self.port = bed.hold_port(port)  # while nobody listens too
        self.told, self.strays, self.asked, self.going = [], [], 0, threading.Event()

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                if self.path != "/alerts?key=1":
                    receiver.strays.append(self.path)
                if receiver.mode == "hang":
                    receiver.going.wait(PATIENCE)
                    return
                if receiver.mode == 204:
                    receiver.told.append((json.loads(body), self.headers["Content-Type"], self.headers["Authorization"]))
                self.send_response(receiver.mode)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.handle_error = lambda *arguments: None
        if self.certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certs / f"{self.name}.pem", self.certs / f"{self.name}.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.going.set()
        self.server.shutdown()
        self.server.server_close()

    def states(self):
        return [told[0]["state"] for told in self.told]


def expect_soon(what, *words):
    expect(bed.wait_for(what, PATIENCE), "waited in vain:", *words)


class Bench:
    """A relay with a hospital, and an edge on demand."""

    def __init__(self, work, certs, lines, **more):
        self.work, self.log = work, work / "log"
        work.mkdir()
        self.hospital = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        bed.prepare(work, PACK, {"hospital": self.hospital}, relay=lines, **more)
        (work / "token").touch(0o600)
        (work / "token").write_text(TOKEN + "\n")
        self.relay = bed.Relay(RELAY, work)

    def start(self):
        self.relay.start()
        expect_soon(lambda: b"started" in self.log.read_bytes(), "started", self.log.read_text())

    def edge(self, state):
        drop, away = self.work / "drop", self.work / "away"
        before = self.log.read_bytes().count(state.encode())
        (drop.rename(away) if state == "folder-gone" else away.rename(drop))
        expect_soon(lambda: self.log.read_bytes().count(state.encode()) > before, state, self.log.read_text())

    def check(self):
        done = subprocess.run([RELAY, "relay", "--check", "--config", self.work / "relay.ini"], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        expect(self.relay.stop() == 0, "it did not stop well:", self.log.read_text())
        self.hospital.stop()
        expect(b"key=1" not in self.log.read_bytes() and TOKEN.encode() not in self.log.read_bytes(), "the log tells the address or the token")


def lines_of(port, scheme="https", token=True, ca="ca.pem"):
    lines = f"alert-webhook = {scheme}://127.0.0.1:{port}/alerts?key=1\n"
    lines += f"alert-ca-file = ../certs/{ca}\n" if scheme == "https" else ""
    return lines + ("alert-token-file = token\n" if token else "")


def over_tls(work, certs):
    receiver = Receiver(certs)
    receiver.start()
    receiver.stop()  # dead, and its port is known
    bench = Bench(work / "tls", certs, lines_of(receiver.port))
    expect(bench.check()[0] == 0, *bench.check())
    bench.start()
    bench.edge("folder-gone")
    bench.edge("folder-back")
    receiver = Receiver(certs, port=receiver.port)
    receiver.start()
    expect_soon(lambda: len(receiver.told) == 2, "both alerts, when the receiver lives again", bench.log.read_text())
    document, kind, authorization = receiver.told[0]
    expect(sorted(document) == ["host", "since", "state", "what"] and document["what"] == "drop", document)
    expect(document["host"] == socket.gethostname() and document["since"].endswith("Z"), document)
    expect(kind == "application/json" and authorization == f"Bearer {TOKEN}", kind, authorization)
    expect(receiver.states() == ["folder-gone", "folder-back"], "in their order", receiver.states())

    # others may read the token, it is gone: what is told comes all the same, and the log says so once
    for number, spoil in enumerate((lambda path: path.chmod(0o644), lambda path: path.unlink())):
        spoil(bench.work / "token")
        bench.edge("folder-gone")
        bench.edge("folder-back")
        expect_soon(lambda: len(receiver.told) == 4 + 2 * number, "told with the old token", bench.log.read_text())
    expect([told[2] for told in receiver.told] == [f"Bearer {TOKEN}"] * 6, "the old token", receiver.told)
    expect(bench.log.read_bytes().count(b" alert-token why=") == 1 and b"read by others: chmod 600" in bench.log.read_bytes(), bench.log.read_text())
    (bench.work / "token").touch(0o600)
    (bench.work / "token").write_text(TOKEN + "\n")
    receiver.told.clear()

    receiver.mode = 302
    asked = receiver.asked
    bench.edge("folder-gone")
    expect_soon(lambda: b"alert-not-posted state=folder-gone why=\"HTTP status 302\"" in bench.log.read_bytes(), bench.log.read_text())
    expect(receiver.asked == asked + 1 and not receiver.strays, "a redirect was followed, or tried again", receiver.strays)
    receiver.mode = 503
    bench.edge("folder-back")
    expect_soon(lambda: receiver.asked > asked + 2, "tried again after 503")
    receiver.mode = 204
    expect_soon(lambda: receiver.states() == ["folder-back"], receiver.states())

    receiver.mode = "hang"
    asked = receiver.asked
    bench.edge("folder-gone")
    expect_soon(lambda: receiver.asked > asked, "the alert is under way")
    bench.edge("folder-back")
    bed.drop(bench.work, 1, bed.record(1, 1, 1))
    expect_soon(lambda: bed.newest(bench.hospital) == {1: 1}, "delivered while the receiver says nothing", bench.log.read_text())
    expect(receiver.states()[1:] == [], receiver.states())
    bench.stop()
    expect(bench.log.read_bytes().count(b'why="the relay stops"') == 2, bench.log.read_text())
    receiver.stop()


def stopped_early(work, certs):
    """A delivery lasts longer than the relay waits when it is to stop: what nobody was told is in the log all the same."""
    bench = Bench(work / "early", certs, lines_of(1), timeout=90000)
    bench.start()
    bench.hospital.stall = 60
    bed.drop(bench.work, 1, bed.record(1, 1, 1))
    expect_soon(lambda: bench.hospital.posts, "a delivery is under way", bench.log.read_text())
    bench.edge("folder-gone")
    bench.stop()
    words = bench.log.read_bytes()
    expect(b"stopped-early under-way=1" in words, bench.log.read_text())
    expect(b'alert-not-posted state=folder-gone why="the relay stops"' in words, bench.log.read_text())


def not_to_be_trusted(work, certs):
    receiver = Receiver(certs, "unknown")
    receiver.start()
    bench = Bench(work / "unknown", certs, lines_of(receiver.port))
    bench.start()
    bench.edge("folder-gone")
    bench.edge("folder-back")
    bed.drop(bench.work, 1, bed.record(1, 1, 1))
    expect_soon(lambda: bed.newest(bench.hospital) == {1: 1}, "delivered", bench.log.read_text())
    bench.stop()
    receiver.stop()
    expect(receiver.asked == 0, "a server that is not to be trusted was told")


def in_clear_here(work, certs):
    receiver = Receiver(None)
    receiver.start()
    bench = Bench(work / "clear", certs, lines_of(receiver.port, "http", token=False))
    bench.start()
    bench.edge("folder-gone")
    expect_soon(lambda: receiver.told, "in clear to this machine", bench.log.read_text())
    expect(receiver.told[0][2] is None, "a token that nobody gave")
    bench.edge("folder-back")
    bench.stop()
    receiver.stop()


PROGRAM = """#!/bin/sh
{
  echo "$# $1 $2"
  ls -l /proc/self/fd | grep -c socket:
  # what is ignored: SIGPIPE is bit 12, SIGCHLD bit 16
  echo $((0x$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/self/status) & 0x11000))
} > "$0.new" 2> /dev/null
mv "$0.new" "$0.told"
"""


def states_of_children(own):
    """One that is reaped meanwhile has none."""
    states = []
    for child in (own / "task" / own.name / "children").read_text().split():
        with contextlib.suppress(OSError):
            states.append((own.parent / child / "stat").read_text().rpartition(")")[2].split()[0])
    return states


def program(work, certs):
    """It has nothing of the relay's: no connection, no ignored signals, no environment."""
    bench = Bench(work / "program", certs, f"alert = {work}/program/alert\n")
    alert, told = bench.work / "alert", bench.work / "alert.told"
    alert.write_text(PROGRAM)
    alert.chmod(0o700)
    bench.start()
    (bench.work / "next").write_text(bed.record(1, 1, 1))
    (bench.work / "next").rename(bench.work / "drop/1.json")
    expect_soon(lambda: bed.newest(bench.hospital), "a delivery: libcurl has its sockets")
    bench.edge("folder-gone")
    expect_soon(told.exists, "the program", bench.log.read_text())
    expect(told.read_text().split() == ["2", "folder-gone", "drop", "0", "0"], "the program was given", told.read_text())
    bench.edge("folder-back")
    alert.write_text("#!/bin/sh\nexit 3\n")
    bench.edge("folder-gone")
    expect_soon(lambda: b'alert-failed state=folder-gone why="it failed" status=3' in bench.log.read_bytes(), bench.log.read_text())
    bench.edge("folder-back")
    own = pathlib.Path(f"/proc/{bench.relay.process.pid}")
    expect_soon(lambda: "Z" not in states_of_children(own), "a program that ended is not reaped")
    bench.stop()


REFUSED = {
    "alert-webhook = http://ops.example/alerts": "begins with https",
    "alert-webhook = http://127.0.0.1.ops.example/": "begins with https",
    "alert-webhook = http://localhost/": "begins with https",
    "alert-webhook = ftp://127.0.0.1/": "begins with https",
    "alert-webhook = https:///alerts": "it has no host",
    "alert-webhook = https://user:secret@ops.example/": "must not hold credentials",
    "alert-webhook = https://ops.example/a b": "must be escaped",
    "alert-webhook = https://ops.example/" + "a" * 200: "too long",
    "alert-ca-file = ../certs/ca.pem": "there is none",
    "alert-webhook = https://ops.example/\nalert-ca-file = none.pem": "caFile is missing",
    "alert-webhook = https://ops.example/\nalert-token-file = none": "the token file is missing",
    "alert-webhook = https://ops.example/\nalert-token-file = open": "can be read by others",
}


def refused(work, certs):
    for number, (lines, said) in enumerate(REFUSED.items()):
        bench = Bench(work / f"refused-{number}", certs, lines)
        (bench.work / "open").write_text(TOKEN)
        status, words = bench.check()
        expect(status == 78 and said in words, lines, status, words)
        expect("secret" not in words and TOKEN not in words, words)
        bench.hospital.stop()


def main():
    if not RELAY.exists() or not PACK.exists():
        print(f"skipped: {RELAY} or {PACK} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-alerts-") as folder:
        work = pathlib.Path(folder)
        certs = work / "certs"
        subprocess.run([ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        for case in (over_tls, stopped_early, not_to_be_trusted, in_clear_here, program, refused):
            case(work, certs)
    print(f"alerts: posted in their order after a death, 503 and a redirect; {len(REFUSED)} addresses and files refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
