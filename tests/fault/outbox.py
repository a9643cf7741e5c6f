#!/usr/bin/env python3
"""The store under faults of the machine: what it has promised must be there afterwards.

    outbox.py [--states N] [--stride N] [--seed N] DRIVER CONTROL

kill    ends the process at each system call that writes, syncs or shortens (every --stride-th); what was acknowledged must
        be in the store when it is opened again
error   lets each of those calls fail once with EIO and with ENOSPC: the process must stop, or refuse, without having
        acknowledged what is not there
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
import subprocess
import sys
import tempfile

CALLS = "pwrite64,write,fdatasync,fsync,ftruncate,unlink"
SECTOR = 512
COUNT = 40


class Verifier:
    """One process that opens store after store."""

    def __init__(self, driver):
        self.process = subprocess.Popen([driver, "verify"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self, folder):
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def promises(lines):
    """What stdout promised: number -> "ack" or "done"."""
    promised = {}
    for line in lines:
        word, _, number = line.partition(" ")
        if word in ("ack", "done"):
            promised[number] = word
    return promised


def judge(answer, promised):
    """What is wrong with a store, or None."""
    if not answer.startswith("ok"):
        # before anything was promised there may be no store yet that opens
        return answer or "the verifier ended" if promised or not answer else None
    rows = [word.split(":") for word in answer.split()[1:]]
    found = dict(rows)
    if len(found) != len(rows):
        return "a record stands there twice"
    for number, word in promised.items():
        if number not in found:
            return f"record {number} was acknowledged and is gone"
        if word == "done" and found[number] != "done":
            return f"record {number} was delivered and is {found[number]}"
    return None


def may_trace():
    """Some machines let nobody follow another process."""
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode == 0


def new_folder(parent):
    folder = pathlib.Path(tempfile.mkdtemp(dir=parent))
    folder.chmod(0o700)
    return folder


# --- kill and error ---

def count_calls(driver, parent):
    folder = new_folder(parent)
    trace = parent / "calls"
    subprocess.run(["strace", "-f", "-o", trace, "-e", f"trace={CALLS}", driver, "run", folder, str(COUNT)],
                   check=True, stdout=subprocess.DEVNULL)
    calls = {}
    for line in trace.read_text().splitlines():
        match = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if match:
            calls[match.group(1)] = calls.get(match.group(1), 0) + 1
    shutil.rmtree(folder)
    return calls


def run_with(driver, parent, call, number, fault):
    folder = new_folder(parent)
    result = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                             f"inject={call}:{fault}:when={number}", driver, "run", folder, str(COUNT)],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return folder, result


def inject(driver, parent, verifier, fault, stride, calls, chance):
    """Every stride-th call, from one that the seed chooses: over many runs all of them."""
    bad, runs = [], 0
    for call, total in calls.items():
        for number in range(1 + chance.randrange(stride), total + 1, stride):
            folder, result = run_with(driver, parent, call, number, fault)
            promised = promises(result.stdout.splitlines())
            fault_seen = judge(verifier.look(folder), promised)
            runs += 1
            if fault_seen:
                bad.append(f"{call} {number} {fault}: {fault_seen}")
            shutil.rmtree(folder)
    print(f"{fault}: {runs} runs, {len(bad)} bad")
    return bad


# --- power ---

def unescape(text):
    return bytes.fromhex(text.replace("\\x", ""))


def read_trace(path, folder):
    """The calls of a run as (what, file, …) in their order; promises as ("say", text)."""
    events, names = [], {}
    pattern = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
    for line in path.read_text().splitlines():
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


def record(driver, parent):
    folder = new_folder(parent)
    trace = parent / "trace"
    subprocess.run(["strace", "-f", "-xx", "-s", "1000000", "-o", trace, "-e",
                    f"trace=openat,close,{CALLS}", driver, "run", folder, str(COUNT)],
                   check=True, stdout=subprocess.DEVNULL)
    events = read_trace(trace, str(folder))
    shutil.rmtree(folder)
    return events, str(folder)


class File:
    def __init__(self):
        self.synced = bytearray()
        self.pending = []
        self.named = False  # its name is durable


def apply(content, change, chance=None):
    """One write or cut; torn at sectors when chance is given."""
    if change[0] == "cut":
        size = change[2]
        del content[size:]
        content.extend(bytes(size - len(content)))
        return
    at, data = change[2], change[3]
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    if chance is None or chance.random() < 0.7:
        content[at:at + len(data)] = data
        return
    for start in range(0, len(data), SECTOR):
        if chance.random() < 0.5:
            content[at + start:at + start + SECTOR] = data[start:start + SECTOR]


class Disk:
    """What is certain and what is not, after the events so far."""

    def __init__(self, folder):
        self.folder, self.files, self.promised = folder, {}, []

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


def lose_power(driver, parent, verifier, states, chance):
    events, folder = record(driver, parent)
    points = sorted(chance.choices(range(len(events) + 1), k=states))
    disk, at, bad = Disk(folder), 0, []
    for point in points:
        while at < point:
            disk.follow(events[at])
            at += 1
        into = new_folder(parent)
        disk.after_power_loss(chance, into)
        fault = judge(verifier.look(into), promises(disk.promised))
        if fault:
            bad.append(f"power lost after call {point} of {len(events)}: {fault}")
        shutil.rmtree(into)
    return bad, len(events)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--states", type=int, default=600)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
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
        calls = count_calls(given.driver, parent)
        bad = []
        for fault in ("signal=SIGKILL", "error=EIO", "error=ENOSPC"):
            bad += inject(given.driver, parent, verifier, fault, given.stride, calls, chance)
        lost, events = lose_power(given.driver, parent, verifier, given.states, chance)
        print(f"power: {given.states} states of {events} calls, {len(lost)} bad")
        control, _ = lose_power(given.control, parent, verifier, given.states, chance)
        print(f"control without synced commits: {len(control)} of {given.states} bad")
        verifier.close()
    bad += lost
    for line in bad[:20]:
        print(line)
    if not control:
        print("the control was not caught: this test proves nothing")
    return 1 if bad or not control else 0


if __name__ == "__main__":
    sys.exit(main())
