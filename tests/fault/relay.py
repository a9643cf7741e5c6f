#!/usr/bin/env python3
"""The oracle: a producer with numbered records, the real relay, a mock EHR that misbehaves and reports every commit, and ends of
the process at any moment. After the faults have stopped it judges:

    nothing lost     what was acknowledged (moved to done/) is at the EHR, as it was last corrected
    nothing doubled  one resource for each identity, and never two writes of one identity at once
    order            of each patient and session, what came later never arrives before what came earlier
    nothing told     no value of a patient in log, arguments, environment, store, shared memory or core
    quiet            the write-ahead log is emptied when there is nothing to do

    relay.py [--records N] [--kills N] [--rate SHARE] [--patients N] [--corrected SHARE] [--shape update|create|batch|single]
             [--seed N] [--definitions PACK] KETLINK-RELAY

Everything is chosen by the seed, which is printed. Reliability rules: I1 to I4, I6. Single troubles: troubles.py.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import time

import bed
import ehr

DEADLINE = 120  # seconds, and as many again for each 1,000 records


def produce(given, relay, work, chance):
    """Drops records one after the other, and ends the process in between -> session: its newest record."""
    kills = sorted(chance.sample(range(given.records), min(given.kills, given.records)))
    newest, revisions = {}, {}
    for serial in range(given.records):
        again = newest and chance.random() < given.corrected
        session = chance.choice(sorted(newest)[-20:]) if again else len(newest)
        revisions[session] = revisions.get(session, 0) + 1
        newest[session] = serial
        bed.drop(work, serial, bed.record(serial, session, session % given.patients, revisions[session]))
        time.sleep(chance.random() * 0.03)
        while kills and kills[0] <= serial:
            kills.pop(0)
            time.sleep(chance.random())
            relay.kill()
            relay.start()
    return newest


def wait_until_delivered(server, work, given, wanted, relay):
    """The faults go on until most has arrived."""
    patience = DEADLINE * (1 + given.records / 1000)
    faults_end = time.monotonic() + patience / 2

    def is_over():
        held = bed.newest(server)
        if len(held) > len(wanted) * 0.9 or time.monotonic() > faults_end:
            server.rate = 0
        return relay.ended() or (len(bed.acknowledged(work)) == given.records and held == wanted)

    bed.wait_for(is_over, patience)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=150)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--patients", type=int, default=7)
    parser.add_argument("--corrected", type=float, default=0.2)
    parser.add_argument("--shape", choices=bed.SHAPES, default="update")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("relay")
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    return parser.parse_args()


def run(given, work):
    subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, given.rate)
    bed.prepare(work, given.definitions.resolve(), {"hospital": server}, given.shape)
    relay = bed.Relay(given.relay, work)
    relay.start()
    wanted = produce(given, relay, work, random.Random(given.seed))
    wait_until_delivered(server, work, given, wanted, relay)
    faults = bed.judge(given.shape, server, wanted, relay, work)
    wal = work / "state/outbox.db-wal"
    if not relay.ended() and not bed.wait_for(lambda: wal.stat().st_size == 0, 20):
        faults.append(f"the write-ahead log keeps {wal.stat().st_size} bytes on a quiet relay")
    return bed.end(given, server, relay, work, faults)


sys.exit(bed.main(arguments(), run))
