#!/usr/bin/env python3
"""The store under faults of the machine: what it has promised must be there afterwards, and each group as a whole or not at all.

    outbox.py [--states N] [--stride N] [--seed N] [--old SCHEMA.sql] DRIVER CONTROL

The driver makes steps that are the same each time: records come, are claimed and end, with the places that go with their ends;
people decide, one by one and of all that a filter finds; rows are swept, the trail is shortened, the store key turns, a copy is
made, a group is given up. Each is one group. Where everything stands after each of them is known from runs that nothing
disturbs; after a fault the store must stand exactly where the last step that was told has left it, or the one that was under way.
With --old it begins with a store of an older version, whose rise is a step like the others.

kill    ends the process at each system call that writes, syncs or shortens (every --stride-th)
error   lets each of those calls fail once with EIO and with ENOSPC: the process must stop, or refuse, without having
        acknowledged what is not there. A commit that found no room is made again, and everything goes on
power   follows the calls of one run, and rebuilds the files as they may stand after the power went at any point: what was
        synced for certain; of what was not, any part, torn at sectors; a name only after its folder was synced. --states
        such disks are opened. The control, a store without synced commits, must lose something, or the test proves nothing.

Sources: reliability rules on storage, 1 to 5; ATC'20 Rebello et al. on failed syncs.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

CALLS = "pwrite64,write,fdatasync,fsync,ftruncate,unlink"
SECTOR = 512
EVERYTHING = "-1"  # steps


class Verifier:
    """One process that opens store after store."""

    def __init__(self, driver):
        self.process = subprocess.Popen([driver, "verify"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self, folder, key=1):
        """All that stands there, as a text. With the store keys from `key` on."""
        self.process.stdin.write(f"{folder} {key}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Promises:
    """What stdout promised."""

    def __init__(self, lines):
        self.step, self.key, self.copied, self.wrong, self.full = -1, 1, None, None, None
        for line in lines:
            word, _, number = line.rpartition(" ")
            if word == "did":
                self.step = int(number)
            elif word == "key":
                self.key = int(number)
            elif word == "full":
                self.full = int(number)
            elif word == "copy":
                self.copied = int(number), self.step + 1  # the step that is to be told is the copy's own
            elif word.startswith("wrong"):
                self.wrong = line


class Course:
    """Where the store stands after each step: -1 before it was opened, 0 when it is open."""

    def __init__(self, driver, parent, verifier, old=None):
        self.driver, self.parent, self.verifier, self.old = driver, parent, verifier, old
        folder = self.begin()
        self.stands = [verifier.look(folder)]
        shutil.rmtree(folder)
        self.steps = "0" if old else EVERYTHING
        for step in range(self.run(self.steps) + 1):
            self.run(str(step))
        self.sound()

    def run(self, steps):
        """How many there were. Of those that follow each other it notes where the store stands."""
        folder = self.begin()
        lines = subprocess.run([self.driver, "run", folder, steps], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        if steps == str(len(self.stands) - 1):
            self.stands.append(self.verifier.look(folder, Promises(lines).key))
        shutil.rmtree(folder)
        return Promises(lines).step

    def begin(self):
        """A folder as the driver finds it."""
        folder = new_folder(self.parent)
        if self.old:
            store = folder / "outbox.db"
            with sqlite3.connect(store) as database:
                database.executescript(self.old)
            database.close()
            store.chmod(0o600)
        return folder

    def sound(self):
        """It must show the faults that it is for: everything is read, most steps change something, and what is left behind waits for somebody."""
        faults = [stand for stand in self.stands if not stand.startswith("ok") or " but " in stand]
        for stand in self.stands:
            left = int(re.search(r" left=(\d+)", stand).group(1)) if not faults else 0
            if left and ":parked" not in stand:
                faults.append(f"something is left and nothing holds it: {stand}")
        if faults or len(set(self.stands)) < len(self.stands) * 2 // 3:
            sys.exit(f"undisturbed it is not as it must be: {faults[:1]}")

    def at(self, first, last):
        """From one step to another."""
        return self.stands[first + 1:last + 2]

    def judge(self, folder, lines):
        """What is wrong with a store, or None."""
        promised = Promises(lines)
        if promised.wrong:
            return promised.wrong
        fault = self.judge_copy(folder, promised)
        if fault:
            return fault
        answer = self.verifier.look(folder, promised.key)
        if answer in self.at(promised.step, promised.step + 1):
            return None
        if not answer.startswith("ok") and answer and promised.step < 0 and not self.old:
            return None  # before anything was promised there may be no store yet that opens
        expected = " OR ".join(differences(answer, stand) for stand in self.at(promised.step, promised.step + 1))
        return f"after step {promised.step}: {expected}" if answer else "the verifier ended"

    def judge_copy(self, folder, promised):
        """The copy that was told is the store, as it was while it was made."""
        if not promised.copied:
            return None
        beside = new_folder(self.parent)
        (folder / "copy").rename(beside / "outbox.db") if (folder / "copy").exists() else None
        answer = self.verifier.look(beside, promised.key)
        shutil.rmtree(beside)
        return None if answer in self.at(*promised.copied) else f"the copy of step {promised.copied}: {answer[:200]}"


def differences(answer, expected):
    """The words that are different."""
    have, want = answer.split(" "), expected.split(" ")
    return f"has {[word for word in have if word not in want]} for {[word for word in want if word not in have]}"


def may_trace():
    """Some machines let nobody follow another process."""
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode == 0


def new_folder(parent):
    folder = pathlib.Path(tempfile.mkdtemp(dir=parent))
    folder.chmod(0o700)
    return folder


# --- kill and error ---

def count_calls(course):
    folder = course.begin()
    trace = course.parent / "calls"
    subprocess.run(["strace", "-f", "-o", trace, "-e", f"trace={CALLS}", course.driver, "run", folder, course.steps],
                   check=True, stdout=subprocess.DEVNULL)
    calls = {}
    for line in whole_calls(trace):
        match = re.match(r"(\w+)\(", line)
        if match:
            calls[match.group(1)] = calls.get(match.group(1), 0) + 1
    shutil.rmtree(folder)
    return calls


def run_with(course, call, number, fault):
    folder = course.begin()
    result = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                             f"inject={call}:{fault}:when={number}", course.driver, "run", folder, course.steps],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return folder, result


def inject(course, fault, stride, calls, chance):
    """Every stride-th call, from one that the seed chooses: over many runs all of them."""
    bad, runs, full = [], 0, 0
    for call, total in calls.items():
        for number in range(1 + chance.randrange(stride), total + 1, stride):
            folder, result = run_with(course, call, number, fault)
            lines = result.stdout.splitlines()
            fault_seen = course.judge(folder, lines)
            runs += 1
            refused = Promises(lines).full
            full += refused is not None
            if refused is not None and Promises(lines).step < refused:
                fault_seen = fault_seen or f"it did not go on after step {refused}, when there was room: {result.returncode}"
            if fault_seen:
                bad.append(f"{call} {number} {fault}: {fault_seen}")
            shutil.rmtree(folder)
    print(f"{fault}: {runs} runs, {len(bad)} bad" + (f", {full} went on without a group" if full else ""))
    return bad


# --- power ---

def unescape(text):
    return bytes.fromhex(text.replace("\\x", ""))


def whole_calls(path):
    """A line for each call, when it has ended: threads come between its beginning and its end."""
    begun = {}
    for line in path.read_text().splitlines():
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>").strip()
            continue
        resumed = re.match(r" *<\.\.\. \w+ resumed>(.*)", call)
        yield begun.pop(thread) + resumed.group(1) if resumed else call.strip()


def read_trace(path, folder):
    """The calls of a run as (what, file, …) in their order; promises as ("say", text)."""
    events, names = [], {}
    pattern = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
    for line in whole_calls(path):
        match = pattern.match(line)
        if not match or int(match.group(3)) < 0:
            continue
        call, inner, result = match.group(1), match.group(2), int(match.group(3))
        texts = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', inner)
        first = inner.split(",")[0].strip()
        if call == "openat":
            name = unescape(texts[0]).decode()
            names[result] = name if name.startswith(folder) else None
            if names[result] and "O_CREAT" in inner:
                events.append(("make", name))
        elif call == "close":
            names.pop(int(first), None)
        elif call == "unlink":
            events.append(("drop", unescape(texts[0]).decode()))
        elif call == "write" and first == "1":
            events.append(("say", unescape(texts[0]).decode()))
        elif names.get(int(first)) is None:
            continue
        elif call == "pwrite64":
            events.append(("write", names[int(first)], int(inner.split(",")[-1]), unescape(texts[0])))
        elif call == "ftruncate":
            events.append(("cut", names[int(first)], int(inner.split(",")[1])))
        elif call in ("fdatasync", "fsync"):
            events.append(("sync", names[int(first)]))
    return events


def record(driver, course):
    """The calls of a run, and the files that were there before."""
    folder = course.begin()
    before = {str(path): path.read_bytes() for path in folder.iterdir()}
    trace = course.parent / "trace"
    subprocess.run(["strace", "-f", "-xx", "-s", "1000000", "-o", trace, "-e",
                    f"trace=openat,close,{CALLS}", driver, "run", folder, course.steps],
                   check=True, stdout=subprocess.DEVNULL)
    events = read_trace(trace, str(folder))
    shutil.rmtree(folder)
    return events, str(folder), before


class File:
    def __init__(self, synced=b"", named=False):
        self.synced = bytearray(synced)
        self.pending = []
        self.named = named  # durably


def apply(content, change, chance=None):
    """One write or cut; torn at sectors when chance is given, or its beginning is not there, or its end."""
    if change[0] == "cut":
        size = change[2]
        del content[size:]
        content.extend(bytes(size - len(content)))
        return
    at, data = change[2], change[3]
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    mood = chance.random() if chance else 0
    if mood < 0.8:
        split = chance.randrange(0, len(data), SECTOR) if mood > 0.5 else 0
        first, last = (split, len(data)) if mood < 0.7 else (0, split)
        content[at + first:at + last] = data[first:last]
        return
    for start in range(0, len(data), SECTOR):
        if chance.random() < 0.5:
            content[at + start:at + start + SECTOR] = data[start:start + SECTOR]


class Disk:
    """What is certain and what is not, after the events so far."""

    def __init__(self, folder, before):
        self.folder, self.promised = folder, []
        self.files = {name: File(content, True) for name, content in before.items()}

    def follow(self, event):
        what, name = event[0], event[1]
        if what == "say":
            self.promised += name.splitlines()
        elif what == "make":
            self.files.setdefault(name, File())
        elif what == "drop":
            self.files.pop(name, None)
        elif what == "sync" and name == self.folder:
            for file in self.files.values():
                file.named = True
        elif what == "sync":
            file = self.files[name]
            for change in file.pending:
                apply(file.synced, change)
            file.pending = []
        else:
            self.files[name].pending.append(event)

    def after_power_loss(self, chance, into):
        """All, none or any of what was not synced."""
        mood = chance.choice(("none", "all", "some", "some"))
        for name, file in self.files.items():
            if not file.named and chance.random() < 0.5:
                continue
            content = bytearray(file.synced)
            for change in file.pending:
                if mood == "all" or (mood == "some" and chance.random() < 0.6):
                    apply(content, change, chance if mood == "some" else None)
            target = into / pathlib.Path(name).name
            target.write_bytes(content)


def heads_left_open(events):
    """A log that begins anew has its head synced before frames follow: with the old head old frames would count once more where new ones
    are not there yet, which few states show."""
    heads, bad = set(), []
    for number, event in enumerate(events):
        log = event[1] if event[0] in ("write", "sync") and event[1].endswith("-wal") else None
        if log and event[0] == "sync":
            heads.discard(log)
        elif log and event[2] == 0:
            heads.add(log)
        elif log and log in heads:
            bad.append(f"call {number}: the head of the log is not synced, and frames follow")
            heads.discard(log)
    return bad


def lose_power(driver, course, states, chance):
    events, folder, before = record(driver, course)
    points = sorted(chance.choices(range(len(events) + 1), k=states))
    disk, at, bad = Disk(folder, before), 0, heads_left_open(events)
    for point in points:
        while at < point:
            disk.follow(events[at])
            at += 1
        into = new_folder(course.parent)
        disk.after_power_loss(chance, into)
        fault = course.judge(into, disk.promised)
        if fault:
            bad.append(f"power lost after call {point} of {len(events)}: {fault}")
        shutil.rmtree(into)
    return bad, len(events)


def run_all(given, course, stride, states, chance):
    calls = count_calls(course)
    bad = []
    for fault in ("signal=SIGKILL", "error=EIO", "error=ENOSPC"):
        bad += inject(course, fault, stride, calls, chance)
    lost, events = lose_power(given.driver, course, states, chance)
    print(f"power: {states} states of {events} calls, {len(lost)} bad")
    return bad + lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--states", type=int, default=600)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--old", type=pathlib.Path, action="append", default=[])
    parser.add_argument("driver")
    parser.add_argument("control")
    given = parser.parse_args()
    if not may_trace():
        print("skipped: strace may not follow processes here")
        return 77
    print(f"seed {given.seed}")
    # the leak sanitizer does not work under strace, and a process that is killed leaks
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    chance = random.Random(given.seed)
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shm) as name:
        parent = pathlib.Path(name)
        verifier = Verifier(given.driver)
        course = Course(given.driver, parent, verifier)
        print(f"{len(course.stands) - 2} steps")
        bad = run_all(given, course, given.stride, given.states, chance)
        control, _ = lose_power(given.control, course, given.states // 3, chance)
        print(f"control without synced commits: {len(control)} of {given.states // 3} bad")
        for old in given.old:
            print(old.name)
            bad += run_all(given, Course(given.driver, parent, verifier, old.read_text()), max(1, given.stride // 6), given.states // 10, chance)
        verifier.close()
    for line in bad[:20]:
        print(line)
    if not control:
        print("the control was not caught: this test proves nothing")
    return 1 if bad or not control else 0


if __name__ == "__main__":
    sys.exit(main())
