#!/usr/bin/env python3
"""A promise follows the disk: the relay is followed by strace while files are dropped and the EHR takes them. Each file that is moved to
done/ was read before a write of the store's log whose sync returned, and the move came after it: a sync alone may be of what was written
before. (Reliability rules, I1; a window between the
two is too small for ends of the process to be sure to meet it.)

    order.py [--records N] [--definitions PACK] KETLINK-RELAY
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import bed
import ehr
import outbox

CALLS = "read,pwrite64,fdatasync,renameat2"


def calls(trace):
    """(text, begin, end) of each call, in the order of their ends: numbers of lines. Between the two another thread's may stand."""
    begun = {}
    for number, line in enumerate(trace.read_text().splitlines()):
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>").rstrip(), number
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", call)
        first, begin = begun.pop(thread) if resumed else (call, number)
        yield first + resumed[1] if resumed else first, begin, number


def follow(trace):
    """What is wrong with the order of the calls, and how many files were moved."""
    read, writes, syncs, moved, bad = {}, [], [], 0, []
    for call, begin, end in calls(trace):
        taken = re.match(r"read\(\d+<[^>]*/drop/([^/>]+\.json)>", call)
        renamed = re.match(r'renameat2\([^"]*"([^"]+\.json)",.*/done>.* = 0$', call)
        if taken and "= -1" not in call:
            read[taken[1]] = end
        elif re.match(r"pwrite64\(\d+<[^>]*outbox\.db-wal>", call):
            writes.append((begin, end))
        elif re.match(r"fdatasync\(\d+<[^>]*outbox\.db-wal>\) += 0$", call):
            syncs.append((begin, end))
        elif renamed:
            moved += 1
            written = [until for since, until in writes if read.get(renamed[1], begin) < since]
            if not written or not any(written[0] < since and until < begin for since, until in syncs):
                bad.append(f"{renamed[1]} was moved to done/ (call {begin}) before its records were synced")
    return bad, moved


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20)
    parser.add_argument("--definitions", default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    given = parser.parse_args()
    definitions = pathlib.Path(given.definitions).resolve()
    if not definitions.exists() or not outbox.may_trace():
        print("skipped: no definition pack, or strace may not follow processes here")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-fault-") as name:
        work = pathlib.Path(name)
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", 1, 0)
        bed.prepare(work, definitions, {"hospital": server})
        tracing = ["strace", "-f", "-y", "-o", work / "trace", "-e", f"trace={CALLS}"]
        relay = bed.Relay(given.relay, work, before=tracing, environment={"ASAN_OPTIONS": "detect_leaks=0"})
        relay.start()
        for serial in range(given.records):
            bed.drop(work, serial, bed.record(serial, serial, serial % 3))
        arrived = bed.wait_for(lambda: len(list((work / "drop/done").glob("*.json"))) == given.records, 60)
        own = pathlib.Path(f"/proc/{relay.process.pid}/task/{relay.process.pid}/children").read_text().split()
        os.kill(int(own[0]), signal.SIGTERM)  # the relay: strace passes nothing on
        relay.process.wait(60)
        bad, moved = follow(work / "trace")
    print(f"order: {moved} files moved after their sync, {len(bad)} before")
    print("\n".join(bad[:5]))
    return 1 if bad or not arrived or moved != given.records else 0


sys.exit(main())
