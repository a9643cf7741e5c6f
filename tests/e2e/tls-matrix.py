#!/usr/bin/env python3
"""Servers that must get nothing: each has one thing wrong with its TLS, and meets `ketlink send` and the relay.

    tls-matrix.py [CASE…]                KETLINK names the program; ketlink-relay stands beside it

Of each is asserted: no byte of a request arrives (what openssl s_server decrypted, or what came over plain TCP but a ClientHello), `send`
ends with 78 or 69 and names the cause; the relay keeps the record queued, holds the destination, raises the alert, and when the server is
mended (at the same address, while the relay runs) delivers. A good server in front shows that the bytes would have been seen.
Reliability rules: section 3.4, I7, I8.
"""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed  # noqa: E402
import ehr  # noqa: E402

KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
PACK = ROOT / "build/definitions.pack"
RECORD = ROOT / "fixtures/clinic/minimal/record.json"
PATIENCE = 90
SHARE = 7  # destinations of one drop folder
CLIENT = {"clientCertFile": "client.pem", "clientKeyFile": "client.key"}

# name: what s_server is given (certificate, options) or a function of raw sockets; the destination's own keys; what is said.
LEGACY = ["-cipher", "DEFAULT@SECLEVEL=0"]


def suite(name, certificate="rsa"):
    return {"cert": certificate, "options": ["-tls1_2", "-cipher", f"{name}@SECLEVEL=0"], "suite": name,
            "said": "no cipher suite that is allowed"}


CASES = {
    "expired": {"cert": "expired", "said": "certificate has expired"},
    "future": {"cert": "future", "said": "not yet valid"},
    "other-host": {"cert": "otherhost", "said": "for another host name"},
    "self-signed": {"cert": "selfsigned", "said": "self.signed certificate"},
    "unknown-authority": {"cert": "unknown", "said": "unable to (get local issuer|verify the first)"},
    "unknown-authority-sent": {"cert": "unknown", "options": ["-cert_chain", "unknown-ca.pem"], "said": "self.signed certificate in"},
    "no-intermediate": {"cert": "chained", "said": "unable to (get local issuer|verify the first)"},
    "issuer-is-none": {"cert": "falseissuer", "options": ["-cert_chain", "notca.pem"], "said": "invalid CA certificate"},
    "constrained": {"cert": "constrained", "options": ["-cert_chain", "named.pem"], "said": "permitted subtree violation"},
    "revoked": {"cert": "revoked", "keys": {"crlFile": "crl.pem"}, "said": "certificate revoked"},
    "list-stale": {"cert": "server", "keys": {"crlFile": "mine.crl.pem"}, "put": {"mine.crl.pem": "stale.crl.pem"},
                   "mend": {"mine.crl.pem": "crl.pem"}, "said": "revocation list has expired: renew crlFile"},
    "list-of-another": {"cert": "server", "keys": {"crlFile": "other.crl.pem"}, "put": {"other.crl.pem": "unknown.crl.pem"},
                        "mend": {"other.crl.pem": "crl.pem"}, "said": "no revocation list of an authority"},
    "list-gone": {"cert": "server", "keys": {"crlFile": "gone.crl.pem"}, "put": {"gone.crl.pem": "crl.pem"}, "gone": "gone.crl.pem",
                  "mend": {"gone.crl.pem": "crl.pem"}, "said": "crlFile is missing"},
    "tls-1-0": {"cert": "rsa", "options": ["-tls1", *LEGACY], "said": "no TLS 1.2 or newer"},
    "tls-1-1": {"cert": "rsa", "options": ["-tls1_1", *LEGACY], "said": "no TLS 1.2 or newer"},
    "static-rsa": suite("AES128-GCM-SHA256"),
    "static-rsa-cbc": suite("AES256-SHA"),
    "cbc": suite("ECDHE-RSA-AES128-SHA"),
    "cbc-sha384": suite("ECDHE-RSA-AES256-SHA384"),
    "dhe": suite("DHE-RSA-AES128-GCM-SHA256"),
    "null": suite("ECDHE-RSA-NULL-SHA"),
    "null-static": suite("NULL-SHA256"),
    "anonymous": suite("ADH-AES128-GCM-SHA256"),
    "anonymous-ec": suite("AECDH-AES128-SHA"),
    "rc4": suite("ECDHE-RSA-RC4-SHA"),
    "3des": suite("ECDHE-RSA-DES-CBC3-SHA"),
    "rsa-1024": {"cert": "small", "options": LEGACY, "said": "EE certificate key too weak"},
    "sha-1": {"cert": "sha1", "options": LEGACY, "said": "CA signature digest algorithm too weak"},
    "for-clients": {"cert": "wrongeku", "said": "unsuitable certificate purpose"},
    "no-alternative-name": {"cert": "cnonly", "host": "localhost", "said": "for another host name"},
    "address-as-name": {"cert": "dnsip", "said": "for another host name"},
    "star": {"cert": "star", "host": "localhost", "said": "for another host name"},
    "star-too-wide": {"cert": "starlocal", "host": "ehr.localhost", "said": "for another host name"},
    "other-key": {"cert": "second", "keys": {"pinnedKeys": ["PIN"]}, "said": "none of pinnedKeys"},
    "asks-who": {"cert": "server", "options": ["-tls1_2", "-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"],
                 "said": "wants a client certificate|asks for a client certificate"},
    "asks-who-1-3": {"cert": "server", "options": ["-tls1_3", "-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"],
                     "said": "asks for a client certificate"},
    "asks-for-another": {"cert": "server", "options": ["-Verify", "1", "-CAfile", "unknown-ca.pem", "-verify_return_error"],
                         "keys": CLIENT, "said": "refuses our client certificate"},
    "plain-http": {"raw": "http", "said": "does not speak TLS"},
    "garbage": {"raw": "garbage", "said": "does not speak TLS|server closed|wrong version|packet length"},
    "closes": {"raw": "closes", "said": "closed the connection in the TLS handshake|reset"},
    "closes-in-hello": {"raw": "half", "said": "closed the connection in the TLS handshake|reset"},
    "refused": {"raw": "refused", "said": "onnect", "status": 69, "alert": "destination-unavailable"},
}
# What is ours and wrong is found before anything is opened: send and relay --check end with 78.
OWN = {
    "client-expired": ({"clientCertFile": "clientexpired.pem", "clientKeyFile": "clientexpired.key"}, "client certificate has expired"),
    "client-other-key": ({"clientCertFile": "client.pem", "clientKeyFile": "server.key"}, "not the key of the certificate"),
    "client-missing": ({"clientCertFile": "none.pem", "clientKeyFile": "client.key"}, "clientCertFile cannot be read"),
    "client-key-missing": ({"clientCertFile": "client.pem", "clientKeyFile": "none.key"}, "clientKeyFile is missing"),
    "client-key-open": ({"clientCertFile": "client.pem", "clientKeyFile": "open.key"}, "clientKeyFile can be read by others"),
    "list-missing": ({"crlFile": "none.crl.pem"}, "crlFile is missing"),
    "list-empty": ({"crlFile": "client.pem"}, "no revocation list"),
    "authority-missing": ({"caFile": "none.pem"}, "caFile is missing"),
    "authority-empty": ({"caFile": "client.key"}, "caFile holds no certificate"),
    "clear-text": ({"base": "http://127.0.0.1:1/fhir"}, "nothing leaves this host in clear"),
}


class Bad:
    """One server: what it received of a request is in received()."""

    def __init__(self, name, case, work):
        self.name, self.case, self.work = name, case, work
        self.raw, self.process, self.stopped = b"", None, False
        self.held, self.port = bed.hold_port()  # until the good server has it
        self.base = f"https://{case.get('host', '127.0.0.1')}:{self.port}/fhir"
        self.out = work / f"{name}.received"
        if case.get("raw"):
            self.listen()
        else:
            self.serve()

    def serve(self):
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-quiet", "-naccept", "1000000",
                   "-cert", f"{self.case['cert']}.pem", "-key", f"{self.case['cert']}.key", *self.case.get("options", [])]
        self.process = subprocess.Popen(command, cwd=self.work / "certs", stdin=subprocess.PIPE, stdout=open(self.out, "wb"),
                                        stderr=open(self.work / f"{self.name}.err", "wb"))
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.name}: s_server did not start: {(self.work / (self.name + '.err')).read_text()}")

    def listen(self):
        if self.case["raw"] == "refused":
            return
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.stopped:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.misbehave, args=(connection,), daemon=True).start()

    def misbehave(self, connection):
        kind = self.case["raw"]
        connection.settimeout(2)
        try:
            if kind == "garbage":
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            if kind == "half":
                self.raw += connection.recv(65536)
                connection.sendall(bytes.fromhex("160303007a020000760303"))
            elif kind != "closes":
                while data := connection.recv(65536):
                    self.raw += data
                    if kind == "http":
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        break
        except OSError:
            pass
        connection.close()

    def received(self):
        """Bytes of a request. Over plain TCP a ClientHello is none: records of type handshake or alert."""
        if not self.case.get("raw"):
            return self.out.read_bytes()
        data = self.raw
        while len(data) >= 5 and data[0] in (0x14, 0x15, 0x16):
            data = data[5 + int.from_bytes(data[3:5], "big"):]
        return data

    def stop(self):
        self.stopped = True
        if self.process:
            self.process.kill()
            self.process.wait()
        elif self.case["raw"] != "refused":
            self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


def offered(case):
    """Whether this OpenSSL can be such a server at all."""
    if "suite" not in case:
        return True
    found = subprocess.run(["openssl", "ciphers", f"{case['suite']}@SECLEVEL=0"], capture_output=True, text=True, check=False)
    return case["suite"] in found.stdout.split(":")[-1] or case["suite"] in found.stdout


def pin(certificate):
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], check=True, capture_output=True, input=key).stdout
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], check=True, capture_output=True, input=der).stdout
    return "sha256//" + subprocess.run(["openssl", "base64"], check=True, capture_output=True, input=digest).stdout.decode().strip()


def write_destination(work, name, base, keys):
    certs = work / "certs"
    given = {"preset": "hapi", "base": base, "caFile": str(certs / "ca.pem"), "connectTimeoutMs": 5000, "totalTimeoutMs": 20000,
             "retries": 0, "auth": {"type": "bearer", "tokenFile": str(work / "token")}}
    for key, value in keys.items():
        given[key] = str(certs / value) if key.endswith("File") else value
    if "pinnedKeys" in keys:
        given["pinnedKeys"] = [pin(certs / "mended.pem")]
    (work / f"mappings/destinations/{name}.json").write_text(json.dumps(given))


def ketlink(work, *arguments, timeout=120):
    command = [KETLINK, arguments[0], *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, "PATH": os.environ["PATH"]})


def send(work, name):
    return ketlink(work, "send", "--mappings", str(work / "mappings"), "--definitions", str(PACK), "--to", name, str(RECORD))


def prepare(work):
    subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs", "bad"], check=True)
    subprocess.run(["cp", "-r", ROOT / "mappings", work / "mappings"], check=True)
    (work / "state").mkdir(mode=0o700)
    for at in range(0, len(CASES), SHARE):
        (work / f"drop{at}").mkdir(mode=0o700)
    (work / "token").touch(0o600)
    (work / "token").write_text("secret-token-of-the-matrix\n")
    (work / "certs/open.key").write_text((work / "certs/client.key").read_text())
    (work / "certs/open.key").chmod(0o644)
    subprocess.run([KETLINK, "keys", "store", "create", "-q", work / "store.key"], check=True)
    (work / "alert").write_text(f"#!/bin/sh\necho \"$1 $2\" >> {work}/alerts\n")
    (work / "alert").chmod(0o755)
    (work / "alerts").touch()


def configure(work, names, path="relay.ini"):
    (work / path).write_text(f"""[relay]
state = {work}/state
key = {work}/store.key
mappings = {work}/mappings
definitions = {PACK}
alert = {work}/alert
[http]
socket = {work}/socket
[post]
to = {names[0]}
""" + "".join(f"[folder drop{at}]\npath = {work}/drop{at}\nto = {', '.join(names[at:at + SHARE])}\n"
              for at in range(0, len(names), SHARE)) + "".join(f"[destination {name}]\nretry-seconds = 1\nretry-max-seconds = 2\n" for name in names))


def queue(work):
    found = ketlink(work, "queue", "list", "--json", "--socket", str(work / "socket"), "--limit", "1000")
    if found.returncode != 0:
        return {}
    data = json.loads(found.stdout)
    rows = data.get("records", data) if isinstance(data, dict) else data
    return {row["destination"]: row for row in rows}


def wait_for(what, check):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        missing = check()
        if not missing:
            return []
        time.sleep(0.5)
    return [f"{what}: not within {PATIENCE} s: {sorted(missing)}"]


def alerts(work):
    return {line for line in (work / "alerts").read_text().splitlines()}


def expect_nothing(bad):
    got = bad.received()
    return [f"{bad.name}: the server received {len(got)} bytes: {got[:60]!r}"] if got else []


def try_send(work, servers):
    faults, reasons = [], {}
    for name, bad in servers.items():
        if bad.case.get("gone"):
            (work / "certs" / bad.case["gone"]).unlink()
        done = send(work, name)
        want = bad.case.get("status", 78)
        if done.returncode != want or not re.search(bad.case["said"], done.stderr):
            faults.append(f"send to {name}: exit status {done.returncode} for {want}, said: {done.stderr.strip()[-300:]}")
        if re.search(r"secret-token|P-MIN|Mustermann", done.stderr):
            faults.append(f"send to {name}: a secret or a patient's value in a message")
        reasons[name] = done.stderr.strip().splitlines()[-1:]
        faults += expect_nothing(bad)
        if bad.case.get("gone"):
            put(work, bad.case["put"])
    return faults


def put(work, files):
    for name, source in files.items():
        beside = work / "certs" / (name + ".part")
        beside.write_bytes((work / "certs" / source).read_bytes())
        beside.rename(work / "certs" / name)


def try_own(work):
    faults = []
    for name, (keys, said) in OWN.items():
        write_destination(work, name, keys.pop("base", "https://127.0.0.1:1/fhir"), keys)
        configure(work, [name], "own.ini")
        for what, done in (("send", send(work, name)),
                           ("relay", ketlink(work, "relay", "--check", "--config", str(work / "own.ini")))):
            if done.returncode != 78 or not re.search(said, done.stderr):
                faults.append(f"{what} with {name}: exit status {done.returncode}, said: {done.stderr.strip()[-300:]}")
        (work / f"mappings/destinations/{name}.json").unlink()
    return faults


def start_relay(work):
    log = open(work / "log", "ab")
    return subprocess.Popen([KETLINK, "relay", "--config", work / "relay.ini"], stderr=log)


def try_relay(work, servers):
    """One record for all of them."""
    for at in range(0, len(servers), SHARE):
        (work / "next").write_text(RECORD.read_text())
        (work / "next").rename(work / f"drop{at}/record.json")
    expected = {f"{bad.case.get('alert', 'destination-held')} {name}" for name, bad in servers.items()}
    faults = wait_for("alerts", lambda: expected - alerts(work))
    rows = queue(work)
    for name, bad in servers.items():
        state = rows.get(name, {}).get("state")
        if state not in ("queued", "sending"):
            faults.append(f"relay to {name}: the record is {state}, not queued")
        faults += expect_nothing(bad)
        whys = re.findall(rf"^\S+ queued destination={name} .* why=(.*)$", (work / "log").read_text(), re.M)
        if not any(re.search(bad.case["said"], why) for why in whys):
            faults.append(f"relay to {name}: the log says {whys[:1]}")
    return faults


def mend(work, servers):
    """Each address is from now on that of a good server: one for each, since conditional requests of two destinations may race."""
    for bad in servers.values():
        bad.stop()
        put(work, bad.case.get("mend", {}))
        ehr.Ehr(work / "certs/mended.pem", work / "certs/mended.key", 1, 0, bad.port)
    faults = wait_for("deliveries", lambda: {name for name in servers if queue(work).get(name, {}).get("state") != "done"})
    if not faults:
        faults += wait_for("alerts", lambda: {f"destination-cleared {name}" for name in servers} - alerts(work))
    return faults


def control(work):
    """A server with nothing wrong does receive: the matrix would see a leak. It would rather speak HTTP/2, and is not offered it."""
    good = Bad("control", {"cert": "server", "options": ["-alpn", "h2,http/1.1"]}, work)
    write_destination(work, "control", good.base, {})
    path = work / "mappings/destinations/control.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "totalTimeoutMs": 2000}))
    send(work, "control")
    got = good.received()
    good.stop()
    path.unlink()
    return [] if b"POST /fhir" in got and b"secret-token" in got else ["the good server received no request: this matrix proves nothing"]


def open_servers(work, wanted):
    servers = {}
    for name in wanted:
        case = CASES[name]
        put(work, case.get("put", {}))
        servers[name] = Bad(name, case, work)
        write_destination(work, name, servers[name].base, case.get("keys", {}))
    return servers


def run_relay(work, servers):
    configure(work, list(servers))
    relay = start_relay(work)
    try:
        faults = wait_for("start", lambda: [] if (work / "socket").exists() or relay.poll() is not None else ["relay"])
        if faults or relay.poll() is not None:
            return [*faults, f"the relay did not start: {relay.poll()}"]
        for bad in servers.values():
            if bad.case.get("gone"):
                (work / "certs" / bad.case["gone"]).unlink()
        faults = try_relay(work, servers)
        faults += mend(work, servers)
        relay.terminate()
        return faults if relay.wait(60) == 0 else [*faults, f"the relay ended with {relay.returncode}"]
    finally:
        relay.kill()


def judge(work, wanted):
    faults = control(work)
    left_out = [name for name in wanted if not offered(CASES[name])]
    servers = open_servers(work, [name for name in wanted if name not in left_out])
    try:
        faults += try_send(work, servers) + try_own(work)
        faults += run_relay(work, servers)
    finally:
        for bad in servers.values():
            if not bad.stopped:
                bad.stop()
    print(f"{len(servers)} bad servers, {len(OWN)} faults of our own; this OpenSSL cannot be: {', '.join(left_out) or 'nothing'}")
    for line in faults:
        print("FAILED:", line)
    if faults and (work / "log").exists():
        print((work / "log").read_text()[-2500:])
    return 1 if faults else 0


def main():
    for needed in (KETLINK, KETLINK.parent / "ketlink-relay", PACK):
        if not needed.exists():
            print(f"skipped: {needed} is not there")
            return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-tls-") as name:
        prepare(pathlib.Path(name))
        return judge(pathlib.Path(name), sys.argv[1:] or list(CASES))


sys.exit(main())
