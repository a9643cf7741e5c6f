#!/usr/bin/env python3
"""The oracle: a producer with numbered records, the real relay, a mock EHR that misbehaves and reports every commit, and ends of
the process at any moment. After the faults have stopped it judges:

    nothing lost     what was acknowledged (moved to done/) is at the EHR, as it was last corrected
    nothing doubled  one resource for each identity, and never two writes of one identity at once
    order            of each patient and session, what came later never arrives before what came earlier
    nothing told     no value of a patient in log, arguments, environment, store, shared memory or core
    quiet            the write-ahead log is emptied when there is nothing to do

    relay.py [--records N] [--kills N] [--rate SHARE] [--patients N] [--corrected SHARE] [--shape update|create|batch|single]
             [--posted] [--seed N] [--definitions PACK] KETLINK-RELAY

--posted: not files that are dropped, but up to 60 records a request to the relay's socket, sent again until they are answered; the
process ends while it maps, stores or answers them.

Everything is chosen by the seed, which is printed. Reliability rules: I1 to I4, I6. Single troubles: troubles.py.
"""
import argparse
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

import bed
import ehr

MOST = 60  # records in a request
DEADLINE = 120  # seconds, and as many again for each 1,000 records


def records(given, chance, newest):
    """(serial, text), one after the other; `newest`: session -> its newest record."""
    revisions = {}
    for serial in range(given.records):
        again = newest and chance.random() < given.corrected
        session = chance.choice(sorted(newest)[-20:]) if again else len(newest)
        revisions[session] = revisions.get(session, 0) + 1
        newest[session] = serial
        yield serial, bed.record(serial, session, session % given.patients, revisions[session])


def produce(given, relay, work, chance):
    """Drops records one after the other, and ends the process in between -> session: its newest record."""
    kills = sorted(chance.sample(range(given.records), min(given.kills, given.records)))
    newest = {}
    for serial, text in records(given, chance, newest):
        bed.drop(work, serial, text)
        time.sleep(chance.random() * 0.03)
        while kills and kills[0] <= serial:
            kills.pop(0)
            time.sleep(chance.random())
            relay.kill()
            relay.start()
    return newest


def post(work, body):
    """Whether it was answered by 202."""
    head = f"POST /records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(work / "socket"))
            connection.sendall(head.encode() + body)
            return b" 202 " in connection.recv(4096)
        except OSError:
            return False


def end_and_start(relay):
    relay.kill()
    relay.start()


def post_all(given, relay, work, chance):
    """The same by requests; each is sent until it is answered -> (session: its newest record, serials that were answered)."""
    newest, taken, group, size = {}, set(), [], MOST
    every = max(1, given.records // (MOST // 2) // max(1, given.kills))
    for serial, text in records(given, chance, newest):
        group.append((serial, text))
        if len(group) < size and serial + 1 < given.records:
            continue
        killer = threading.Timer(chance.random() * 0.1, end_and_start, [relay])
        if chance.randrange(every) == 0:
            killer.start()
        body = "".join(text + "\n" for _, text in group).encode()
        if bed.wait_for(lambda: post(work, body), DEADLINE):
            taken.update(serial for serial, _ in group)
        if killer.ident:
            killer.join()
        group, size = [], chance.randint(1, MOST)
    return newest, taken


def wait_until_delivered(server, given, wanted, relay, taken):
    """The faults go on until most has arrived."""
    patience = DEADLINE * (1 + given.records / 1000)
    faults_end = time.monotonic() + patience / 2

    def is_over():
        held = bed.newest(server)
        if len(held) > len(wanted) * 0.9 or time.monotonic() > faults_end:
            server.rate = 0
        return relay.ended() or (len(taken()) == given.records and held == wanted)

    bed.wait_for(is_over, patience)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=150)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--patients", type=int, default=7)
    parser.add_argument("--corrected", type=float, default=0.2)
    parser.add_argument("--shape", choices=bed.SHAPES, default="update")
    parser.add_argument("--posted", action="store_true")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("relay")
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    return parser.parse_args()


def run(given, work):
    subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, given.rate)
    http = f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n" if given.posted else ""
    bed.prepare(work, given.definitions.resolve(), {"hospital": server}, given.shape, destination=http)
    relay = bed.Relay(given.relay, work)
    relay.start()
    chance, answered = random.Random(given.seed), set()
    if given.posted:
        wanted, answered = post_all(given, relay, work, chance)
    else:
        wanted = produce(given, relay, work, chance)

    def taken():
        return answered if given.posted else bed.acknowledged(work)

    wait_until_delivered(server, given, wanted, relay, taken)
    faults = bed.judge(given.shape, server, wanted, relay, work)
    wal = work / "state/outbox.db-wal"
    if not relay.ended() and not bed.wait_for(lambda: wal.stat().st_size == 0, 20):
        faults.append(f"the write-ahead log keeps {wal.stat().st_size} bytes on a quiet relay")
    return bed.end(given, server, relay, work, faults, taken())


sys.exit(bed.main(arguments(), run))
