#!/usr/bin/env python3
"""The relay without memory: each allocation of a whole pass (start, two files of the folder, delivery, stop) fails in its turn, once, and
from then on for a while; those of SQLite, OpenSSL, libcurl and libevent too. The process goes on and delivers, or raises an alert, or
ends with a status that says so; never by a signal. After a start with memory nothing is lost, doubled or parked.

    starved.py [--mllp | --listener | --check] [--runs N] [--seed N] [--at N] [--definitions PACK] KETLINK-RELAY NOMEM-LIBRARY     --runs 0: every allocation

--check: only `relay --check` of a configuration that is right (two protocols, certificates, a listener): it says so, or that it can be
tried again; never that the configuration is wrong.
--listener: HL7 v2 comes in, from a sender that sends each message until it is accepted; only allocations after the start fail. What was
accepted is delivered once, and no message is refused for good.
--mllp: the destination takes HL7 v2; a message may come again there, under the same control id.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import bed
import ehr
import peer

sys.path.insert(0, str(bed.ROOT / "tests/servers"))
import mllp_receiver as mllp  # noqa: E402

FILES = 2
FOR = (0, 2000, 1 << 40)  # allocations that fail after the first: none, some, all
STATUSES = {0, 1, 2, 65, 69, 74, 75, 78}  # a clear end: README, exit status
ALIVE_SECONDS, STOP_SECONDS = 12, 40


class Pass:
    files, first = FILES, 1

    def __init__(self, given, work):
        self.given, self.work, self.serial, self.wanted = given, work, 0, {}
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        self.server = self.open_server((work / "certs/server.pem", work / "certs/server.key"))
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server})

    def open_server(self, pair):
        return ehr.Ehr(*pair, self.given.seed, 0)

    def record(self, serial):
        return bed.record(serial, serial, serial)

    def newest(self):
        return bed.newest(self.server)

    def doubled(self):
        return [key for key, places in self.server.identities().items() if len(places) > 1]

    def reset(self):
        """A new store, empty folders, and a log of its own."""
        for name in ("state", "drop"):
            shutil.rmtree(self.work / name)
            (self.work / name).mkdir(mode=0o700)
        for name in ("marker", "log", "count"):
            (self.work / name).unlink(missing_ok=True)
        self.wanted = {}
        for _ in range(self.files):
            self.serial += 1
            self.wanted[self.serial] = self.serial
            self.put(self.serial)

    def put(self, serial):
        bed.drop(self.work, serial, self.record(serial))

    def go_on(self):
        """What is to be done from outside while it runs."""

    def taken(self):
        return len(bed.acknowledged(self.work)) == self.files

    def told(self, log):
        """Somebody knows that it does not go on."""
        return "alert " in log

    def is_over(self):
        held = self.newest()
        return all(held.get(session) == serial for session, serial in self.wanted.items()) and self.taken()

    def is_done(self, relay):
        return relay.ended() or bed.holds(self.work / "log", b"started") and (self.go_on() or self.is_over())

    def run(self, environment=None):
        """-> exit status, and whether it delivered everything before it was stopped"""
        relay = bed.Relay(self.given.relay, self.work, environment=environment)
        relay.start()
        if not bed.comes_within(lambda: self.is_done(relay), ALIVE_SECONDS):  # a slow machine has more time for it, or to tell that it cannot
            bed.comes_within(lambda: self.is_done(relay) or environment and self.told((self.work / "log").read_text()),
                             ALIVE_SECONDS * (bed.PATIENCE - 1))
        delivered = self.is_over()
        if relay.ended():
            return relay.process.returncode, delivered
        relay.process.terminate()
        try:
            return relay.process.wait(STOP_SECONDS), delivered
        except subprocess.TimeoutExpired:
            relay.kill()
            return "no end", delivered

    def starve(self, number, length):
        self.reset()
        return self.run({"LD_PRELOAD": self.given.library, "NOMEM_AT": str(number), "NOMEM_FOR": str(length),
                         "NOMEM_TELL": str(self.work / "count")})

    def judge(self, number, length):
        status, alone = self.starve(number, length)
        early = [] if status in STATUSES else [f"ended with {status}"]
        starved = (self.work / "log").read_text()
        if status == 0 and not alone and not self.told(starved):
            early.append("went on, did not deliver, and told nobody")
        (self.work / "log").unlink()
        after, whole = self.run()
        doubled = self.doubled()
        faults = early + ([] if whole else ["lost or parked after a start with memory"]) + ([f"doubled {doubled[:3]}"] if doubled else [])
        faults += [f"two at once: {self.server.collisions[:3]}"] if self.server.collisions else []
        faults += [] if after == 0 else [f"the relay with memory ended with {after}"]
        if faults and self.given.at is not None:
            print(starved, "--- with memory:", (self.work / "log").read_text(), sep="\n")
        return status, [f"allocation {number} and {length} more: {', '.join(faults)}: {starved.strip().splitlines()[-3:]}"] if faults else []


class MllpPass(Pass):
    """Two messages of each record, one after the other on one connection."""

    kinds = (b"ADT", b"ORU")

    def __init__(self, given, work):
        super().__init__(given, work)
        (work / "mappings/destinations/hospital.json").write_text(json.dumps(
            {"protocol": "mllp", "address": f"127.0.0.1:{self.server.port}", "caFile": str(work / "certs/ca.pem"), "ackTimeoutMs": 5000,
             "settleMs": 200, "messages": ["ADT_A05", "ORU_R01"]}))

    def open_server(self, pair):
        server = mllp.Receiver(*pair)
        server.base, server.certificate = "https://127.0.0.1:1", pair[0]  # of the file that is written over
        return server

    def record(self, serial):
        made = json.loads(super().record(serial))
        made["vitals"] = [{"id": "V1", "at": made["session"]["start"], "by": made["staff"][0]["id"], "heartRate": 60}]
        return json.dumps(made)

    def places(self):
        """Which message of which record, and under which control id."""
        return {(int(mllp.field(message, b"PV1", 19).split(b"^")[0].removeprefix(b"S-")), mllp.field(message, b"MSH", 9)[:3], control)
                for control, message in list(self.server.taken)}

    def newest(self):
        there = {place[:2] for place in self.places()}
        return {session: session for session, _ in there if all((session, kind) in there for kind in self.kinds)}

    def doubled(self):
        places = self.places()
        return sorted(places) if len(places) > len({place[:2] for place in places}) else []


class ListenerPass(Pass):
    """The sender knows of each message whether it was accepted."""

    def __init__(self, given, work):
        super().__init__(given, work)
        self.waiting, self.codes = {}, set()
        peer.route(work)
        self.place = peer.listen(work)
        self.files = 0
        status, _ = self.starve(-1, 0)
        self.first, self.files = int((work / "count").read_text()), FILES
        bed.expect(status == 0, "without messages it ended with", status)

    def reset(self):
        self.waiting = {}
        super().reset()

    def put(self, serial):
        self.waiting[serial] = peer.message(f"C{serial}", serial)

    def go_on(self):
        for serial, text in list(self.waiting.items()):
            try:
                with peer.Peer(self.place, timeout=1) as sender:
                    answer = sender.ask(text, 1)
            except (OSError, peer.Closed):
                continue
            self.codes.add(answer.code)
            if answer.code == "AA" and answer.control == f"C{serial}":
                del self.waiting[serial]

    def taken(self):
        return not self.waiting

    def told(self, log):
        return bool(self.waiting) or super().told(log)

    def newest(self):
        return {serial: serial for serial in peer.delivered(self.server)}

    def judge(self, number, length):
        status, faults = super().judge(number, length)
        refused = sorted(self.codes - {"AA", "AE"})
        return status, faults + ([f"allocation {number} and {length} more: answered {refused}"] if refused else [])


class Check:
    """Nothing is opened for writing, nobody is asked."""

    def __init__(self, given, work):
        self.given, self.work = given, work
        certs = work / "certs"
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        server = argparse.Namespace(base="https://127.0.0.1:1", certificate=certs / "server.pem")
        ours = {"caFile": str(certs / "ca.pem"), "clientCertFile": str(certs / "client.pem"), "clientKeyFile": str(certs / "client.key")}
        bed.prepare(work, given.definitions.resolve(), {"hospital": server, "other": server})
        (work / "mappings/destinations/other.json").write_text(json.dumps({"protocol": "mllp", "address": "127.0.0.1:1", **ours}))
        with open(work / "relay.ini", "a", encoding="utf-8") as ini:
            ini.write(f"[mllp ehr]\nlisten = 127.0.0.1:0\nto = hospital\ncertificate = {certs}/server.pem\nkey = {certs}/server.key\n"
                      f"client-ca = {certs}/ca.pem\n")

    def starve(self, number, length):
        """-> exit status, what was said"""
        done = subprocess.run([self.given.relay, "relay", "--check", "--config", self.work / "relay.ini"], capture_output=True, text=True,
                              check=False, env={**os.environ, "LD_PRELOAD": self.given.library, "NOMEM_AT": str(number),
                                                "NOMEM_FOR": str(length), "NOMEM_TELL": str(self.work / "count")})
        return done.returncode, done.stderr

    def judge(self, number, length):
        status, said = self.starve(number, length)
        return status, [] if status in (0, 75) else [f"allocation {number} and {length} more: ended with {status}: {said.strip()}"]


def cases(given, first, total):
    if given.at is not None:
        return [(given.at, length) for length in FOR]
    if not given.runs:
        return [(number, length) for number in range(first, total + 1) for length in FOR]
    chance = random.Random(given.seed)  # by shares: a few allocations more or fewer make no other run of a seed
    return [(first + int(chance.random() * (total + 1 - first)), chance.choice(FOR)) for _ in range(given.runs)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--mllp", action="store_true")
    parser.add_argument("--listener", action="store_true")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--at", type=int)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    parser.add_argument("library")
    given = parser.parse_args()
    if bed.lacks(given.definitions) or bed.has_allocator(given.relay):
        return bed.SKIPPED
    with tempfile.TemporaryDirectory(prefix="ketlink-starved-") as name:
        whole = (Check if given.check else MllpPass if given.mllp else ListenerPass if given.listener else Pass)(given, pathlib.Path(name))
        status, delivered = whole.starve(-1, 0)
        total = int((whole.work / "count").read_text())
        faults, ends = [], {}
        if status or not delivered:
            faults.append(f"with memory: ended with {status}")
        for number, length in cases(given, getattr(whole, "first", 1), total):
            status, found = whole.judge(number, length)
            ends[status] = ends.get(status, 0) + 1
            faults += found
            if found:
                print(found[0], flush=True)
    print(f"starved: seed {given.seed}, allocations {getattr(whole, 'first', 1)} to {total}, ends by status {ends}, {len(faults)} bad")
    if given.at is None and not set(ends) - {0} and not given.listener:  # of those after the start every second one is got over
        faults.append("nothing failed: this test proves nothing")
    return 1 if faults else 0


sys.exit(main())
