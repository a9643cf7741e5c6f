#!/usr/bin/env python3
"""The oracle: a producer with numbered records, the real relay, a mock EHR that misbehaves and reports every commit, and ends of
the process at any moment. After the faults have stopped it judges:

    nothing lost     what was acknowledged (moved to done/) is at the EHR
    nothing doubled  one resource for each identity, and never two requests for one identity at once
    order            of each patient, what came later never arrives before what came earlier
    nothing told     no value of a patient in log, arguments, environment, store or core

    relay.py [--records N] [--kills N] [--rate SHARE] [--patients N] [--seed N] [--definitions PACK] KETLINK-RELAY

Everything is chosen by the seed, which is printed. Reliability rules: I1 to I4, I6.
"""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import ehr

ROOT = pathlib.Path(__file__).resolve().parents[2]
CANARY = "Kanarienvogel"
DEADLINE = 120  # seconds, and as many again for each 1,000 records


class Relay:
    def __init__(self, program, work):
        self.program, self.work, self.process, self.starts = program, work, None, 0

    def start(self):
        self.log = open(self.work / "log", "ab")
        self.process = subprocess.Popen([self.program, "relay", "--config", self.work / "relay.ini"], stderr=self.log,
                                        env={"PATH": os.environ["PATH"], **sanitizer_options()})
        self.starts += 1

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def traces(self):
        """What other processes of this host could read of it."""
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        found = b""
        for name in ("cmdline", "environ"):
            try:
                found += (folder / name).read_bytes()
            except OSError:
                pass
        return found


def sanitizer_options():
    return {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}


def prepare(work, base, definitions):
    for name in ("state", "drop", "destinations"):
        (work / name).mkdir(mode=0o700)
    subprocess.run(["cp", "-r", ROOT / "mappings", work / "mappings"], check=True)
    destination = {"preset": "hapi", "base": base, "caFile": str(work / "certs/ca.pem"), "auth": {"type": "none"},
                   "connectTimeoutMs": 2000, "totalTimeoutMs": 5000}
    (work / "mappings/destinations/hospital.json").write_text(json.dumps(destination))
    key = work / "store.key"
    key.touch(0o600)
    key.write_text("1 " + os.urandom(32).hex() + "\n")
    (work / "relay.ini").write_text(f"""[relay]
state = {work}/state
key = {key}
marker = {work}/marker
mappings = {work}/mappings
definitions = {definitions}
[folder drop]
path = {work}/drop
to = hospital
[destination hospital]
in-flight = 6
retry-seconds = 1
retry-max-seconds = 1
""")


def record(number, patients):
    """Session `number`; the patient's name tells which one wrote it last."""
    made = json.loads((ROOT / "fixtures/clinic/minimal/record.json").read_text())
    made["session"]["id"] = f"S-{number:06}"
    made["patient"] = {"mrn": f"{CANARY}-{number % patients}", "family": f"{CANARY}{number}", "birthDate": "1980",
                       "sex": "unknown"}
    return json.dumps(made)


def drop(work, number, patients):
    beside = work / f"next-{number}"
    beside.write_text(record(number, patients))
    beside.rename(work / f"drop/{number:06}.json")


def acknowledged(work):
    return {int(name.stem) for name in (work / "drop/done").glob("*.json")}


def produce(given, relay, work, chance):
    """Drops records one after the other, and ends the process in between."""
    kills = sorted(chance.sample(range(given.records), min(given.kills, given.records)))
    killed = 0
    for number in range(given.records):
        drop(work, number, given.patients)
        time.sleep(chance.random() * 0.03)
        while kills and kills[0] <= number:
            kills.pop(0)
            time.sleep(chance.random())
            relay.kill()
            killed += 1
            relay.start()
    return killed


def wait_until_delivered(server, work, given):
    """The faults go on until most has arrived."""
    patience = DEADLINE * (1 + given.records / 1000)
    end, faults_end = time.monotonic() + patience, time.monotonic() + patience / 2
    while time.monotonic() < end:
        sessions = sum(kind == "Encounter" for kind, _ in list(server.identities))
        if sessions > given.records * 0.9 or time.monotonic() > faults_end:
            server.rate = 0
        if len(acknowledged(work)) == given.records and sessions == given.records:
            return
        time.sleep(0.2)


def number_of(identity):
    return int(identity.rpartition("|")[2].split("/")[0].removeprefix("S-"))


def inversions(server):
    """Of each patient: sessions and names in the order of their commits, never back."""
    last, bad = {}, 0
    for kind, identity, resource in server.commits:
        if kind == "Patient":
            number = int(resource["name"][0]["family"].removeprefix(CANARY))
            bad += number < last.get(identity, -1)
            last[identity] = max(number, last.get(identity, -1))
    return bad


def judge(server, work, given, relay):
    acked = acknowledged(work)
    sessions = {number_of(identity) for kind, identity in server.identities if kind == "Encounter"}
    doubled = [key for key, places in server.identities.items() if len(places) > 1]
    canaries = [path.name for path in [work / "log", *work.glob("state/*")] if CANARY.encode() in path.read_bytes()]
    canaries += ["process"] if CANARY.encode() in relay.traces() else []
    cores = list(work.glob("core*")) + list(work.glob("state/core*"))
    print(f"records {given.records}: acknowledged {len(acked)}, lost {len(acked - sessions)}, doubled {len(doubled)}, "
          f"collisions {len(server.collisions)}, inversions {inversions(server)}, canaries {len(canaries)}, "
          f"requests {server.requests}, faults {sum(server.injected.values())}, starts {relay.starts}")
    faults = []
    if len(acked) != given.records:
        faults.append(f"not taken within {DEADLINE} s: {sorted(set(range(given.records)) - acked)[:10]}")
    if acked - sessions:
        faults.append(f"acknowledged and not delivered: {sorted(acked - sessions)[:10]}")
    for what, found in (("doubled", doubled), ("two at once", server.collisions), ("canary in", canaries), ("core", cores)):
        if found:
            faults.append(f"{what}: {found[:5]}")
    if inversions(server):
        faults.append(f"{inversions(server)} arrived before what came earlier")
    if given.rate and not server.injected:
        faults.append("no fault was injected: this run proves nothing")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=150)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--patients", type=int, default=7)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("relay")
    parser.add_argument("--definitions", default=ROOT / "build/definitions.pack")
    given = parser.parse_args()
    given.definitions = pathlib.Path(given.definitions).resolve()
    if not given.definitions.exists():
        print(f"skipped: {given.definitions} is not there")
        return 77
    print(f"seed {given.seed}", flush=True)
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="ketlink-fault-") as name:
        work = pathlib.Path(name)
        subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, given.rate)
        prepare(work, server.base, given.definitions)
        relay = Relay(given.relay, work)
        relay.start()
        killed = produce(given, relay, work, chance)
        wait_until_delivered(server, work, given)
        faults = judge(server, work, given, relay)
        status = relay.stop()
        if status != 0:
            faults.append(f"the relay ended with {status} after {killed} kills")
        for line in faults:
            print(line)
        if faults:
            print((work / "log").read_text()[-3000:])
    return 1 if faults else 0


sys.exit(main())
