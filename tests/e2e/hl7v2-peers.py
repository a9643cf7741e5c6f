#!/usr/bin/env python3
"""hl7v2-peers.py python|medplum|hapi: other software that speaks HL7 v2 by MLLP, as sender and as receiver, in clear and by TLS with
certificates on both sides: against `ketlink simulate`, the relay's listener and the relay's destinations. 77 = it is not installed."""
import atexit
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/servers/hl7v2"
KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
RELAY = KETLINK.with_name("ketlink-relay")
PACK = pathlib.Path(os.environ.get("KETLINK_DEFINITIONS", ROOT / "build/definitions.pack")).resolve()
MESSAGE = ROOT / "tests/bench/data/hl7v2/message.hl7"
RECORD = ROOT / "fixtures/clinic/iv-trd/record.json"
KINDS = ["ADT A04", "ORU R01"]  # of the record
IDS = ["PEER-1", "PEER-2", "PEER-3"]
PATIENCE = 60
PASSWORD = "changeit"


def fail(what):
    sys.exit(f"FAILED: {what}")


def begin(words, **more):
    """A process that does not outlive this one, whatever becomes of the test."""
    process = subprocess.Popen([str(word) for word in words], **more)
    atexit.register(process.kill)
    return process


def same(got, wanted, what):
    if got != wanted:
        fail(f"{what}: {got!r} is not {wanted!r}")


def wait_for(what, why):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    return fail(f"waited for {why}")


class Peer:
    """One command line for all three; what differs is how they are told of certificates."""

    def __init__(self, name, work):
        self.name, self.work, self.certs = name, work, work / "certs"
        self.command = {"python": ["/usr/bin/python3", HERE / "peer.py"], "medplum": ["node", HERE / "peer.mjs"],
                        "hapi": [HERE / "run.sh"]}[name]
        if name == "hapi":
            self.make_stores()

    def make_stores(self):
        for who in ("server", "client"):
            subprocess.run(["openssl", "pkcs12", "-export", "-in", self.certs / f"{who}.pem", "-inkey", self.certs / f"{who}.key", "-out",
                            self.certs / f"{who}.p12", "-passout", f"pass:{PASSWORD}"], check=True)
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", self.certs / "ca.pem", "-keystore",
                        self.certs / "ca.p12", "-storetype", "PKCS12", "-storepass", PASSWORD], check=True, stderr=subprocess.DEVNULL)

    def start(self, words, who):
        """`who`: server or client, by TLS; None: in clear."""
        environment = dict(os.environ)
        if who and self.name == "hapi":
            stores = {"keyStore": self.certs / f"{who}.p12", "trustStore": self.certs / "ca.p12"}
            environment["HL7V2_JAVA_OPTIONS"] = "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 " + " ".join(
                f"-Djavax.net.ssl.{name}={path} -Djavax.net.ssl.{name}Type=PKCS12 -Djavax.net.ssl.{name}Password={PASSWORD}"
                for name, path in stores.items())
            words = [*words, "--tls"]
        elif who:
            words = [*words, "--tls", self.certs / "ca.pem", self.certs / f"{who}.pem", self.certs / f"{who}.key"]
        return begin([*self.command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def send(self, port, files, tls):
        process = self.start(["send", port, *files], "client" if tls else None)
        out, err = process.communicate(timeout=PATIENCE)
        same(process.returncode, 0, f"exit status of {self.name} ({out}{err[-2000:]})")
        return out.splitlines()

    def listen(self, name, tls):
        ready = self.work / f"{name}.ready"
        process = self.start(["listen", ready], "server" if tls else None)
        wait_for(lambda: ready.exists() or process.poll() is not None, f"{self.name} to listen")
        if not ready.exists():
            fail(process.communicate()[1][-2000:])
        return process, int(ready.read_text())


def is_installed(name):
    commands = {"python": ["/usr/bin/python3", "-c", "import hl7"], "medplum": ["node", "-e", ""],
                "hapi": [HERE / "run.sh", "--build"]}
    try:
        done = subprocess.run(commands[name], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and (name != "medplum" or (HERE / "node_modules/@medplum/hl7").exists())


def messages(work):
    paths = []
    for name in IDS:
        paths.append(work / f"{name}.hl7")
        paths[-1].write_bytes(MESSAGE.read_bytes().replace(b"V2-000042", name.encode()))
    return paths


def destination(work, name, port, tls):
    certs = work / "certs"
    given = {"protocol": "mllp", "address": f"localhost:{port}" if tls else f"127.0.0.1:{port}", "tls": tls,
             "messages": ["ADT_A04", "ORU_R01"]}
    if tls:
        given |= {"caFile": str(certs / "ca.pem"), "clientCertFile": str(certs / "client.pem"), "clientKeyFile": str(certs / "client.key")}
    path = work / f"{name}.json"
    path.write_text(json.dumps(given))
    return path


def end(process):
    process.terminate()
    return process.communicate(timeout=PATIENCE)[0].splitlines()


def to_simulate(peer, work, files, tls):
    certs = work / "certs"
    options = ["--certificate", certs / "server.pem", "--key", certs / "server.key", "--client-ca", certs / "ca.pem"] if tls else []
    listener = begin([KETLINK, "simulate", "listen", "127.0.0.1:0", "--count", str(len(files)), *options],
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = int(listener.stderr.readline().rpartition(":")[2])
    same(peer.send(port, files, tls), [f"{name} AA {name}" for name in IDS], "answers of simulate listen")
    out = listener.communicate(timeout=PATIENCE)[0].splitlines()
    same([line.split(" ", 1)[1] for line in out], [f"{name} ORU^R01 AA" for name in IDS], "what simulate listen got")


def from_simulate(peer, work, files, tls):
    process, port = peer.listen(f"simulate-{tls}", tls)
    done = subprocess.run([KETLINK, "simulate", "send", "--same-ids", destination(work, f"to-{tls}", port, tls), *files],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    got = end(process)
    same(done.returncode, 0, f"exit status of simulate send ({done.stdout}{done.stderr})")
    same(got, [f"{name} ORU R01" for name in IDS], f"what {peer.name} got")


class Relay:
    """Listeners in clear and by TLS, whose destination is away; a folder, whose records go to the peer in clear and by TLS."""

    def __init__(self, peer, work):
        self.work, self.receivers = work, [peer.listen(f"relay-{tls}", tls) for tls in (False, True)]
        certs = work / "certs"
        for folder in ("state", "drop"):
            (work / folder).mkdir(mode=0o700)
        subprocess.run(["cp", "-r", ROOT / "mappings", work / "mappings"], check=True)
        away = {"preset": "hapi", "base": "https://127.0.0.1:1/fhir", "caFile": str(certs / "ca.pem"), "auth": {"type": "none"}}
        (work / "mappings/destinations/away.json").write_text(json.dumps(away))
        for name, (_, port), tls in zip(("clear", "secured"), self.receivers, (False, True)):
            destination(work, name, port, tls)
        key = work / "store.key"
        key.touch(0o600)
        key.write_text("1 " + os.urandom(32).hex() + "\n")
        sections = "[destination away]\n" + "".join(f"[destination {name}]\nfile = {work}/{name}.json\n" for name in ("clear", "secured"))
        (work / "relay.ini").write_text(f"""[relay]
state = {work}/state
key = {key}
marker = {work}/marker
mappings = {work}/mappings
definitions = {PACK}
[folder drop]
path = {work}/drop
to = clear, secured
[mllp plain]
listen = 127.0.0.1:0
to = away
[mllp tls]
listen = 127.0.0.1:0
certificate = {certs}/server.pem
key = {certs}/server.key
client-ca = {certs}/ca.pem
to = away
{sections}""")
        with open(work / "log", "wb") as log:
            self.process = begin([RELAY, "relay", "--config", work / "relay.ini"], stderr=log)
        wait_for(lambda: "started " in self.log() or self.process.poll() is not None, "the relay")
        if self.process.poll() is not None:
            fail(self.log())

    def log(self):
        return (self.work / "log").read_text()

    def port(self, name):
        return int(re.search(rf"mllp-listens listener={name} port=(\d+)", self.log())[1])

    def close(self):
        self.process.terminate()
        same(self.process.wait(PATIENCE), 0, f"exit status of the relay ({self.log()[-2000:]})")


def to_relay(peer, relay, files):
    for name, tls in (("plain", False), ("tls", True)):
        expected = [f"{control} AA {control}" for control in IDS]
        same(peer.send(relay.port(name), files, tls), expected, f"answers of the relay, {name}")
        same(peer.send(relay.port(name), files, tls), expected, f"answers of the relay to the same, {name}")


def from_relay(relay, work):
    beside = work / "next.json"
    beside.write_bytes(RECORD.read_bytes())
    beside.rename(work / "drop/record.json")
    wait_for(lambda: (work / "drop/done/record.json").exists(), f"the record to be taken: {relay.log()[-2000:]}")
    for name in ("clear", "secured"):
        wait_for(lambda: len(re.findall(rf"\bdone destination={name} .*reason=delivered attempt=1", relay.log())) >= len(KINDS),
                 f"the deliveries to {name}: {relay.log()[-2000:]}")
    relay.close()
    for process, _ in relay.receivers:
        same(sorted(line.split(" ", 1)[1] for line in end(process)), KINDS, "what came from the relay")


def main():
    name = sys.argv[1]
    if not is_installed(name):
        print(f"skipped: {name}, a peer of HL7 v2, is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="ketlink-peers-") as folder:
        work = pathlib.Path(folder)
        subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        peer, files = Peer(name, work), messages(work)
        for tls in (False, True):
            to_simulate(peer, work, files, tls)
            from_simulate(peer, work, files, tls)
            print(f"ok simulate, {'TLS' if tls else 'in clear'}", flush=True)
        relay = Relay(peer, work)
        to_relay(peer, relay, files)
        print("ok to the relay", flush=True)
        from_relay(relay, work)
        print("ok from the relay", flush=True)


if __name__ == "__main__":
    main()
