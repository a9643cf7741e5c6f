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
MORE = 24 << 20  # bytes at most, of what it takes after its start
LARGE = bed.ROOT / "fixtures/clinic/iv-trd/record.json"  # 88 resources


def record(serial):
    made = json.loads(LARGE.read_text())
    made["session"]["id"], made["patient"]["mrn"] = f"S-{serial:06}", f"{bed.CANARY}-{serial}"
    return json.dumps(made)


def run(given, work):
    subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, 0)
    bed.prepare(work, given.definitions.resolve(), {"hospital": server}, timeout=60000, in_flight=IN_FLIGHT)
    relay = bed.Relay(given.relay, work)
    relay.start()
    log = work / "log"
    bed.wait_for(lambda: b" started " in log.read_bytes(), 30)
    before = relay.resident()
    for serial in range(given.records):
        bed.drop(work, serial, record(serial))
    arrived = bed.wait_for(lambda: log.read_bytes().count(b" done destination=") == given.records or relay.ended(), 240)
    faults = [] if arrived and not relay.ended() else ["not all are delivered"]
    if not faults and not bed.wait_for(lambda: relay.resident() < before + MORE, 20):
        faults = [f"{relay.resident() - before >> 20} MiB are kept, {MORE >> 20} may be"]
    print(f"large: {given.records} records, {before >> 20} MiB after the start, {relay.resident() >> 20} when all are delivered")
    return bed.end(given, server, relay, work, faults)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=150)
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    parser.set_defaults(seed=1, rate=0)
    return parser.parse_args()


sys.exit(bed.main(arguments(), run))
