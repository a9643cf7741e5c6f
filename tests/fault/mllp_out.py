#!/usr/bin/env python3
"""The oracle for a destination of HL7 v2: a producer, the real relay, a receiver over MLLP that misbehaves, and ends of the
process at any moment. After the faults have stopped it judges:

    nothing lost     each message of each acknowledged record was taken by the receiver
    order            of each patient, in the order of the records and of the messages of one record
    never two        of one patient under way at once
    the same         what came again has the same control id and the same bytes, and no control id has two contents
    nothing told     no value of a patient in log, arguments, environment, store or core

    mllp_out.py [--records N] [--kills N] [--rate SHARE] [--patients N] [--plain] [--enhanced] [--seed N] [--definitions PACK] KETLINK-RELAY

Everything is chosen by the seed, which is printed. Reliability rules I1 to I4.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import time

import bed

sys.path.insert(0, str(bed.ROOT / "tests/servers"))
import mllp_receiver as mllp  # noqa: E402

DEADLINE = 120
# Of the fixture `minimal`, a visit that is planned; vital signs make a second message.
KINDS = ("ADT^A05^ADT_A05", "ORU^R01^ORU_R01")


def record(serial, patient):
    made = json.loads(bed.record(serial, serial, patient))
    made["vitals"] = [{"id": "V1", "at": made["session"]["start"], "by": made["staff"][0]["id"], "heartRate": 60 + serial % 40}]
    return json.dumps(made)


def produce(given, relay, work, chance):
    kills = sorted(chance.sample(range(given.records), min(given.kills, given.records)))
    for serial in range(given.records):
        bed.drop(work, serial, record(serial, serial % given.patients))
        time.sleep(chance.random() * 0.03)
        while kills and kills[0] <= serial:
            kills.pop(0)
            time.sleep(chance.random())
            relay.kill()
            relay.start()


def place_of(message):
    """Which record it is of, and which of its messages."""
    serial = int(mllp.field(message, b"PV1", 19).split(b"^")[0].removeprefix(b"S-"))
    return serial, KINDS.index(mllp.field(message, b"MSH", 9).decode())


def wait_until_delivered(receiver, given, relay, work):
    wanted = given.records * len(KINDS)
    patience = DEADLINE * (1 + given.records / 1000)
    faults_end = time.monotonic() + patience / 2

    def is_over():
        taken = len({control for control, _ in list(receiver.taken)})
        if taken > wanted * 0.9 or time.monotonic() > faults_end:
            receiver.rate = 0
        return relay.ended() or (taken == wanted and len(bed.acknowledged(work)) == given.records)

    bed.wait_for(is_over, patience)


def judge(given, receiver, relay, work):
    first, again, other, contents = {}, 0, [], {}
    for control, message in list(receiver.came):
        if contents.setdefault(control, message) != message:
            other.append(control)
    order = {}
    turned = 0
    for control, message in list(receiver.taken):
        place = place_of(message)
        if control in first:
            again += 1
            continue
        first[control] = place
        patient = place[0] % given.patients
        turned += place < order.get(patient, (-1, -1))
        order[patient] = max(place, order.get(patient, (-1, -1)))
    wanted = {(serial, kind) for serial in range(given.records) for kind in range(len(KINDS))}
    lost = sorted(wanted - set(first.values()))
    doubled = len(first) - len(set(first.values()))
    canaries = bed.told(work, relay)
    print(f"messages {len(wanted)}, lost {len(lost)}, doubled under another id {doubled}, again {again}, other content {len(other)}, "
          f"two at once {len(receiver.collisions)}, inversions {turned}, canaries {len(canaries)}, came {len(receiver.came)}, "
          f"faults {sum(receiver.injected.values())} of {len(receiver.injected)} kinds, starts {relay.starts}", flush=True)
    return [f"{what}: {found}" for what, found in
            (("lost", lost[:5]), ("doubled", doubled), ("other content under one control id", other[:5]),
             ("two at once", receiver.collisions[:5]), ("inversions", turned), ("canary in", canaries)) if found]


def destination(receiver, given, work):
    made = {"protocol": "mllp", "address": f"127.0.0.1:{receiver.port}", "ackTimeoutMs": 1000, "settleMs": 200, "attempts": 50,
            "messages": ["ADT_A05", "ORU_R01"], "acknowledge": "application" if given.enhanced else "original"}
    return {**made, "tls": False} if given.plain else {**made, "caFile": str(work / "certs/ca.pem")}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--patients", type=int, default=9)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--enhanced", action="store_true")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("relay")
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    return parser.parse_args()


def run(given, work):
    subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    pair = () if given.plain else (work / "certs/server.pem", work / "certs/server.key")
    receiver = mllp.Receiver(*pair, seed=given.seed, rate=given.rate, enhanced=given.enhanced)
    receiver.base, receiver.certificate = "https://127.0.0.1:1", work / "certs/server.pem"  # of the file that is written over below
    bed.prepare(work, given.definitions.resolve(), {"hospital": receiver}, "update")
    (work / "mappings/destinations/hospital.json").write_text(json.dumps(destination(receiver, given, work)))
    relay = bed.Relay(given.relay, work)
    relay.start()
    produce(given, relay, work, random.Random(given.seed))
    wait_until_delivered(receiver, given, relay, work)
    faults = judge(given, receiver, relay, work)
    return bed.end(given, receiver, relay, work, faults)


sys.exit(bed.main(arguments(), run))
