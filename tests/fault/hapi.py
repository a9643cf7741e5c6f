#!/usr/bin/env python3
"""A real server under the relay: HAPI FHIR is killed (SIGKILL) and started again while sessions go through the relay's drop folder, and
so is the relay. Afterwards every resource of every record is looked for on the server by its identifier: it must be there once, each
Encounter as it was last corrected, and nothing else. What HAPI has answered is on its disk (--data of tests/servers/hapi); it answers
conditional updates without a lock, so doubles are possible.

    hapi.py [--sessions N] [--kills N] [--relay-kills N] [--seed N] [--definitions PACK] KETLINK KETLINK-RELAY
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import bed
import ehr

RUN = bed.ROOT / "tests/servers/hapi/run.sh"
READY_SECONDS = 240
SEARCHED_AT_ONCE = 20


class Hapi:
    """The server in a folder that outlives it; always the same port."""

    def __init__(self, work):
        certs = work / "certs"
        self.work, self.certificate, self.process, self.starts = work, certs / "server.pem", None, 0
        self.held, self.port = bed.hold_port()  # while it is dead too
        (work / "data").mkdir()
        token = work / "token"
        token.touch(0o600)
        token.write_text(os.urandom(24).hex())
        self.auth = {"type": "bearer", "tokenFile": str(token)}
        self.headers = {"Authorization": f"Bearer {token.read_text()}"}
        self.context = ssl.create_default_context(cafile=certs / "ca.pem")

    def start(self):
        ready = self.work / "ready"
        ready.unlink(missing_ok=True)
        with open(self.work / "hapi.out", "ab") as out:
            self.process = subprocess.Popen(
                [RUN, "--cert", self.certificate, "--key", self.certificate.with_suffix(".key"), "--token-file", self.work / "token",
                 "--data", self.work / "data", "--port", str(self.port), "--ready-file", ready], stdout=out, stderr=out)
        self.starts += 1
        if not bed.wait_for(lambda: ready.exists() or self.process.poll() is not None, READY_SECONDS) or not ready.exists():
            raise RuntimeError("HAPI did not start:\n" + (self.work / "hapi.out").read_text()[-3000:])
        self.base = f"https://127.0.0.1:{self.port}/fhir/R4"

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def get(self, place):
        request = urllib.request.Request(f"{self.base}/{place}", headers={**self.headers, "Cache-Control": "no-cache"})
        with urllib.request.urlopen(request, context=self.context) as answer:
            return json.load(answer)

    def search(self, kind, parameter, values):
        """The resources with any of these values."""
        query = urllib.parse.urlencode({parameter: ",".join(values), "_count": 10 * SEARCHED_AT_ONCE})
        return [entry["resource"] for entry in self.get(f"{kind}?{query}").get("entry", [])]

    def count(self, kind):
        return self.get(f"{kind}?_summary=count")["total"]


def key_of(resource):
    """The parameter and the value that a resource is known by."""
    pairs = [(parameter, value) for parameter, value in ehr.keys_of(resource) if value.partition("|")[0].endswith("/record")]
    return pairs[0] if pairs else None


def produce(given, work, chance):
    """All files at once, some of them corrections -> session: its newest record."""
    newest, revisions = {}, {}
    for serial in range(int(given.sessions * 1.1)):
        again = len(newest) == given.sessions or (newest and chance.random() < 0.09)
        session = chance.choice(sorted(newest)) if again else len(newest)
        revisions[session] = revisions.get(session, 0) + 1
        newest[session] = serial
        bed.drop(work, serial, bed.record(serial, session, session % (given.sessions // 4), revisions[session]))
    return newest


def delivered(work):
    return (work / "log").read_bytes().count(b"done destination=")


def disturb(given, work, hapi, relay, chance, count):
    """Ends of the server and of the relay, each while deliveries are under way."""
    ends = sorted((chance.uniform(0.1, 0.9) * count, who) for who in ["server"] * given.kills + ["relay"] * given.relay_kills)
    for at, who in ends:
        if not bed.wait_for(lambda: delivered(work) >= at or relay.ended(), 60 + count / 2) or relay.ended():
            return [f"only {delivered(work)} of {count} deliveries, waiting for the end of the {who} at {at:.0f}"]
        time.sleep(chance.random() * 0.1)
        print(f"{delivered(work)} delivered: {who} killed", flush=True)
        if who == "relay":
            relay.kill()
            relay.start()
        else:
            hapi.kill()
            hapi.start()
    return []


def expected(given, work):
    """(type, parameter) -> values, of everything that the records hold."""
    everything = work / "all.ndjson"
    everything.write_text("".join(path.read_text() + "\n" for path in sorted((work / "drop/done").glob("*.json"))))
    made = subprocess.run([given.ketlink, "export", "--as", "ndjson", "-q", "--definitions", given.definitions, "--mappings",
                           work / "mappings", everything], stdout=subprocess.PIPE, check=True)
    values = collections.defaultdict(set)
    for line in made.stdout.splitlines():
        resource = json.loads(line)
        parameter, value = key_of(resource)
        values[resource["resourceType"], parameter].add(value)
    return values


def look(hapi, values):
    """-> what is missing, doubled or too much on the server; (type, value) -> resource."""
    missing, doubled, strays, found = [], [], [], {}
    for (kind, parameter), wanted in values.items():
        for start in range(0, len(wanted), SEARCHED_AT_ONCE):
            some = sorted(wanted)[start:start + SEARCHED_AT_ONCE]
            held = collections.Counter()
            for resource in hapi.search(kind, parameter, some):
                held[key_of(resource)[1]] += 1
                found[kind, key_of(resource)[1]] = resource
            missing += [f"{kind} {value}" for value in some if not held[value]]
            doubled += [f"{kind} {value}" for value in some if held[value] > 1]
    for kind in {kind for kind, _ in values}:
        total = sum(len(wanted) for (other, _), wanted in values.items() if other == kind)
        strays += [f"{kind}: {hapi.count(kind)} for {total}"] if hapi.count(kind) != total else []
    return {"missing": missing, "doubled": doubled, "not as many as there should be": strays}, found


def judge(given, work, hapi, relay, wanted):
    values = expected(given, work)
    wrong, found = look(hapi, values)
    held = {bed.session_of(value): bed.serial_of(resource) for (kind, value), resource in found.items() if kind == "Encounter"}
    wrong["stale"] = [session for session, serial in wanted.items() if held.get(session) != serial]
    wrong["canary in"] = bed.told(work, relay)
    numbers = ", ".join(f"{what} {len(which)}" for what, which in wrong.items())
    print(f"hapi: sessions {len(wanted)}, resources {sum(map(len, values.values()))}, starts of the server {hapi.starts}, of the relay "
          f"{relay.starts}: {numbers}", flush=True)
    return [f"{what}: {which[:5]}" for what, which in wrong.items() if which]


def run(given, work):
    subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    hapi, chance, begun = Hapi(work), random.Random(given.seed), time.monotonic()
    try:
        hapi.start()
        started = time.monotonic()
        bed.prepare(work, given.definitions.resolve(), {"hospital": hapi}, relay=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital",
                    timeout=20000, settle=8000)
        wanted = produce(given, work, chance)
        count = len(list((work / "drop").glob("*.json")))
        relay = bed.Relay(given.relay, work)
        relay.start()
        faults = disturb(given, work, hapi, relay, chance, count)
        bed.wait_for(lambda: not list((work / "drop").glob("*.json")) or relay.ended(), 60)
        # a delivery whose end was not written down before a kill is told of again: the server says when all has arrived
        bed.wait_for(lambda: relay.ended() or is_quiet(work, given), 60 + count)
        print(f"hapi: start {started - begun:.0f} s, run {time.monotonic() - started:.0f} s", flush=True)
        if not faults:
            faults = judge(given, work, hapi, relay, wanted)
        status = relay.stop()
        if status != 0:
            faults.append(f"the relay ended with {status}")
        if len(bed.acknowledged(work)) != count:
            faults.append(f"{len(bed.acknowledged(work))} of {count} files were taken")
    finally:
        hapi.kill()
    if faults:
        print("\n".join(faults), (work / "log").read_text()[-3000:], sep="\n")
    return faults


def is_quiet(work, given):
    """Nothing is queued, on its way or unknown any more."""
    listed = [subprocess.run([given.ketlink, "queue", "list", "--config", work / "relay.ini", "--state", state, "-q"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for state in ("queued", "sending", "unknown")]
    return all(result.returncode == 0 and not result.stdout.strip() for result in listed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--relay-kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("ketlink")
    parser.add_argument("relay")
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    built = subprocess.run([RUN, "--build"]).returncode
    if built:
        return built
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ketlink-hapi-") as name:
        return 1 if run(given, pathlib.Path(name)) else 0


sys.exit(main())
