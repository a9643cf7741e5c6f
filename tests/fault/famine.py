#!/usr/bin/env python3
"""All memory is gone while the relay runs, and comes back. It tells of it, by an alert whose line needs no memory, or ends with a
status that says so; when there is memory again (after another start if it has ended) everything is delivered, once.

    famine.py [--definitions PACK] KETLINK-RELAY NOMEM-LIBRARY [TRIAL …]
"""
import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import bed
import ehr

STATUSES = {74, 75}  # README, exit status
TOLD_SECONDS, DELIVERED_SECONDS = 20, 60


class Trial:
    def __init__(self, given, work):
        self.work, self.switch, self.serial = work, work / "switch", 0
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        self.server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", 1, 0)
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server})
        self.memory(True)
        self.relay = bed.Relay(given.relay, work, environment={"LD_PRELOAD": given.library, "NOMEM_SWITCH": str(self.switch)})

    def configure(self, lines):
        with open(self.work / "relay.ini", "a") as configuration:
            configuration.write(lines)

    def memory(self, there):
        """In its place: it is mapped."""
        with open(self.switch, "r+b" if self.switch.exists() else "w+b") as switch:
            switch.write(b"\0" if there else b"\1")

    def start(self):
        (self.work / "log").unlink(missing_ok=True)
        self.relay.start()
        bed.expect(bed.wait_for(lambda: self.said(b"started"), 60), "it does not start")

    def said(self, text):
        return bed.holds(self.work / "log", text)

    def put_as(self, name):
        """Of one patient."""
        self.serial += 1
        (self.work / "beside").write_text(bed.record(self.serial, self.serial, 1))
        (self.work / "beside").rename(self.work / "drop" / name)

    def put(self):
        self.serial += 1
        bed.drop(self.work, self.serial, bed.record(self.serial, self.serial, self.serial))

    def everything(self):
        return bed.newest(self.server) == {serial: serial for serial in range(1, self.serial + 1)}

    def starve(self, meanwhile):
        """-> faults"""
        self.memory(False)
        meanwhile()
        known = bed.wait_for(lambda: self.relay.ended() or self.said(b"alert "), TOLD_SECONDS)
        self.memory(True)
        print("it ended with", self.relay.process.returncode, end=", ") if self.relay.ended() else print("alert", end=", ")
        faults = [] if known else ["it told nobody"]
        if self.relay.ended() and self.relay.process.returncode not in STATUSES:
            faults.append(f"it ended with {self.relay.process.returncode}")
        if self.relay.ended():
            self.start()
        if not bed.wait_for(self.everything, DELIVERED_SECONDS):
            faults.append("not everything was delivered when there was memory again")
        status = self.relay.stop()
        return faults + ([] if status == 0 else [f"then it ended with {status}"])


def a_file_comes(trial):
    trial.start()
    return trial.starve(trial.put)


def records_wait(trial):
    """For a server that was down; what is tried is due once a second."""
    trial.server.stop()
    trial.start()
    trial.put()
    bed.expect(bed.wait_for(lambda: trial.said(b"queued "), 60), "it does not wait")
    return trial.starve(trial.server.start)


def records_are_accepted(trial):
    """Between what it took and what it claims; the moment varies, what is asked does not."""
    trial.start()
    for _ in range(20):
        trial.put()
    bed.expect(bed.wait_for(lambda: trial.said(b"file-taken"), 60), "it takes nothing")
    return trial.starve(lambda: None)


def a_name_is_forgotten(trial):
    """There is memory for all but the name of the older one of two files: the younger one must not overtake it."""
    name = "n" * 180 + ".json"
    trial.relay.environment["NOMEM_SIZE"] = str(len(name) + 1)
    trial.start()
    trial.memory(False)
    trial.put_as(name)
    trial.put_as("younger.json")
    faults = [] if bed.wait_for(lambda: trial.said(b"folder-fails"), TOLD_SECONDS) else ["it told nobody"]
    faults += ["the younger file overtook the older one"] if bed.newest(trial.server) else []
    trial.memory(True)
    if not bed.wait_for(trial.everything, DELIVERED_SECONDS):
        faults.append("not everything was delivered when there was memory again")
    if not bed.wait_for(lambda: trial.said(b"folder-works"), TOLD_SECONDS):
        faults.append("it did not tell that it goes on")
    status = trial.relay.stop()
    return faults + ([] if status == 0 else [f"then it ended with {status}"])


def begins_and_ends(trial, begins, ends):
    """-> faults. What begins without memory is told, and that it ends when there is memory."""
    faults = [] if bed.wait_for(lambda: trial.said(begins), TOLD_SECONDS) else [f"no {begins.decode()}"]
    trial.memory(True)
    faults += [] if bed.wait_for(lambda: trial.said(ends), TOLD_SECONDS) else [f"no {ends.decode()}"]
    return faults


def a_copy_is_due(trial):
    """There is memory, and no thread for its check."""
    trial.configure(f"[store]\nbackup = {trial.work}/backup.db\n")
    trial.relay.environment["NOMEM_THREADS"] = "1"
    trial.start()
    trial.memory(False)
    faults = begins_and_ends(trial, b"state=backup-waits what=store", b"state=backup-goes-on what=store")
    faults += [] if bed.wait_for(lambda: trial.said(b"backed-up "), TOLD_SECONDS) else ["no copy was made"]
    status = trial.relay.stop()
    return faults + ([] if status == 0 else [f"then it ended with {status}"])


def a_webhook_is_told(trial):
    """Nobody listens there; an alert that cannot even wait for him is in the log as lost."""
    trial.configure("[relay]\nalert-webhook = http://127.0.0.1:1/\n")
    trial.start()
    trial.memory(False)
    trial.put()
    lost = bed.wait_for(lambda: trial.relay.ended() or trial.said(b'why="no memory"'), TOLD_SECONDS)
    faults = [] if lost and (trial.relay.ended() or trial.said(b"alert-not-posted state=")) else ["an alert was lost without a word"]
    trial.memory(True)
    if not trial.relay.ended() and not bed.wait_for(trial.everything, DELIVERED_SECONDS):
        faults.append("not everything was delivered when there was memory again")
    status = trial.relay.stop()
    return faults + ([] if status in STATUSES | {0} else [f"then it ended with {status}"])


def a_reload_is_asked_for(trial):
    """Without any memory, and then without that for one thing: the name of the authority of the hospital, which libcurl keeps."""
    faults, name = [], "a" * 150 + ".pem"
    (trial.work / name).write_bytes((trial.work / "certs/ca.pem").read_bytes())
    destination = trial.work / "mappings/destinations/hospital.json"
    destination.write_text(json.dumps({**json.loads(destination.read_text()), "caFile": str(trial.work / name)}))
    for size in (None, len(str(trial.work / name)) + 1):
        if size:
            trial.relay.environment["NOMEM_SIZE"] = str(size)
        trial.start()
        trial.memory(False)
        trial.relay.process.send_signal(signal.SIGHUP)
        refused = bed.wait_for(lambda: trial.said(b"state=reload-refused what=memory"), TOLD_SECONDS)
        trial.memory(True)
        faults += [] if refused else [f"size {size}: it did not tell that there is no memory for it"]
        trial.relay.process.send_signal(signal.SIGHUP)
        faults += [] if bed.wait_for(lambda: trial.said(b"reloaded destinations=1"), TOLD_SECONDS) else [f"size {size}: then it was not done"]
        status = trial.relay.stop()
        faults += [] if status == 0 else [f"size {size}: then it ended with {status}"]
    return faults


def an_answer_is_long(trial):
    """Of what was posted a thousand lines are none; there is memory for all but the answer that says so: half of it is none."""
    trial.configure(f"[http]\nsocket = {trial.work}/socket\n[post]\nto = hospital\n")
    trial.relay.environment["NOMEM_SIZE"] = str(1 << 17)
    trial.start()
    (trial.work / "body").write_text("x\n" * 1000)
    answers = []
    for there in (False, True):
        trial.memory(there)
        done = subprocess.run(["curl", "-s", "-w", "%{stderr}%{http_code}", "--unix-socket", trial.work / "socket", "-H", "Content-Type: application/x-ndjson",
                               "--data-binary", f"@{trial.work}/body", "http://localhost/records"], capture_output=True, text=True, check=False)
        answers.append((done.stderr, bool(done.stdout), done.stdout))
    faults = [] if [answer[0] for answer in answers] == ["503", "422"] else [f"answered {[answer[:2] for answer in answers]}"]
    try:
        faults += [] if json.loads(answers[1][2])["bad"] == 1000 and len(answers[1][2]) > 1 << 16 else [f"said {answers[1][2][:200]}"]
    except ValueError:
        faults.append(f"no JSON: {answers[1][2][-200:]}")
    status = trial.relay.stop()
    return faults + ([] if status == 0 else [f"then it ended with {status}"])


TRIALS = (a_file_comes, records_wait, records_are_accepted, a_name_is_forgotten, a_copy_is_due, a_webhook_is_told, a_reload_is_asked_for,
          an_answer_is_long)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    parser.add_argument("library")
    parser.add_argument("trials", nargs="*")
    given = parser.parse_args()
    if bed.lacks(given.definitions) or bed.has_allocator(given.relay):
        return bed.SKIPPED
    bad = 0
    for run in [trial for trial in TRIALS if not given.trials or trial.__name__ in given.trials]:
        with tempfile.TemporaryDirectory(prefix="ketlink-famine-") as name:
            trial = Trial(given, pathlib.Path(name))
            faults = run(trial)
            faults += [f"doubled {key}" for key, places in trial.server.identities().items() if len(places) > 1]
            print(f"famine {run.__name__}:", "; ".join(faults) or "told, and everything delivered", flush=True)
            if faults:
                print((trial.work / "log").read_text())
            bad += bool(faults)
    return 1 if bad else 0


sys.exit(main())
