#!/usr/bin/env python3
"""One trouble at a time, beside the mixture of relay.py: each with its own judge.

    troubles.py [--seed N] [--full] [--definitions PACK] [--clock LIBRARY] [--nospace LIBRARY] [--lapse LIBRARY] KETLINK-RELAY [NAME …]     without names: those that fit in a quick run

    offsets    the answer to a write is cut at each of its bytes: each record is there once
    dead       one of two destinations answers nobody: the other's latency stays
    twins      two destinations are one server: what both write there is never under way twice, and is there once
    moved      two destinations are one server, and one of them is led to another by a reload while the other one waits for it: it goes on
    block      a poison record at a lane's head with parked = block: its patient waits, others do not
    skip       the same with parked = skip: its patient goes on
    walled     a firewall answers 403 to one record: it is parked as http-403, the others do not wait, and nobody is told that all is held
    gives_up   the destination answers nobody and attempts = 3: parked as gave-up after the third, told, and sent when somebody retries it
    held       the destination refuses all for longer than attempts = 3, and then fails once: nothing is parked, it goes
    older      a lower revision comes after a higher one: parked, told, sent only when a person says so by its number
    hang       the server takes longer than totalTimeoutMs: looked for, not sent twice
    died       the relay is killed while the server is at work, and starts again at once: nothing overtakes, nothing is doubled
    restart    the server goes and comes
    pause      the relay is stopped (SIGSTOP) in the middle and goes on
    later      429 with Retry-After is kept to
    large      a record needs more memory than one may have on its way: parked, told, others go on; with more it goes
    copied     a large store is backed up: meanwhile records are taken and delivered, and questions answered
    taken_back a correction whose answer nobody hears (the relay is killed at one of its requests), and then the correction is taken back: the
               server has what was there at first
    given_up   the same, but the correction is delivered, and the group in which its end would have been written is given up
    lines      a large file of records, one a line, is mapped: meanwhile questions are answered, other records delivered, and its order is kept
    storm      the destination file and the token turn to garbage and back, with SIGHUP after SIGHUP: the relay lives, and all arrive
    halfway    the relay is stopped, and killed, while it maps such a file: it is taken again, each record is there once
    missing    a destination is taken out of the configuration while records wait for it: told and counted at each start, sent when it is back
    unseen     the same, and there is no memory to see it at the start: told later
    longest    the longest answer that is read, one byte less and one more: the last is asked for again, and nothing is doubled
    protocol   a destination file becomes one of HL7 v2 by mistake while records wait: held, none is parked, and sent when it is right again
    full       a store of 5 records: the sixth file stays, and is taken later
    clock      the wall clock jumps 10 years on, 20 back, and comes right
    back       the wall clock is set back by two days while the destination answers nobody: what was to be tried again does not wait so long
    ahead      at its start the wall clock is twelve years ahead: nothing goes by its age, and what came before is still known
    finish     the disk is full when a delivery has ended: the relay goes on, says so, and settles it when there is room; started on a full disk
               it ends; it sends nothing twice
    disk       EIO, ENOSPC and SIGKILL at the Nth write, fsync, fdatasync and rename: it stops, and all is well after a start

Everything is chosen by the seed, which is printed. Reliability rules: 1 to 6, 14, 16, 19, 20, 33, 34, 36, 62.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import bed
import ehr
import outbox

QUICK = ("offsets", "taken_back", "given_up", "nothing_comes", "longest", "unseen", "twins", "moved", "block", "skip", "walled", "gives_up", "held", "older", "large", "copied", "lines", "halfway", "storm", "died", "missing", "protocol", "full", "back", "ahead", "finish", "disk")
FULL = ("dead", "hang", "restart", "pause", "later", "clock")
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


class Run:
    """A folder with one relay and its servers."""

    def __init__(self, given, work, servers=("hospital",), before=(), environment=None, one_server=False, **sections):
        self.work = work
        work.mkdir()
        certs = given.work / "certs"
        self.servers = {name: ehr.Ehr(certs / "server.pem", certs / "server.key", given.seed, 0) for name in servers}
        self.server = self.servers[servers[0]]
        if one_server:
            self.servers = dict.fromkeys(servers, self.server)
        bed.prepare(work, given.definitions.resolve(), self.servers, **sections)
        self.relay = bed.Relay(given.relay, work, before, environment)
        self.wanted, self.dropped_at, self.serial = {}, {}, 0
        self.start()

    def start(self):
        log = self.work / "log"
        before = log.read_bytes().count(b"started") if log.exists() else 0
        self.relay.start()
        bed.wait_for(lambda: log.read_bytes().count(b"started") > before or self.relay.ended(), 30)

    def drop(self, patient, session=None):
        serial, self.serial = self.serial, self.serial + 1
        session = serial if session is None else session
        self.wanted[session] = serial
        self.dropped_at[session] = time.monotonic()
        bed.drop(self.work, serial, bed.record(serial, session, patient))
        return session

    def delivered(self, name="hospital"):
        return bed.newest(self.servers[name]) == self.wanted

    def judge(self, name, seconds=60, server="hospital", status=0):
        bed.wait_for(lambda: self.delivered(server) or self.relay.ended(), seconds)
        bed.wait_for(lambda: len(bed.acknowledged(self.work)) == self.serial or self.relay.ended(), 5)
        faults = bed.judge(name, self.servers[server], self.wanted, self.relay, self.work)
        ended = self.relay.process.wait() if self.relay.ended() else self.relay.stop()
        if ended != status:
            faults.append(f"{name}: the relay ended with {ended}")
        if faults:
            print((self.work / "log").read_text()[-2000:])
        return faults


def offsets(given, work):
    run = Run(given, work, settle=20)
    run.server.cuts = collections.deque(range(0, 1700, 1 if given.full else 61))
    count = len(run.server.cuts)
    while run.server.cuts and not run.relay.ended() and run.serial < 8 * count:
        run.drop(run.serial % 50)
        bed.wait_for(lambda: run.serial - len(bed.newest(run.server)) < 30, 20)
    faults = run.judge("offsets")
    return faults + ([f"offsets: {len(run.server.cuts)} of {count} not tried"] if run.server.cuts else [])


def ask(run, target, body=None):
    more = ["--json", json.dumps(body)] if body is not None else []
    return json.loads(subprocess.run(["curl", "-sS", "--unix-socket", run.work / "socket", *more, f"http://localhost/{target}"],
                                     capture_output=True, check=True).stdout)


def older(given, work):
    run = Run(given, work, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    faults = []

    def expect(what, words):
        if not what:
            faults.append(f"older: {words}")

    bed.drop(work, 0, bed.record(0, 7, 1, revision=3))
    bed.wait_for(lambda: bed.newest(run.server) == {7: 0}, 20)
    answer = ask(run, "records", json.loads(bed.record(1, 7, 1, revision=2)))
    expect(answer["records"] == 1 and answer["parked"] == 1, f"answered {answer}")
    run.serial = 2
    run.drop(1)  # of the same patient: it is not held back
    expect(bed.wait_for(lambda: bed.newest(run.server) == {7: 0, 2: 2}, 20), f"the server holds {bed.newest(run.server)}")
    parked = ask(run, "queue?state=parked")["records"]
    expect([(row["reason"], row["blocks"]) for row in parked] == [("older-revision", False)], f"parked are {parked}")
    expect(b"older-revision parked=1" in (work / "log").read_bytes(), "nothing in the log")
    expect(ask(run, "queue/retry", {"where": {"state": "parked"}})["matched"] == 0, "it goes with the others")
    named = {"where": {"state": "parked", "reason": "older-revision"}, "dryRun": True}
    expect(ask(run, "queue/retry", named)["matched"] == 1, "it is not found by its reason")
    ask(run, f"queue/{parked[0]['id']}/retry", {"actor": "anna"})
    run.wanted = {7: 1, 2: 2}
    expect(bed.wait_for(run.delivered, 20), f"sent by its number, the server holds {bed.newest(run.server)}")
    passed(run, expect)
    run.relay.stop()
    return faults


def passed(run, expect):
    """Parked for another reason, passed by its correction, retried: it goes when it is said once more."""
    run.server.refuse = lambda resource: resource["resourceType"] == "Encounter" and bed.serial_of(resource) == 3
    run.serial = 4
    bed.drop(run.work, 3, bed.record(3, 9, 5, revision=1))
    parked = lambda: ask(run, "queue?state=parked")["records"]
    expect(bed.wait_for(lambda: [row["reason"] for row in parked()] == ["http-422"], 20), f"parked are {parked()}")
    first = parked()[0]["id"]
    ask(run, f"queue/{first}/pass", {})
    bed.drop(run.work, 4, bed.record(4, 9, 5, revision=2))
    expect(bed.wait_for(lambda: bed.newest(run.server).get(9) == 4, 20), "its correction does not go")
    run.server.refuse = None
    ask(run, "queue/retry", {"where": {"state": "parked"}})
    expect([row["reason"] for row in parked()] == ["older-revision"], f"retried, it is {parked()}")
    expect(ask(run, "queue/retry", {"where": {"state": "parked"}})["matched"] == 0, "it goes with the others, the second time")
    expect(bed.newest(run.server)[9] == 4, "it has undone its correction")
    ask(run, f"queue/{first}/retry", {})
    expect(bed.wait_for(lambda: bed.newest(run.server)[9] == 3, 20), "said once more it does not go")


def large(given, work):
    run = Run(given, work, destination="memory-mib = 1", folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    sizes = ((1, 800000), (4, 500000))  # names, and bytes of each: of which no request can be made, and that cannot even be claimed
    for serial, (count, size) in enumerate(sizes):
        big = json.loads(bed.record(serial, serial, serial))
        big["patient"]["given"] = ["x" * size] * count
        bed.drop(work, serial, json.dumps(big))
    run.serial = len(sizes)
    run.drop(2)
    bed.wait_for(run.delivered, 20)
    bed.wait_for(lambda: len(ask(run, "queue?state=parked")["records"]) == len(sizes), 10)
    parked = ask(run, "queue?state=parked")["records"]
    if not run.delivered() or [row["reason"] for row in parked] != ["too-large"] * len(sizes):
        return [f"large: delivered {bed.newest(run.server)}, parked {parked}: " + (work / "log").read_text()[-2000:]]
    if (work / "log").read_text().count("reason=too-large") != len(sizes):
        return ["large: the log does not tell of both: " + (work / "log").read_text()[-2000:]]
    run.relay.stop()
    ini = work / "relay.ini"
    ini.write_text(ini.read_text().replace("memory-mib = 1", "memory-mib = 128"))
    run.start()
    ask(run, "queue/retry", {"where": {"reason": "too-large"}})
    run.wanted.update({serial: serial for serial in range(len(sizes))})
    return run.judge("large", 20)


def copied(given, work):
    run = Run(given, work, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n[store]\nbackup = {work}/backup.db\n")
    new, faults, slowest = work / "backup.db.new", [], 0
    run.relay.stop()  # before it looks whether a backup is due
    with sqlite3.connect(work / "state/outbox.db") as store:  # a table that the relay does not look at
        store.execute("CREATE TABLE ballast(bytes)")
        store.executemany("INSERT INTO ballast VALUES (randomblob(?))", [(1 << 20,)] * 150)
    store.close()
    run.start()
    bed.wait_for(new.exists, 30)
    while new.exists() and run.serial < 1000:
        asked = time.monotonic()
        ask(run, "queue")
        slowest = max(slowest, time.monotonic() - asked)
        run.drop(run.serial)
        time.sleep(0.02)
    before = len(bed.newest(run.server))
    print(f"copied: {run.serial} records taken, {before} delivered meanwhile, the slowest answer after {slowest * 1e3:.0f} ms")
    if not bed.wait_for(lambda: bed.holds(work / "log", b"backed-up"), 30):
        faults.append("copied: no backup")
    if before < 5 or slowest > bed.PATIENCE:
        faults.append(f"copied: {before} delivered meanwhile, the slowest answer after {slowest:.1f} s")
    faults += run.judge("copied")
    with sqlite3.connect(work / "backup.db") as copy:
        rows = copy.execute("SELECT count(*) FROM record").fetchone()[0]
    copy.close()
    if not 5 <= rows <= run.serial:
        faults.append(f"copied: the copy holds {rows} of {run.serial} records")
    return faults


def lines(given, work):
    run = Run(given, work, in_flight=32, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n[folder other]\npath = {work}/other\nto = hospital\n",
              before=["sh", "-c", f'mkdir -p {work}/other; exec "$0" "$@"'])
    faults, slowest, asked, count = [], 0, 0, 1500
    texts = [bed.record(serial, serial, serial % 40) for serial in range(count)]  # the last lines correct the first
    texts += [bed.record(count + serial, serial, serial % 40, revision=2) for serial in range(100)]
    texts.insert(700, "{")
    beside = work / "beside"
    beside.write_text("\n".join(texts))
    beside.rename(work / "drop/all.ndjson")
    (work / "beside").write_text(bed.record(9000, 9000, 41))
    (work / "beside").rename(work / "other/one.json")
    dropped = time.monotonic()
    run.wanted = {serial: serial + (count if serial < 100 else 0) for serial in range(count)} | {9000: 9000}
    while not (work / "drop/rejected/all.ndjson").exists() and asked < 5000:
        begun = time.monotonic()
        ask(run, "queue?limit=1")
        slowest = max(slowest, time.monotonic() - begun)
        asked += 1
    took = time.monotonic() - dropped
    print(f"lines: taken in {took:.1f} s, {asked} questions meanwhile, the slowest answer after {slowest * 1e3:.0f} ms")
    if asked < 4 or slowest > max(0.5 * bed.PATIENCE, took / 3):
        faults.append(f"lines: {asked} answers in {took:.1f} s, the slowest after {slowest:.1f} s")
    findings = json.loads((work / "drop/rejected/all.ndjson.diagnostics.json").read_text())
    if [finding["line"] for finding in findings if finding["severity"] in ("error", "fatal")] != [701]:
        faults.append(f"lines: {findings[:2]}")
    run.serial = 0
    return faults + run.judge("lines", 90)


def halfway(given, work):
    run = Run(given, work, in_flight=32)
    for end in (run.relay.stop, run.relay.kill):
        count, first, before = 800, run.serial, run.server.requests
        texts = [bed.record(serial, serial, serial % 40) for serial in range(first, first + count)]
        run.serial += count
        run.wanted.update({serial: serial for serial in range(first, first + count)})
        (work / "beside").write_text("\n".join(texts))
        (work / "beside").rename(work / f"drop/{first}.ndjson")
        while run.server.requests == before and not run.relay.ended():  # its first records are sent, and the last not yet mapped
            time.sleep(0.001)
        print(f"halfway: taken already: {(work / f'drop/done/{first}.ndjson').exists()}")
        end()
        run.start()
    run.serial = 0
    return run.judge("halfway", 60)


def storm(given, work):
    run = Run(given, work, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    file, faults, slowest = work / "mappings/destinations/hospital.json", [], 0
    good = file.read_text()
    token = work / "token"
    token.touch(0o600)
    token.write_text("a-good-token\n")
    bearer = json.dumps({**json.loads(good), "auth": {"type": "bearer", "tokenFile": str(token)}})
    texts = (good, "{", bearer, "", good.replace("transaction", "tranaction"), bearer)
    for number in range(30):
        file.write_text(texts[number % len(texts)])
        beside = work / "token.new"
        beside.touch(0o600)
        beside.write_text("" if number % 4 == 1 else "two\nlines\n" if number % 4 == 2 else "a-good-token\n")
        beside.rename(token)
        for _ in range(3):
            run.relay.process.send_signal(1)
        run.drop(number % 7)
        begun = time.monotonic()
        ask(run, "queue?limit=1")
        slowest = max(slowest, time.monotonic() - begun)
    file.write_text(good)
    token.write_text("a-good-token\n")
    run.relay.process.send_signal(1)
    log = (work / "log").read_bytes()
    print(f"storm: {log.count(b'reloaded ')} reloads, {log.count(b'reload-refused')} refused, the slowest answer after {slowest * 1e3:.0f} ms")
    if not log.count(b"reload-refused") or slowest > 3 * bed.PATIENCE:
        faults.append(f"storm: the slowest answer after {slowest:.1f} s")
    faults += run.judge("storm", 40)
    parked = (work / "log").read_bytes().count(b"parked destination")
    return faults + ([f"storm: {parked} were parked"] if parked else [])


def latencies(run, count, chance):
    first = run.serial
    for _ in range(count):
        run.drop(1000 + run.serial)
        time.sleep(chance.random() * 0.02)
    bed.wait_for(run.delivered, 60)
    arrived = {bed.session_of(identity): at for (kind, identity), at in run.server.arrived.items() if kind == "Encounter"}
    return sorted(arrived.get(session, 1e9) - run.dropped_at[session] for session in range(first, run.serial))


def left_with(server):
    """(type, identity) -> the serial that wrote it last."""
    return {(kind, identity): serial for kind, identity, serial in bed.commits_of(server)}


def take_back(name, run, correct, gated=False):
    """A session, its correction, which `correct` sees to once it is dropped, and what it was at first. `gated`: the server waits with
    the correction until `correct` opens its gate."""
    for turn, serial in enumerate((10, 20, 10)):
        before = len(run.server.posts)
        if turn == 1 and gated:
            run.server.gate.clear()
        bed.drop(run.work, turn, bed.record(serial, 1, 7, revision=turn + 1))
        if turn == 1:
            correct(before)
        bed.wait_for(lambda: bed.newest(run.server) == {1: serial}, 20)
        bed.wait_for(lambda turn=turn: f"done destination=hospital record={turn + 1} " in (run.work / "log").read_text(), 20)
    left = left_with(run.server)
    faults = [] if set(left.values()) == {10} else [f"{name}: the server was left with {left}"]
    ended = run.relay.stop()
    return faults + ([f"{name}: the relay ended with {ended}"] if ended else [])


def kill_at(run, requests):
    def correct(before):
        run.server.stall = 0.3
        bed.wait_for(lambda: len(run.server.posts) >= before + requests, 20)
        run.relay.kill()
        run.server.stall = 0
        run.start()
    return correct


def taken_back(given, work):
    """A server that is looked at before, and never told what it has already, is where it shows: of what was found to be there as the
    correction has it the store must know that."""
    work.mkdir()
    faults = []
    for shape, requests in (("update", 1), ("single", 1), ("single", 2)):
        run = Run(given, work / f"{shape}-{requests}", shape=shape, settle=600)
        faults += take_back(f"taken_back: {shape}, killed at request {requests}", run, kill_at(run, requests))
    return faults


def given_up(given, work):
    if not given.lapse:
        print("given_up: skipped, without the library")
        return []
    file = given.work / "lapse"
    run = Run(given, work, environment={"LAPSE_FILE": str(file), **preload(given.lapse)}, settle=100)
    log = work / "log"

    def correct(before):
        bed.wait_for(lambda: len(run.server.posts) > before, 20)
        (work / "lapse").write_text("UPDATE record SET state = ?2")
        (work / "lapse").rename(file)
        run.server.gate.set()

    faults = take_back("given_up", run, correct, gated=True)
    return faults + ([] if bed.holds(log, b"not-settled") else ["given_up: no group was given up"])


def nothing_comes(given, work):
    """What is tried again for ever is told when it comes to nothing, and when it goes on."""
    if not given.lapse:
        print("nothing_comes: skipped, without the library")
        return []
    file, log, faults = given.work / "lasts", work / "log", []
    run = Run(given, work, environment={"LAPSE_FILE": str(file), "LAPSE_LASTS": "1", **preload(given.lapse)})
    for statement, fails, works in (("SELECT head, id FROM lane", b"claims-fail what=hospital", b"claims-work what=hospital"),
                                    ("UPDATE record SET state = ?2", b"ends-fail what=hospital", b"ends-work what=hospital"),
                                    ("SELECT id, destination, state, accepted", b"upkeep-fails what=store", b"upkeep-works what=store")):
        (work / "lapse").write_text(statement)
        (work / "lapse").rename(file)
        run.drop(1)
        faults += [] if bed.wait_for(lambda word=fails: bed.holds(log, word), 20) else [f"nothing_comes: no {fails.decode()}"]
        file.unlink()
        faults += [] if bed.wait_for(lambda word=works: bed.holds(log, word), 20) else [f"nothing_comes: no {works.decode()}"]
    return faults + run.judge("nothing_comes")


def longest(given, work):
    """Of the longest answer that is read, one byte less and one more: the last is asked for again, since nobody knows what it said."""
    run, cap, faults = Run(given, work), 4096, []
    file, log = work / "mappings/destinations/hospital.json", work / "log"
    file.write_text(json.dumps({**json.loads(file.read_text()), "maxResponseBytes": cap}))
    run.relay.process.send_signal(signal.SIGHUP)
    bed.wait_for(lambda: bed.holds(log, b"reloaded"), 10)
    for patient, size in enumerate((cap - 1, cap, cap + 1)):
        run.server.pads.append(size)
        run.drop(patient)
        bed.wait_for(lambda: log.read_bytes().count(b"done destination") == patient + 1, 20)
        if bed.holds(log, b"reason=answer-too-large") != (size > cap):
            faults.append(f"longest: an answer of {size} bytes for {cap}")
    faults += run.judge("longest", 20)
    return faults + ([] if run.server.requests == 4 else [f"longest: {run.server.requests} requests"])


def unseen(given, work):
    """What waits for a destination that is not there any more cannot be seen at the start: it is told later."""
    if not given.lapse:
        print("unseen: skipped, without the library")
        return []
    file = given.work / "once"
    run = Run(given, work, ("hospital", "archive"), environment={"LAPSE_FILE": str(file), **preload(given.lapse)})
    run.servers["archive"].stop()
    run.drop(1)
    bed.wait_for(run.delivered, 20)
    run.relay.stop()
    whole = (work / "relay.ini").read_text()
    (work / "relay.ini").write_text(whole[:whole.index("[destination archive]")].replace("to = hospital, archive", "to = hospital"))
    file.write_text("SELECT name FROM destination")
    run.start()
    faults = ["unseen: it was looked for at no time"] if file.exists() else []
    if not bed.wait_for(lambda: bed.holds(work / "log", b"destination-missing what=archive"), 20):
        faults.append("unseen: nobody is told")
    return faults + run.judge("unseen")


def dead(given, work):
    run, chance = Run(given, work, ("hospital", "registry")), random.Random(given.seed)
    before = latencies(run, 300, chance)
    run.servers["registry"].stop()
    after = latencies(run, 300, chance)
    at = int(0.99 * len(before))
    print(f"dead: p50 {before[150] * 1e3:.0f} -> {after[150] * 1e3:.0f} ms, p99 {before[at] * 1e3:.0f} -> {after[at] * 1e3:.0f} ms")
    faults = [] if after[at] < 2 * before[at] + 0.1 * bed.PATIENCE else ["dead: p99 more than doubled"]
    run.servers["registry"].start()
    if not bed.wait_for(lambda: run.delivered("registry"), 60):
        faults.append("dead: the registry did not get all when it came back")
    return faults + run.judge("dead")


def twins(given, work):
    run = Run(given, work, ("hospital", "ward"), one_server=True)
    run.server.stall = 0.05
    for patient in range(20):  # of different patients: each destination has lanes of its own
        run.drop(patient)
    written = bed.wait_for(lambda: len(run.server.posts) >= 2 * run.serial, 60)
    return ([] if written else ["twins: not all was written twice"]) + run.judge("twins")


def moved(given, work):
    """Two destinations of one server; one of them waits for what the other writes there, which is led elsewhere meanwhile."""
    run, faults = Run(given, work, ("hospital", "ward"), one_server=True, timeout=30000), []
    elsewhere = ehr.Ehr(given.work / "certs/server.pem", given.work / "certs/server.key", given.seed, 0)
    run.server.gate.clear()
    run.drop(1)
    begun = bed.wait_for(lambda: run.server.posts, 20)
    hospital = work / "mappings/destinations/hospital.json"
    hospital.write_text(json.dumps({**json.loads(hospital.read_text()), "base": elsewhere.base}))
    run.relay.process.send_signal(signal.SIGHUP)
    if not begun or not bed.wait_for(lambda: bed.holds(work / "log", b"reloaded destinations=2"), 5) or len(run.server.posts) != 1:
        faults.append(f"moved: it was not reloaded while one waits: {len(run.server.posts)} requests")
    run.server.gate.set()
    if not bed.wait_for(lambda: all(bed.holds(work / "log", b"done destination=" + name) for name in (b"hospital", b"ward")), 10):
        faults.append("moved: the one that waits is never asked again")
    run.drop(2)
    if not bed.wait_for(lambda: bed.newest(elsewhere) == {1: 1}, 20):
        faults.append(f"moved: elsewhere is {bed.newest(elsewhere)}")
    elsewhere.stop()
    return faults + run.judge("moved")


def poison(given, work, word):
    run = Run(given, work, destination=f"parked = {word}")
    run.server.refuse = lambda resource: resource["resourceType"] == "Encounter" and bed.serial_of(resource) == 0
    run.drop(1)
    bed.wait_for(lambda: run.server.posts, 20)
    run.drop(1)
    run.drop(2)
    del run.wanted[0]  # it never arrives
    behind = 1
    if word == "block":
        del run.wanted[behind]
    bed.wait_for(run.delivered, 20)
    time.sleep(1)  # to let arrive what must not
    faults = run.judge(word)
    if word == "block" and behind in bed.newest(run.server):
        faults.append("block: what came later passed the parked record")
    return faults


def block(given, work):
    return poison(given, work, "block")


def skip(given, work):
    return poison(given, work, "skip")


def walled(given, work):
    run = Run(given, work)
    run.server.forbid = lambda body: f"{bed.CANARY}-1000".encode() in body
    del run.wanted[run.drop(1000)]
    log, slowest = work / "log", 0
    while not bed.holds(log, b"reason=http-403") and run.serial < 300 and not run.relay.ended():
        session = run.drop(run.serial)
        bed.wait_for(lambda: session in bed.newest(run.server), 20)
        slowest = max(slowest, time.monotonic() - run.dropped_at[session])
    told = bed.wait_for(lambda: bed.holds(log, b'alert state=records-parked what=hospital why="1 parked"'), 15)
    text = log.read_text()
    print(f"walled: parked after {text.count('reason=credential-refused') + 1} attempts, the slowest of {run.serial - 1} others after {slowest:.1f} s")
    faults = [f"walled: {what}" for what, wrong in
              (("nobody is told", not told), ("not parked", "parked destination=hospital record=1 reason=http-403 attempt=4" not in text),
               ("the destination is held", "destination-held" in text), (f"another waited {slowest:.1f} s", slowest > 5 * bed.PATIENCE)) if wrong]
    return faults + run.judge("walled")


def gives_up(given, work):
    run = Run(given, work, destination="attempts = 3", folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    log = work / "log"
    run.server.stop()
    run.drop(1)
    bed.wait_for(lambda: bed.holds(log, b"reason=gave-up"), 30)
    row = ask(run, "queue/1")
    faults = [] if (row["state"], row["reason"], row["attempts"]) == ("parked", "gave-up", 3) else [f"gives_up: {row}"]
    if not bed.wait_for(lambda: bed.holds(log, b"alert state=records-parked what=hospital"), 15):
        faults.append("gives_up: nobody is told")
    run.server.start()
    ask(run, "queue/1/retry", {"actor": "anna"})
    return faults + run.judge("gives_up", 30)


def held(given, work):
    run = Run(given, work, destination="attempts = 3")
    log = work / "log"
    run.server.forbid = lambda body: True
    run.drop(1)
    faults = [] if bed.wait_for(lambda: bed.holds(log, b"reason=credential-refused attempt=5"), 30) else ["held: it is not tried"]
    run.server.busy = 1
    run.server.forbid = None
    faults += run.judge("held", 30)
    text = log.read_text()
    faults += [f"held: no {word}" for word in ("destination-held", "reason=http-429", "destination-cleared") if word not in text]
    return faults + (["held: parked"] if "reason=gave-up" in text else [])


def hang(given, work):
    run = Run(given, work, timeout=1000)
    run.server.stall = 1.5
    for patient in range(4):
        run.drop(patient)
    bed.wait_for(lambda: len(run.server.posts) > 3, 20)
    time.sleep(1.2)
    run.server.stall = 0
    time.sleep(1.5)
    return run.judge("hang")


def died(given, work):
    run = Run(given, work)
    run.server.stall = 1
    for patient in (1, 1, 2):
        run.drop(patient)
    bed.wait_for(lambda: run.server.posts, 20)
    run.relay.kill()
    run.start()
    return run.judge("died")


def restart(given, work):
    run = Run(given, work)
    for _ in range(3):
        for patient in range(20):
            run.drop(patient)
        run.server.stop()
        time.sleep(1)
        run.server.start()
    return run.judge("restart")


def pause(given, work):
    run = Run(given, work, timeout=1000)
    run.server.stall = 0.05
    for _ in range(3):
        for patient in range(20):
            run.drop(patient)
        subprocess.run(["kill", "-STOP", str(run.relay.process.pid)], check=True)
        time.sleep(1.5)
        subprocess.run(["kill", "-CONT", str(run.relay.process.pid)], check=True)
    return run.judge("pause")


def later(given, work):
    run = Run(given, work)
    run.server.busy = 3
    run.drop(1)
    faults = run.judge("later", 20)
    gap = run.server.posts[1] - run.server.posts[0] if len(run.server.posts) > 1 else 0
    print(f"later: asked for 3 s, {gap:.1f} s later")
    return faults + ([] if 2.9 < gap < 6 * bed.PATIENCE else [f"later: {gap:.1f} s"])


def missing(given, work):
    """Two destinations, of which one is removed."""
    run = Run(given, work, ("hospital", "archive"), folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    archive, faults = run.servers["archive"], []
    archive.stop()
    run.drop(1)
    bed.wait_for(run.delivered, 20)
    run.relay.stop()
    whole = (work / "relay.ini").read_text()
    without = whole.replace("to = hospital, archive", "to = hospital")
    (work / "relay.ini").write_text(without[:without.index("[destination archive]")])
    run.start()
    run.drop(2)
    bed.wait_for(run.delivered, 20)
    if b"destination-missing what=archive" not in (work / "log").read_bytes():
        faults.append("missing: nobody is told")
    metrics = subprocess.run(["curl", "-sS", "--unix-socket", work / "socket", "http://localhost/metrics"], capture_output=True, check=True).stdout
    if not any(f'destination="archive",state="{state}"}} 1'.encode() in metrics for state in ("queued", "unknown")):
        faults.append("missing: it is not in the metrics")
    run.relay.stop()
    (work / "relay.ini").write_text(whole)
    archive.start()
    run.start()
    if not bed.wait_for(lambda: len(bed.newest(archive)) == 1, 30):
        faults.append("missing: it is back, and nothing is sent")
    return faults + run.judge("missing")


def protocol(given, work):
    run = Run(given, work, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    file, faults = work / "mappings/destinations/hospital.json", []
    good = file.read_text()
    run.server.stop()
    for patient in range(3):
        run.drop(patient)
    bed.wait_for(lambda: len(bed.acknowledged(work)) == 3, 20)
    file.write_text(json.dumps({"protocol": "mllp", "address": "127.0.0.1:9", "tls": False}))
    run.relay.process.send_signal(1)
    if not bed.wait_for(lambda: b"destination-held" in (work / "log").read_bytes(), 20):
        faults.append("protocol: it is not held: " + (work / "log").read_text()[-500:])
    if ask(run, "queue?state=parked")["records"]:
        faults.append("protocol: records are parked")
    run.server.start()
    file.write_text(good)
    run.relay.process.send_signal(1)
    return faults + run.judge("protocol")


def full(given, work):
    run = Run(given, work, relay="[store]\nmax-records = 5", folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
    run.server.stop()
    for patient in range(12):
        run.drop(patient)
        time.sleep(0.01)
    bed.wait_for(lambda: len(bed.acknowledged(work)) == 5, 10)
    time.sleep(1.5)
    taken, log = bed.acknowledged(work), work / "log"
    refused = ask(run, "records", json.loads(bed.record(900, 900, 900)))
    told = bed.wait_for(lambda: all(bed.holds(log, b"alert state=store-full what=" + who) for who in (b"http", b"drop")), 10)
    run.server.start()
    takes = bed.wait_for(lambda: ask(run, "records", json.loads(bed.record(901, 901, 901))).get("records") == 1, 40)
    run.wanted[901] = 901
    faults = run.judge("full", 40)
    faults += [] if refused.get("status") == 503 and "full" in refused["detail"] and told else [f"full: {refused}, {told}"]
    faults += [] if takes and bed.holds(log, b"alert state=store-takes what=http") else ["full: it takes no more posts"]
    return faults + ([] if taken == set(range(5)) else [f"full: {sorted(taken)} were taken into a store of 5"])


def clock(given, work):
    if not FAKETIME.exists():
        print("clock: skipped, faketime is not installed")
        return []
    stamp = given.work / "now"
    stamp.write_text("+0\n")
    environment = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1",
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    run = Run(given, work, relay="log = json", environment=environment)
    for jump in ("+0", "+10y", "-10y", "+0"):
        stamp.write_text(jump + "\n")
        for patient in range(8):  # more than make a destination one in trouble: no certificate is good in ten years
            run.drop(patient)
        time.sleep(1.5)
    faults = run.judge("clock", 90)
    times = [json.loads(line)["time"] for line in (work / "log").read_text().splitlines()]
    years = (max(times) - min(times)) / 1000 / 86400 / 365
    print(f"clock: the relay saw {years:.0f} years go by")
    return faults + ([] if years > 19 else ["clock: it did not jump"])


def back(given, work):
    """By days, and by less than the longest wait."""
    if not given.clock:
        print("back: skipped, without the library")
        return []
    work.mkdir()
    return [fault for seconds in (2 * 86400, 1800) for fault in set_back(given, work / str(seconds), seconds)]


def set_back(given, work, seconds):
    stamp = given.work / "back-clock"
    stamp.write_bytes(struct.pack("=qq", seconds * 1000, 0))
    lapse = given.work / "back-lapse"
    run = Run(given, work, environment={"CLOCK_FILE": str(stamp), "LAPSE_FILE": str(lapse), **preload(":".join(filter(None, (given.clock, given.lapse))))})
    run.server.stop()
    for patient in range(8):
        run.drop(patient)
    faults = [] if bed.wait_for(lambda: bed.holds(work / "log", b"destination-unavailable"), 30) else ["back: no trouble"]
    (work / "lapse").write_text("UPDATE lane SET due = max")
    (work / "lapse").rename(lapse)  # it cannot be noted the first time
    with open(stamp, "r+b") as file:  # mapped by the relay
        file.write(struct.pack("=qq", 0, 0))
    begun = time.monotonic()
    run.server.start()
    faults += run.judge(f"back by {seconds} s", 30)
    faults += ["back: it was noted at once"] if given.lapse and lapse.exists() and seconds < 86400 else []
    lapse.unlink(missing_ok=True)
    print(f"back by {seconds} s: delivered after {time.monotonic() - begun:.0f} s")
    return faults


def ahead(given, work):
    """At a start: what came before is known all the same, and the clock is believed when a server's agrees with it."""
    if not given.clock:
        print("ahead: skipped, without the library")
        return []
    stamp = given.work / "far-ahead"
    stamp.write_bytes(struct.pack("=qq", 0, 0))
    run = Run(given, work, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n",
              environment={"CLOCK_FILE": str(stamp), **preload(given.clock)})
    faults, text, log = [], json.loads(bed.record(0, 0, 0)), work / "log"

    def expect(what, words):
        if not what:
            faults.append(f"ahead: {words}")

    def restart(years):
        run.relay.stop()
        stamp.write_bytes(struct.pack("=qq", years * 365 * 86400000, 0))
        run.start()
        time.sleep(6)  # its upkeep

    expect(ask(run, "records", text).get("records") == 1, "it was not taken")
    run.wanted[0], run.serial = 0, 1
    expect(bed.wait_for(run.delivered, 20), "it was not delivered")
    time.sleep(6)
    for years in (12, 12, 0):
        restart(years)
        answer = ask(run, "records", text)
        expect(answer.get("again") == 1, f"with {years} years it is not known any more: {answer}")
        expect(bed.holds(log, b"alert state=clock-ahead") and not bed.holds(log, b" swept "), "it is not told, or swept")
        expect((ask(run, "store")["clockAheadSeconds"] > 11 * 365 * 86400) == (years > 0), "GET /store does not tell")
    run.relay.stop()
    subprocess.run(["sqlite3", work / "state/outbox.db", "UPDATE store SET clock = clock - 40 * 86400000"], check=True)
    log.write_text("")  # the relay was away for forty days
    run.start()
    expect(bed.wait_for(lambda: bed.holds(log, b'alert state=clock-ahead what=store why="40 days"'), 20), "forty days are not told")
    run.drop(1)
    expect(bed.wait_for(run.delivered, 20), "what came next was not delivered")
    time.sleep(6)
    expect(not bed.holds(log, b"clock-agrees"), "believed without a word of a server")
    run.server.dated = True
    run.drop(2)
    expect(bed.wait_for(lambda: bed.holds(log, b"alert state=clock-agrees"), 20), "not believed though a server agrees")
    return faults + run.judge("ahead", 20)


def finish(given, work):
    """Without room on the disk, or without quota."""
    if not given.nospace:
        print("finish: skipped, without the library")
        return []
    work.mkdir()
    return [fault for why in ("disk", "quota") for fault in finish_without_room(given, work / why, "" if why == "disk" else "quota")]


def finish_without_room(given, work, text):
    full_disk = work.with_suffix(".full")
    run = Run(given, work, environment={"NOSPACE_FILE": str(full_disk), **preload(given.nospace)})
    run.server.gate.clear()
    run.drop(1)
    bed.wait_for(lambda: run.server.posts, 30)
    full_disk.write_text(text)
    run.server.gate.set()
    log = run.work / "log"
    faults = [] if bed.wait_for(lambda: bed.holds(log, b"alert state=ends-fail"), 30) else ["finish: not told"]
    if not run.delivered():
        faults.append("finish: the server did not take it, so nothing was to be finished")
    run.drop(2)  # not taken while it is full
    bed.wait_for(lambda: bed.holds(log, b"alert state=folder-fails"), 10)
    faults += ["finish: it ended"] if run.relay.ended() else ["finish: taken without room"] if bed.acknowledged(work) - {0} else []
    full_disk.unlink()
    faults += [] if bed.wait_for(lambda: bed.holds(log, b"alert state=ends-work"), 10) and bed.wait_for(run.delivered, 20) else ["finish: it does not go on"]
    full_disk.write_text(text)
    run.drop(3)
    time.sleep(2)
    run.relay.kill()
    run.start()
    bed.comes_within(run.relay.ended, 10)
    again = run.relay.process.wait() if run.relay.ended() else run.relay.stop()
    if again not in (0, 74):
        faults.append(f"finish: with a full disk it ends with {again}")
    full_disk.unlink()
    run.start()
    run.drop(1)
    faults += run.judge("finish", 30)
    print(f"finish: on a full disk it ended with {again}")
    return faults


CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename,renameat2", "sendto,sendmsg")
ENDS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")


def preload(library):
    return {"LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}


def one_fault(given, work, call, end, when):
    before = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{end}:when={when}"]
    run = Run(given, work, before=before, environment={"ASAN_OPTIONS": "detect_leaks=0"})
    for patient in range(6):
        run.drop(patient % 3)
    hit = bed.comes_within(run.relay.ended, 2 if run.delivered() else 4)
    status = run.relay.process.wait() if hit else run.relay.stop()
    allowed = {0, 74, 137, -9, 69, 70} if "KILL" in end else {0, 74}
    run.relay.before = []
    run.start()
    faults = run.judge(f"disk {call} {end} {when} -> {status}", 30)
    return faults + ([] if status in allowed else [f"disk: {call} {end} {when}: exit status {status}"])


def disk(given, work):
    if not outbox.may_trace():
        print("disk: skipped, strace may not follow processes here")
        return []
    work.mkdir()
    chance, faults = random.Random(given.seed), []
    cases = [(call, end, when) for call in CALLS for end in ENDS for when in (range(1, 40) if given.full else (1, 2, 3, 5, 8, 13, 21))]
    if not given.full:
        cases = chance.sample(cases, 4)
    for number, (call, end, when) in enumerate(cases):
        faults += one_fault(given, work / str(number), call, end, when)
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("--clock")
    parser.add_argument("--nospace")
    parser.add_argument("--lapse")
    parser.add_argument("relay")
    parser.add_argument("names", nargs="*", choices=(*QUICK, *FULL, []))
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    print(f"seed {given.seed}", flush=True)
    faults = []
    with tempfile.TemporaryDirectory(prefix="ketlink-fault-") as name:
        given.work = pathlib.Path(name)
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", given.work / "certs"], check=True, stdout=subprocess.DEVNULL)
        for name in given.names or (QUICK + FULL if given.full else QUICK):
            faults += globals()[name](given, given.work / name)
    print("\n".join(faults) if faults else "all well")
    return 1 if faults else 0


sys.exit(main())
