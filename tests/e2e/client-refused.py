#!/usr/bin/env python3
"""A server that refuses our client certificate under TLS 1.3 says so when we have begun to send: that is no lost answer.

    client-refused.py                KETLINK names the program; ketlink-relay stands beside it

The server reads nothing after the handshake and closes at once, with a small window, so that with a large Bundle our writing fails before
the alert is read. Each of `send` ends with 78 and tells why; the relay keeps the record queued (not unknown), holds the destination, and
delivers when the server is mended. A server that breaks off without an alert leaves the outcome unknown: 75.
"""
import json
import os
import pathlib
import shutil
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
TIMES, PATIENCE = 5, 60


class Refusing:
    """TLS 1.3 only; asks for a certificate of `authority`. `silent`: takes any, and breaks off without a word."""

    def __init__(self, certs, authority, silent=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(certs / "server.pem", certs / "server.key")
        self.context.load_verify_locations(certs / authority)
        self.context.verify_mode = ssl.CERT_NONE if silent else ssl.CERT_REQUIRED
        self.silent, self.handshakes = silent, 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(16)
        self.base = f"https://127.0.0.1:{self.socket.getsockname()[1]}/fhir"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            self.handshakes += 1
            try:
                secure = self.context.wrap_socket(plain, server_side=True)
                if not self.silent:
                    raise AssertionError("a certificate was taken")
                secure.recv(1)
                secure.close()
            except (ssl.SSLError, OSError):
                plain.close()

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def records(work):
    """One as it is, and one whose Bundle is larger than what the sockets hold."""
    small = json.loads((ROOT / "fixtures/clinic/iv-trd/record.json").read_text())
    large = json.loads(json.dumps(small))
    large["notes"][0]["text"] = "word " * 60000
    made = {}
    for name, record in (("small", small), ("large", large)):
        made[name] = work / f"{name}.json"
        made[name].write_text(json.dumps(record))
    return made


def send(work, certs, server, record, keys):
    shutil.copy(ROOT / "mappings/destinations/hapi.json", work)
    destination = work / "destination.json"
    given = {"preset": "hapi", "base": server.base, "caFile": str(certs / "ca.pem"), "auth": {"type": "none"}, "retries": 0,
             "maxConditionalEntries": 64, **keys}
    destination.write_text(json.dumps(given))
    done = subprocess.run([KETLINK, "send", "--to", destination, record], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def by_hand(work, certs):
    pair = {"clientCertFile": str(certs / "client.pem"), "clientKeyFile": str(certs / "client.key")}
    cases = (("ca.pem", {}, "asks for a client certificate"), ("unknown-ca.pem", pair, "does not know its authority"))
    for authority, keys, said in cases:
        server = Refusing(certs, authority)
        for name, record in records(work).items():
            for _ in range(TIMES):
                status, words = send(work, certs, server, record, keys)
                expect(status == 78 and said in words, authority, name, status, words)
        server.stop()
    server = Refusing(certs, "ca.pem", silent=True)
    status, words = send(work, certs, server, work / "small.json", pair)
    expect(status == 75, "without a word", status, words)
    server.stop()


def by_relay(work, certs):
    folder = work / "relay"
    folder.mkdir()
    server, hospital = Refusing(certs, "ca.pem"), ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
    bed.prepare(folder, PACK, {"hospital": hospital}, folder=f"[http]\nsocket = {folder}/socket\n[post]\nto = hospital\n")
    destination = folder / "mappings/destinations/hospital.json"
    good = destination.read_text()
    destination.write_text(json.dumps({**json.loads(good), "base": server.base}))
    relay = bed.Relay(RELAY, folder)
    relay.start()
    try:
        held_and_mended(folder, relay, hospital, good)
    finally:
        relay.kill()
    server.stop()
    hospital.stop()


def held_and_mended(folder, relay, hospital, good):
    destination, log = folder / "mappings/destinations/hospital.json", folder / "log"
    bed.drop(folder, 1, bed.record(1, 1, 1))
    expect(bed.wait_for(lambda: log.read_bytes().count(b"queued destination=hospital") >= 3, PATIENCE), log.read_text())
    words = log.read_text()
    expect("destination-held" in words and "reason=tls" in words and "asks for a client certificate" in words, words)
    expect("unknown destination=hospital" not in words, words)
    destination.write_text(good)
    relay.process.send_signal(1)
    expect(bed.wait_for(lambda: bed.newest(hospital) == {1: 1}, PATIENCE), log.read_text())


def main():
    if not RELAY.exists() or not PACK.exists():
        print(f"skipped: {RELAY} or {PACK} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-refused-") as folder:
        work = pathlib.Path(folder)
        certs = work / "certs"
        subprocess.run([ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        by_hand(work, certs)
        by_relay(work, certs)
    print(f"client-refused: {4 * TIMES} refusals under TLS 1.3, each known for what it was; the relay held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
