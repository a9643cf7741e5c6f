#!/usr/bin/env python3
"""What people and programs put into a drop folder, and what becomes of it: nobody's file is followed, lost, or left to hold
back the others; what cannot be taken is refused once, by a digest of its name.

    folder.py [--files N] [--swaps N] [--definitions PACK] KETLINK-RELAY
"""
import argparse
import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import bed
import ehr


class Case:
    def __init__(self, given):
        self.given, self.work = given, given.work
        certs = given.work / "certs"
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        self.server = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        bed.prepare(self.work, given.definitions.resolve(), {"hospital": self.server}, folder=f"stable-seconds = 1\n[folder held]\npath = {self.work}/held\nto = hospital\nstable-seconds = 1")
        (self.work / "held").mkdir(mode=0o700)
        self.held = open(self.work / "held/held.json", "w")  # and never closed
        self.drop, self.done, self.rejected = (self.work / "drop" / name for name in ("", "done", "rejected"))
        self.signs = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.signs.bind(str(self.work / "signs"))
        self.relay, self.serial, self.faults = bed.Relay(given.relay, self.work, environment={"NOTIFY_SOCKET": str(self.work / "signs"), "WATCHDOG_USEC": "200000"}), 0, []
        self.relay.start()
        self.check("it starts", self.said("started"))

    def check(self, what, fine):
        if not fine:
            self.faults.append(what)

    def said(self, word, seconds=20):
        return bed.wait_for(lambda: bed.holds(self.work / "log", word.encode()), seconds)

    def text(self, patient=1):
        self.serial += 1
        return bed.record(self.serial, self.serial, patient), self.serial

    def put(self, name, text, folder=None):
        beside = self.work / "beside"
        beside.write_text(text)
        os.rename(os.fsencode(beside), os.path.join(os.fsencode(folder or self.drop), name if isinstance(name, bytes) else os.fsencode(name)))

    def arrives(self, what, session, seconds=20):
        self.check(f"{what}: not delivered", bed.wait_for(lambda: session in bed.newest(self.server), seconds))

    def watchdog(self):
        self.signs.setblocking(False)
        count = 0
        try:
            while True:
                count += self.signs.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            return count

    def goes_on(self, what):
        """Whatever lies there, the next good file is taken."""
        text, session = self.text()
        self.put(f"after-{session}.json", text)
        self.arrives(f"after {what}", session)


def strange_files(case):
    text, _ = case.text()
    outside = case.work / "outside.json"
    outside.write_text(text)
    os.symlink(outside, case.drop / "link.json")
    os.link(outside, case.drop / "hard.json")
    os.mkfifo(case.drop / "fifo.json")
    (case.drop / "folder.json").mkdir()
    held = socket.socket(socket.AF_UNIX)
    held.bind(os.path.relpath(case.drop / "socket.json"))
    try:
        os.mknod(case.drop / "device.json", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pass
    with open(case.drop / "sparse.json", "wb") as file:
        file.truncate(1 << 40)
    os.utime(case.drop / "sparse.json", (1, 1))
    case.goes_on("strange files")
    case.check("a link's target was delivered", case.server.resources and 1 not in bed.newest(case.server))
    case.check("a strange file was taken", not list(case.done.glob("link*")) and not list(case.done.glob("hard*")))
    (case.drop / "young.txt").write_text("{}")
    (case.drop / ".hidden").write_text("{}")
    for name in ("old.txt", "record.json.tmp"):
        (case.drop / name).write_text("{}")
        os.utime(case.drop / name, (1, 1))
    wanted = {"it is too large": 1, "it has another name elsewhere": 1, "it is a link": 1, "its name does not end in .json, .ndjson or .hl7": 2,
              "it is no file": 3 + (case.drop / "device.json").exists()}

    def why():
        log = (case.work / "log").read_text()
        return {words: log.count(f'why="{words}"') for words in wanted}

    bed.wait_for(lambda: why() == wanted, 20)
    time.sleep(1.5)  # and not again
    case.check(f"refused files: {why()}", why() == wanted)


def capitals(case):
    text, session = case.text()
    case.put("RECORD.JSON", text)
    case.arrives("a name in capitals", session)
    (one, first), (other, second) = case.text(), case.text()
    case.put("MANY.NDJSON", f"{one}\n{other}\n")
    case.arrives("lines of a name in capitals", first)
    case.arrives("lines of a name in capitals", second)


def strange_names(case):
    names = [b"-rf.json", b"a\nb\x1b[31m.json", b"caf\xe9\xff.json", b"n" * 200 + b".json", b"%n%s.json", b"a b'\"$(id).json"]
    for name in names:
        text, session = case.text()
        case.put(name, text)
        case.arrives(f"name {name[:20]!r}", session)
        case.check(f"name {name[:20]!r}: not in done", bed.wait_for(lambda: name in os.listdir(os.fsencode(case.done)), 5))
    case.put(b"x" * 250 + b".json", "{}")
    case.goes_on("a name of 255 bytes")
    log = (case.work / "log").read_bytes()
    case.check("a name stands in the log", not any(part in log for part in (b"\x1b", b"$(id)", b"\xff", b"xxxx")))


def same_again(case):
    text, session = case.text()
    for _ in range(2):
        case.put("same.json", text)
        case.check("same: not moved", bed.wait_for(lambda: not (case.drop / "same.json").exists(), 10))
    case.arrives("same", session)
    other, session = case.text()
    case.put("same.json", other)
    case.arrives("same name, new content", session)
    kept = sorted(path.name for path in case.done.glob("same.json*"))
    case.check(f"same: {kept} are kept", bed.wait_for(lambda: len(list(case.done.glob("same.json*"))) == 3, 5))
    case.check("same: delivered more than once", sum(kind == "Encounter" and serial == session - 1 for kind, _, serial
                                                     in bed.commits_of(case.server)) == 1)


def always_one_name(case):
    """There are programs that give all their files one name."""
    for folder, kept in ((case.done, "one.json"), (case.rejected, "one.json")):
        for number in range(1000):
            (folder / (f"{kept}.{number}" if number else kept)).write_text("of last year")
    for _ in range(3):
        text, session = case.text()
        case.put("one.json", text)
        case.arrives("one name", session)
        case.check("one name: not moved", bed.wait_for(lambda: not (case.drop / "one.json").exists(), 10))
        case.put("one.json", "{broken")
        case.check("one name: not moved when rejected", bed.wait_for(lambda: not (case.drop / "one.json").exists(), 10))
    for folder, most in ((case.done, 1003), (case.rejected, 1006)):
        case.check(f"one name: {folder.name}", len(list(folder.glob("one.json*"))) == most)
    case.goes_on("one name")


def half_written(case):
    text, session = case.text()
    with open(case.drop / "slow.json", "w") as file:
        file.write(text[:100])
        file.flush()
        time.sleep(2.5)
        case.check("half: taken while it was written", (case.drop / "slow.json").exists())
        file.write(text[100:])
    case.arrives("half-written", session)
    for number in range(10):
        name, (first, _), (text, session) = f"once-{number}.json", case.text(), case.text()
        case.put(name, first)
        case.check("half: not moved", bed.wait_for(lambda: not (case.drop / name).exists(), 10))
        begun = time.monotonic()
        (case.drop / name).write_text(text[:100])  # a name that once came by a rename says nothing of the next file
        case.put(f"beside-{number}.json", case.text(700)[0])  # by which the folder is looked through
        time.sleep(0.4)
        (case.drop / name).write_text(text)
        if time.monotonic() - begun < 0.9:
            break  # else this machine wrote the rest when half of it was old enough to be taken
    else:
        case.check("half: this machine never wrote the rest in time", False)
    case.arrives("half-written, of a name that was renamed", session)
    case.check("half: taken before it was old enough", not list(case.rejected.glob(f"{name}*")))


def good_and_bad(case):
    first, one = case.text()
    second, two = case.text()
    case.put("mixed.ndjson", f"{first}\n{{broken\n{second}\n")
    case.arrives("NDJSON, good line", one)
    case.arrives("NDJSON, after the bad line", two)
    findings = case.rejected / "mixed.ndjson.diagnostics.json"
    case.check("NDJSON: no findings beside it", bed.wait_for(findings.exists, 5) and '"line"' in findings.read_text())


def many_lines(case):
    """Records of one file are many: together they need more memory than one may have, and each of them little."""
    lines = [case.text(100 + number % 50) for number in range(36000)]  # of 12,000 a quick machine makes less than a second
    case.watchdog()  # of the time before
    began = time.monotonic()
    case.put("lines.ndjson", "".join(text + "\n" for text, _ in lines))
    heard = 0

    def taken():
        nonlocal heard
        heard += case.watchdog()  # the kernel keeps no more than ten
        return (case.done / "lines.ndjson").exists()

    case.check("many lines: not taken", bed.wait_for(taken, 60))
    due = time.monotonic() - began  # every 0.1 s on a machine that does nothing else
    case.arrives("many lines, the first", lines[0][1])
    case.check("many lines: taken more than once", (case.work / "log").read_text().count("records=36000") == 1)
    heard += case.watchdog()
    case.check(f"many lines: systemd hears {heard} signs of life where {due:.1f} are due", heard >= due > 1)


def too_much(case):
    """One that no machine would take is rejected: left where it is it would hold everybody back, for ever."""
    case.put("much.json", '{"a":[' + ",".join(["[" + "0," * 99998 + "0]"] * 45) + "]}")
    case.check("too much: not rejected", bed.wait_for(lambda: (case.rejected / "much.json").exists(), 30))
    case.goes_on("too much")


def rejected_again(case):
    """One name, three faults, and in between a file that somebody took away: nothing that was said is lost."""
    for number, text in enumerate(("{broken", '{"another": 1}', '["a third"]')):
        case.put("bad.json", text)
        case.check(f"rejected {number}: not moved", bed.wait_for(lambda: not (case.drop / "bad.json").exists(), 10))
        if number == 1:
            (case.rejected / "bad.json.1").unlink()
    for name, kept in (("bad.json", "{broken"), ("bad.json.1", None), ("bad.json.2", '["a third"]')):
        file, findings = case.rejected / name, case.rejected / f"{name}.diagnostics.json"
        case.check(f"rejected: {name}", (file.read_text() if file.exists() else None) == kept)
        case.check(f"rejected: {findings.name}", findings.exists() and '"line"' in findings.read_text())
    case.check("rejected: too many", len(list(case.rejected.glob("bad.json*"))) == 5)


def not_writable(case):
    """Root may write anywhere: a file where done/ was is what stops it."""
    shutil.rmtree(case.done)
    case.done.write_text("")
    numbers = []
    for _ in range(70):
        text, session = case.text(2)
        numbers.append(session)
        case.put(f"stuck-{session}.json", text)
    case.check("stuck: no alert", case.said("folder-stuck"))
    taken = (case.work / "log").read_text().count("file-not-moved")
    time.sleep(2.5)
    again = (case.work / "log").read_text().count("file-not-moved") - taken
    case.check(f"stuck: taken again {again} times in 2.5 s", again <= 70)
    case.done.unlink()
    case.arrives("stuck", numbers[-1])
    case.check("stuck: no end of it", case.said("folder-moves"))


def opened_again(case):
    """A program opens what lies there for writing, again and again. Where that meets the moment in which the relay asks whether somebody
    writes, the kernel tells the relay so by SIGIO, which ends who does not expect it."""
    opener = "import os, sys\nwhile True:\n for name in os.listdir('.'):\n  try:\n   name[:6] == 'opened' and os.close(os.open(name, os.O_WRONLY))\n  except OSError:\n   pass\n"
    program = subprocess.Popen([sys.executable, "-c", opener], cwd=case.drop)
    atexit.register(program.kill)
    end = time.monotonic() + 4
    while time.monotonic() < end and not case.relay.ended():
        for number in range(20):
            if not (case.drop / f"opened-{number}.json").exists():
                case.put(f"opened-{number}.json", case.text(200 + number)[0])
        time.sleep(0.05)
    program.kill()
    program.wait()
    case.relay.process.send_signal(signal.SIGIO)
    case.check("opened again: it ended", not case.relay.ended())
    case.goes_on("files that are opened for writing")


def never_closed(case):
    """A program has had a file open for writing since the beginning: what came after it waits, and somebody is told."""
    text, session = case.text(300)
    case.put("next.json", text, case.work / "held")
    case.check("never closed: no alert", case.said("folder-waits what=held", 30))
    case.check("never closed: overtaken", session not in bed.newest(case.server))
    first, written = case.text(300)
    case.held.write(first)
    case.held.close()
    case.arrives("never closed, the first", written)
    case.arrives("never closed, the next", session)
    case.check("never closed: no end of it", case.said("folder-flows what=held"))


def not_readable(case):
    """Root reads everything, so this needs another user."""
    if os.geteuid() == 0:
        return
    text, _ = case.text()
    case.put("closed.json", text)
    os.chmod(case.drop / "closed.json", 0)
    case.check("not readable: not told why", case.said("the relay may not read it"))
    case.goes_on("a file that may not be read")


def removed(case):
    os.rename(case.drop, case.work / "drop-away")
    case.check("gone: no alert", case.said("folder-gone"))
    (case.work / "drop").mkdir(mode=0o700)
    case.check("gone: no end of it", case.said("folder-back"))
    case.goes_on("a folder made anew")


def swapped(case):
    """A thread swaps a good file and a link to somebody else's; the link is never followed."""
    secret, session = case.text()
    (case.work / "secret.json").write_text(secret)
    stop = threading.Event()

    def swap():
        number = 0
        while not stop.is_set() and number < case.given.swaps:
            number += 1
            link = case.work / "swap"
            os.symlink(case.work / "secret.json", link)
            os.rename(link, case.drop / "swapped.json")
            case.put("swapped.json", bed.record(0, 900000, 3))

    thread = threading.Thread(target=swap)
    thread.start()
    thread.join(30)
    stop.set()
    case.goes_on("swaps")
    case.check("swaps: the link was followed", session not in bed.newest(case.server))


def changed_meanwhile(case):
    """Between reading a file and moving it away somebody puts another one in its place, or adds to it: what was not read is not moved
    into done/ for good."""
    if not shutil.which("strace"):
        print("changed_meanwhile: skipped, strace is not installed")
        return
    work = case.work / "meanwhile"
    work.mkdir()
    bed.prepare(work, case.given.definitions.resolve(), {"hospital": case.server}, folder="stable-seconds = 1")
    relay = bed.Relay(case.given.relay, work, ["strace", "-f", "-qq", "-o", work / "trace", "-e", "trace=renameat2",
                                               "-e", "inject=renameat2:delay_enter=500000:delay_exit=500000"])
    relay.start()

    def add(path, text):
        with open(path, "a") as file:  # waits where the relay has a lease, and finds the file in done/ then
            file.write(text + "\n")

    for name, change in (("another.json", lambda path, text: case.put(path.name, text, path.parent)), ("longer.ndjson", add)):
        (first, one), (second, other) = case.text(500), case.text(501)
        case.put(name, first + "\n", work / "drop")
        case.check(f"meanwhile: {name} is not moved", bed.wait_for(lambda: bed.holds(work / "trace", name.encode()), 20))
        change(work / "drop" / name, second)
        case.arrives(f"meanwhile: {name}", one)
        case.arrives(f"meanwhile: {name} as it is then", other)
        case.check(f"meanwhile: {name} stays", bed.wait_for(lambda: not (work / "drop" / name).exists(), 20))
    own = pathlib.Path(f"/proc/{relay.process.pid}/task/{relay.process.pid}/children").read_text().split()
    os.kill(int(own[0]), signal.SIGTERM)
    case.check("meanwhile: it does not end well", relay.process.wait(60) == 0)


def broken_disk(case):
    """What no disk gives holds nobody back, is told, and is taken when it can be read."""
    if not shutil.which("strace"):
        print("broken_disk: skipped, strace is not installed")
        return
    work = case.work / "broken"
    work.mkdir()
    bed.prepare(work, case.given.definitions.resolve(), {"hospital": case.server}, folder="stable-seconds = 1")
    relay = bed.Relay(case.given.relay, work, ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(work / "drop/broken.json"),
                                               "-e", "trace=read", "-e", "inject=read:error=EIO:when=1..2"])
    relay.start()
    (first, one), (second, other) = case.text(600), case.text(601)
    case.put("broken.json", first, work / "drop")
    case.put("next.json", second, work / "drop")
    case.arrives("broken disk, the next", other)
    case.check("broken disk: not told", bed.wait_for(lambda: bed.holds(work / "log", b'why="it cannot be read'), 10))
    case.arrives("broken disk, when it can be read", one)
    own = pathlib.Path(f"/proc/{relay.process.pid}/task/{relay.process.pid}/children").read_text().split()
    os.kill(int(own[0]), signal.SIGTERM)
    case.check("broken disk: it does not end well", relay.process.wait(60) == 0)


def on_a_network(case):
    """NFS, 9P and others do not know a rename that writes over nothing: it is found out, and nothing is written over all the same."""
    if not shutil.which("strace"):
        print("on_a_network: skipped, strace is not installed")
        return
    work = case.work / "network"
    work.mkdir()
    bed.prepare(work, case.given.definitions.resolve(), {"hospital": case.server}, folder="stable-seconds = 1")
    relay = bed.Relay(case.given.relay, work, ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL"])
    relay.start()
    for name in ("one.json", "one.json.1"):
        text, _ = case.text(400)
        case.put("one.json", text, work / "drop")
        case.check(f"network: {name} is not moved", bed.wait_for(lambda: (work / "drop/done" / name).exists(), 20))
        case.check(f"network: {name} is another", (work / "drop/done" / name).exists() and (work / "drop/done" / name).read_text() == text)
    own = pathlib.Path(f"/proc/{relay.process.pid}/task/{relay.process.pid}/children").read_text().split()
    os.kill(int(own[0]), signal.SIGTERM)  # the relay: strace passes nothing on
    case.check("network: it does not end well", relay.process.wait(60) == 0)


def many(case):
    names, again = [], (case.work / "log").read_text().count("again=1")
    for number in range(case.given.files):
        text, session = case.text(number % 5)
        names.append(session)
        (case.work / "beside").write_text(text)
        os.utime(case.work / "beside", ns=(0, 1_000_000_000 * session))
        os.rename(case.work / "beside", case.drop / f"{(session * 7919) % 100003:06}.json")
    case.check("many: not all delivered", bed.wait_for(lambda: set(names) <= set(bed.newest(case.server)), 60 + case.given.files / 20))
    case.check("many: out of order", bed.inversions(case.server) == 0)
    again = (case.work / "log").read_text().count("again=1") - again
    case.check(f"many: {again} are taken more than once", again == 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--swaps", type=int, default=300)
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    with tempfile.TemporaryDirectory(prefix="ketlink-folder-") as name:
        given.work = pathlib.Path(name)
        case = Case(given)
        for trial in (strange_files, capitals, strange_names, same_again, always_one_name, half_written, good_and_bad, too_much, rejected_again, not_writable, removed, swapped, opened_again, many, never_closed, not_readable, on_a_network, changed_meanwhile, broken_disk, many_lines):
            before = time.monotonic()
            trial(case)
            print(f"{trial.__name__}: {time.monotonic() - before:.1f} s, {len(case.faults)} faults", flush=True)
        case.check("a patient's data is told", not bed.told(case.work, case.relay))
        case.check("it does not end well", case.relay.stop() == 0)
        if case.faults:
            print("\n".join(case.faults), (case.work / "log").read_text()[-1500:], sep="\n")
    return 1 if case.faults else 0


sys.exit(main())
