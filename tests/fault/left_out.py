#!/usr/bin/env python3
"""A correction no longer has what an earlier revision had: the clinic deleted a wrong entry. At the EHR it stays, and people are told, once,
whenever the process ends and whatever answers are lost.

    told      the log, the metric, the trail, an alert, and `queue show` of the correction with the place of each of them
    once      a further correction that lacks the same is not told again; of a process that was killed neither
    back      what comes back is sent whole, and is no more among them
    others    another session, another clinic's session of the same id: nothing of theirs is left out
    chart     a session that was written down for the wrong patient takes all that it has with it
    older     so says an older revision on which somebody insists

    left_out.py [--shape update|create|batch|single] [--rate SHARE] [--kills N] [--seed N] [--definitions PACK] KETLINK-RELAY
"""
import argparse
import copy
import http.client
import json
import pathlib
import random
import socket
import subprocess
import sys
import time

import bed
import ehr

SESSION = "S-000777"
FULL = json.loads((bed.ROOT / "fixtures/clinic/iv-trd/record.json").read_text())


def revision(number, patient=1, clinic=None, session=SESSION, without=()):
    """The whole session, less some of its items: (part, id)."""
    made = copy.deepcopy(FULL)
    made["session"].update(id=session, revision=number)
    made["patient"].update(mrn=f"{bed.CANARY}-{patient}", family=f"{bed.CANARY}{number}")
    if clinic:
        made["clinic"]["id"] = clinic
    for part, name in without:
        kept = [item for item in made[part] if item["id"] != name]
        bed.expect(len(kept) + 1 == len(made[part]), part, name)
        made[part] = kept
    return json.dumps(made)


class Console(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Run:
    def __init__(self, given, work):
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        self.given, self.work, self.chance = given, work, random.Random(given.seed)
        self.server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, given.rate)
        self.server.fault, self.any_fault = self.fault, self.server.fault
        alert = work / "alert"
        alert.write_text(f'#!/bin/sh\necho "$@" >> {work}/alerts\n')
        alert.chmod(0o700)
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server}, shape=given.shape,
                    relay=f"alert = {alert}\n[http]\nsocket = {work}/socket\n[post]\nto = hospital")
        self.relay, self.serial, self.told = bed.Relay(given.relay, work), 0, 0
        self.relay.start()

    def fault(self, choices):
        """Of writes alone: of a session that is looked for there are too many reads for all to go well."""
        return self.any_fault(choices) if choices is ehr.FAULTS else None

    def get(self, path):
        """Also of one that has just begun again."""
        for _ in range(400):
            try:
                console = Console(self.work / "socket")
                console.request("GET", path)
                return console.getresponse().read().decode()
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"no answer to {path}")

    def order(self, number, order):
        console = Console(self.work / "socket")
        console.request("POST", f"/queue/{number}/{order}", json.dumps({"reason": "it-is-right"}), {"Content-Type": "application/json"})
        return json.loads(console.getresponse().read())

    def record(self, number):
        return json.loads(self.get(f"/queue/{number}"))

    def deliver(self, text):
        """Ends of the process in between -> the record that was delivered."""
        self.serial += 1
        bed.drop(self.work, self.serial, text)
        for _ in range(self.given.kills):
            time.sleep(self.chance.random() * 0.6)
            self.relay.kill()
            self.relay.start()
        return self.ended(self.serial)

    def ended(self, number):
        bed.expect(bed.wait_for(lambda: self.record(number).get("state") in ("done", "parked"), 60), "not delivered", self.record(number))
        return self.record(number)

    def places(self, *beginnings):
        """Of the first clinic, by the beginnings of their keys."""
        found = []
        for (_, identity), places in self.server.identities().items():
            system, _, key = (identity or "").rpartition("|")
            found += places if "/riverside/" in system and key.startswith(beginnings) else []
        return sorted(found)

    def patients(self, places):
        """What each of those says of its patient."""
        resources = {place: self.server.resources[place][-1] for place in places}
        return {place: (held.get("subject") or held.get("patient") or held.get("for"))["reference"] for place, held in resources.items()
                if any(name in held for name in ("subject", "patient", "for"))}

    def alerts(self):
        """Whose: of what was left out; the parked record has its own when upkeep comes by."""
        told = self.work / "alerts"
        rows = [line.split() for line in told.read_text().splitlines()] if told.exists() else []
        return [row[1] for row in rows if row[0] == "left-out"]

    def statuses(self, places):
        return {place: self.server.resources[place][-1].get("status") for place in places}

    def withdraw(self, places):
        """By the people of the EHR."""
        for place in places:
            resource = self.server.resources[place][-1]
            self.server.resources[place].append({**resource, **({"status": "entered-in-error"} if "status" in resource else {})})

    def events(self, what="left-out"):
        rows, after = [], 0
        while True:
            answer = json.loads(self.get(f"/audit?after={after}&limit=1000"))
            found = [event for event in answer["events"] if event["what"] == what]
            rows += [(event["record"], event["reason"]) for event in found]
            if not answer["events"]:
                return rows
            after = answer["events"][-1]["number"]

    def expect_told(self, record, places):
        """By all that tells of it."""
        number, count = record["id"], len(places)
        bed.expect(record["reason"] == "left-out" and sorted(record["leftOut"]) == places, "show", record, places)
        bed.expect([event for event in self.events() if event[0] == number] == [(number, f"resources-{count}")], "trail", self.events())
        if not self.given.kills:  # else it may have ended between the two
            line = f"left-out destination=hospital record={number} resources={count}"
            bed.expect(bed.wait_for(lambda: line in (self.work / "log").read_text(), 5), "log")
            self.told += count
            bed.expect(f'ketlink_left_out_total{{destination="hospital"}} {self.told}' in self.get("/metrics"), "metric")
            bed.expect(bed.wait_for(self.alerts, 10) and self.alerts() == ["hospital"], "one alert an hour", self.alerts())

    def expect_quiet(self, record):
        bed.expect(record["state"] == "done" and record["reason"] == "delivered" and "leftOut" not in record, "quiet", record)
        bed.expect(not [event for event in self.events() if event[0] == record["id"]], "trail", self.events())


def run(it, given, work):
    gone = [("vitals", "V6"), ("scales", "SC5"), ("adverseEvents", "E2")]
    keys = [f"{SESSION}/{part}/{name}" for part, name in gone]
    lacks = {"without": gone}
    it.expect_quiet(it.deliver(revision(1)))
    wrong = it.places(*keys)
    bed.expect(len(wrong) >= 5, "proves little", wrong)
    it.expect_quiet(it.deliver(revision(1, session="S-000778")))
    it.expect_quiet(it.deliver(revision(1, clinic="lakeside")))  # of the same id, elsewhere
    it.expect_quiet(it.deliver(revision(2, clinic="lakeside")))
    corrected = it.deliver(revision(2, **lacks))
    it.expect_told(corrected, wrong)
    it.expect_quiet(it.deliver(revision(3, **lacks)))  # once
    it.expect_quiet(it.deliver(revision(3, clinic="lakeside")))
    active = it.statuses(wrong)
    it.withdraw(wrong)
    it.expect_quiet(it.deliver(revision(4)))
    bed.expect(it.statuses(wrong) == active, "what came back is not as it was", it.statuses(wrong))
    bed.expect(it.record(corrected["id"])["leftOut"] == [], "it came back", it.record(corrected["id"]))
    it.expect_told(it.deliver(revision(5, **lacks)), wrong)  # and is deleted again
    rest = sorted(set(it.places(f"{SESSION}/")) - set(wrong))
    before = it.patients(rest)
    it.expect_quiet(it.deliver(revision(6, patient=2, **lacks)))  # the wrong chart: all that it has follows it
    after = it.patients(rest)
    bed.expect(len(before) > 20 and not [place for place in before if before[place] == after[place]], "stayed in the first chart", before, after)
    older = it.deliver(revision(5, patient=2, without=[*gone, ("vitals", "V5")]))  # somebody insists on it
    bed.expect(older["reason"] == "older-revision", "older", older)
    it.order(older["id"], "retry")
    it.expect_told(it.ended(older["id"]), it.places(f"{SESSION}/vitals/V5"))
    doubled = [key for key, places in it.server.identities().items() if len(places) > 1]
    bed.expect(not doubled, "doubled", doubled)
    bed.expect(not bed.told(work, it.relay), "canary", bed.told(work, it.relay))
    bed.expect(it.relay.stop() == 0, "the relay ended with another status")
    print(f"left-out: {len(wrong)} places of {len(it.server.resources)}, starts {it.relay.starts}, faults {sum(it.server.injected.values())}")


def guarded(given, work):
    it = Run(given, work)
    try:
        run(it, given, work)
        return []
    except AssertionError as fault:
        print(f"left-out: {fault}", (work / "log").read_text()[-3000:], sep="\n")
        return [fault]
    finally:
        it.relay.leave_none()


parser = argparse.ArgumentParser()
parser.add_argument("--shape", choices=bed.SHAPES, default="update")
parser.add_argument("--rate", type=float, default=0)
parser.add_argument("--kills", type=int, default=0)
parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
parser.add_argument("relay")
sys.exit(bed.main(parser.parse_args(), guarded))
