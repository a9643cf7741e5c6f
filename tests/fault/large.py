#!/usr/bin/env python3
"""Large records, many in flight: what they took goes back to the system once they are delivered, and is not kept for the next ones
(reliability, I5; memory on a small machine is what others run in).

    large.py [--records N] [--definitions PACK] KETLINK-RELAY
"""
import argparse
import json
import pathlib
import subprocess
import sys

import bed
import ehr

IN_FLIGHT = 64
MORE_MIB = 24  # at most, of what it takes after its start
LARGE = bed.ROOT / "fixtures/clinic/iv-trd/record.json"  # 88 resources


def record(serial):
    made = json.loads(LARGE.read_text())
    made["session"]["id"], made["patient"]["mrn"] = f"S-{serial:06}", f"{bed.CANARY}-{serial}"
    return json.dumps(made)


def resident_mib(relay):
    for line in pathlib.Path(f"/proc/{relay.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def run(given, work):
    subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, 0)
    bed.prepare(work, given.definitions.resolve(), {"hospital": server}, timeout=60000, in_flight=IN_FLIGHT)
    relay = bed.Relay(given.relay, work)
    relay.start()
    log = work / "log"
    if not bed.wait_for(lambda: b" started " in log.read_bytes(), 30):
        return ["the relay does not start"]
    before = resident_mib(relay)
    for serial in range(given.records):
        bed.drop(work, serial, record(serial))
    if not bed.wait_for(lambda: log.read_bytes().count(b" done destination=") == given.records or relay.ended(), 240):
        return ["not all are delivered"]
    bed.wait_for(lambda: resident_mib(relay) < before + MORE_MIB, 20)
    after = resident_mib(relay)
    print(f"large: {given.records} records, {before:.0f} MiB after the start, {after:.0f} when all are delivered")
    faults = [] if after < before + MORE_MIB else [f"{after - before:.0f} MiB are kept, {MORE_MIB} may be"]
    return faults + ([] if relay.stop() == 0 else ["the relay does not end well"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=150)
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    given = parser.parse_args()
    given.seed = 1
    if bed.has_allocator(given.relay):
        return bed.SKIPPED

    def told(given, work):
        faults = run(given, work)
        print("\n".join(faults))
        return faults

    return bed.main(given, told)


sys.exit(main())
