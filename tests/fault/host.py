#!/usr/bin/env python3
"""What a host does to a relay that runs, and what people do on it, one thing at a time: records are taken and delivered all the while, what is
wrong is told, and when it is put right nothing has to be restarted.

    host.py [--definitions PACK] KETLINK-RELAY [NAME …]

    backup         the disk of the backup is full: told, yesterday's copy is kept, no half of one is left; made when there is room
    socket_folder  the folder of the socket is removed: it is there again by itself when the folder is
    reloads        SIGHUP after SIGHUP, also while the store is copied: the maps in use are the last good ones
    store_key      the file of the store's key is rotated, loses the key that is in use, is left readable by others, with a SIGHUP each
    relay_ini      the configuration is replaced by one with faults, or by another, and SIGHUP: refused with line and column; told that it needs a start
    log            the file of the log is moved away, made empty, its disk is full, its reader ends
    full_folder    the disk of the drop folder is full, so that nothing can be written beside a file that is rejected
    secret         others may read the file of the token, it is taken away, and comes back: the destination is held meanwhile, and why is said
    full_store     the disk of the store is full to its last byte: it says so, takes nothing, and goes on when there is room
    folder         the drop folder is removed whole and made anew; done/ or rejected/ cannot be written to
    name           the name of the hospital is not known any more
    descriptors    there are few descriptors, and strangers take them
    failed_start   another process listens at the socket, so that the start fails: no record has an attempt of it
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import bed
import ehr
import peer

AT_ONCE = 4
TRIALS = ("backup", "socket_folder", "reloads", "relay_ini", "store_key", "log", "folder", "full_folder", "full_store", "secret", "name", "descriptors", "failed_start")


class Trial:
    def __init__(self, given, work, before=(), more="", **sections):
        work.mkdir()
        certs = given.work / "certs"
        self.given, self.work, self.log, self.faults, self.serial = given, work, work / "log", [], 0
        self.server = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        self.socket = work / "run/socket"
        (work / "run").mkdir(mode=0o700)
        sections["folder"] = f"stable-seconds = 1\n[http]\nsocket = {self.socket}\n[post]\nto = hospital\n{more}\n"
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server}, **sections)
        self.relay = bed.Relay(given.relay, work, before)
        given.relays.append(self.relay)

    def start(self):
        self.relay.start()
        self.check("it does not start", self.said("started"))
        return self

    def check(self, what, fine):
        if not fine:
            self.faults.append(what)
        return fine

    def said(self, word, times=1, seconds=20):
        return bed.wait_for(lambda: self.log.exists() and self.log.read_bytes().count(word.encode()) >= times, seconds)

    def hangup(self):
        os.kill(self.pid(), signal.SIGHUP)

    def pid(self):
        return self.relay.process.pid

    def ask(self, target="queue"):
        done = subprocess.run(["curl", "-sS", "--fail", "--max-time", "10", "--unix-socket", self.socket, f"http://localhost/{target}"],
                              capture_output=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def put(self):
        self.serial += 1
        bed.drop(self.work, self.serial, bed.record(self.serial, self.serial, self.serial % 3))
        return self.serial

    def arrives(self, what, seconds=20):
        session = self.put()
        return self.check(f"{what}: not delivered", bed.wait_for(lambda: session in bed.newest(self.server), seconds))

    def end(self, name):
        self.check("a patient's data is told", not bed.told(self.work, self.relay))
        self.check(f"it had ended with {self.relay.process.returncode}", not self.relay.ended())
        if not self.relay.ended():
            self.check("it does not end well", self.relay.stop() == 0)
        self.check("doubled", not [key for key, places in self.server.identities().items() if len(places) > 1])
        self.server.stop()
        if self.faults and self.log.exists():
            print(self.log.read_text()[-2500:])
        return [f"{name}: {fault}" for fault in self.faults]


def may_mount():
    return shutil.which("unshare") and subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"], capture_output=True, check=False).returncode == 0


# --- trials


def fill(path):
    """The disk, with somebody else's data."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(file, bytes(4096))
    os.close(file)


def backup(given, work):
    disk = work.with_name("small-disk")
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=True)
    trial = Trial(given, work, relay=f"[store]\nbackup = {disk}/backup.db").start()
    trial.arrives("at the start")
    trial.check("no backup", trial.said("backed-up"))
    yesterday = (disk / "backup.db").read_bytes()
    trial.check("it does not end well", trial.relay.stop() == 0)
    fill(disk / "other")
    trial.start()
    trial.check("not told", trial.said("backup-failed"))
    trial.arrives("with a full disk")
    trial.check("yesterday's copy is gone", (disk / "backup.db").read_bytes() == yesterday)
    left = [path.name for path in disk.iterdir() if path.name not in ("backup.db", "other")]
    trial.check(f"left behind: {left}", not left)
    (disk / "other").unlink()
    trial.check("it does not end well", trial.relay.stop() == 0)
    trial.start()
    trial.check("no backup when there is room", trial.said("backed-up", 2) and (disk / "backup.db").read_bytes() != yesterday)
    return trial.end("backup")


def socket_folder(given, work):
    trial = Trial(given, work, more=f"[mllp ehr]\nlisten = {work}/run/mllp\nto = hospital")
    peer.route(work)
    trial.start()
    trial.check("no answer at the start", trial.ask())
    shutil.rmtree(work / "run")
    trial.check("not told", trial.said("alert state=socket-gone"))
    trial.arrives("without a socket")
    trial.check("an answer from nowhere", not trial.ask())
    (work / "run").mkdir(mode=0o700)
    trial.check("no answer again", bed.wait_for(trial.ask, 20) and trial.said("alert state=socket-back"))
    trial.socket.unlink(missing_ok=True)
    trial.check("no answer after the file was removed", bed.wait_for(trial.ask, 20))
    with peer.Peer(work / "run/mllp") as sender:
        trial.check("its listener of HL7 v2 does not answer", sender.ask(peer.message("C1", 900001)).code == "AA")
    trial.check("others may use it", (trial.socket.stat().st_mode & 0o777) == 0o600)
    faults = trial.end("socket_folder")
    return faults + (["socket_folder: the socket was left behind"] if trial.socket.exists() else [])


def reloads(given, work):
    trial = Trial(given, work, relay=f"[store]\nbackup = {work}/backup.db")
    destination = work / "mappings/destinations/hospital.json"
    good = destination.read_text()
    trial.start()
    for _ in range(400):
        trial.hangup()
        trial.hangup()
        if trial.said("backed-up", 1, 0.05):
            break
    trial.check("no backup", trial.said("backed-up"))
    trial.check("not reloaded", trial.said("reloaded "))
    trial.arrives("after reloads")
    destination.write_text("{")
    trial.hangup()
    trial.check("not refused", trial.said("reload-refused"))
    destination.write_text(good)
    trial.arrives("after a reload that was refused")
    before = trial.log.read_bytes().count(b"reloaded ")
    trial.hangup()
    trial.check("not reloaded again", trial.said("reloaded ", before + 1))
    trial.arrives("at the end")
    return trial.end("reloads")


def relay_ini(given, work):
    trial = Trial(given, work).start()
    ini = work / "relay.ini"
    whole = ini.read_text()
    ini.write_text(whole.replace("in-flight", "in-flihgt") + "[nonsense]\n")
    trial.hangup()
    trial.check("not refused", trial.said("reload-refused"))
    trial.check("not told where", trial.said("not-reloaded"))
    trial.arrives("with a broken configuration")
    ini.write_text(whole.replace("in-flight = 6", "in-flight = 5"))
    trial.hangup()
    trial.check("not told that it needs a start", trial.said("restart-needed"))
    trial.check("not reloaded", trial.said("reloaded "))
    ini.unlink()
    trial.hangup()
    trial.check("its absence is not told", trial.said("reload-refused", 2))
    ini.write_text(whole)
    trial.hangup()
    trial.check("not reloaded again", trial.said("reloaded ", 2))
    trial.check("told of a start that is not needed", trial.log.read_bytes().count(b"restart-needed") == 1)
    trial.arrives("at the end")
    return trial.end("relay_ini")


def store_key(given, work):
    trial = Trial(given, work).start()
    key = work / "store.key"
    first, second = key.read_text(), "2 " + os.urandom(32).hex() + "\n"
    for number, (text, mode, reloaded) in enumerate(((first + second, 0o600, True), (second, 0o600, False), (first, 0o644, False),
                                                     (first.replace("1 ", "3 "), 0o600, False), (second + first, 0o600, True)), 1):
        key.write_text(text)
        key.chmod(mode)
        before = [trial.log.read_bytes().count(word) for word in (b"reloaded ", b"reload-refused what=store-key")]
        trial.hangup()
        trial.check(f"key {number}", trial.said("reloaded " if reloaded else "reload-refused what=store-key", before[not reloaded] + 1))
        trial.arrives(f"key {number}")
    trial.check("it does not end well", trial.relay.stop() == 0)
    trial.start()
    trial.arrives("with the rotated key")
    return trial.end("store_key")


def read_all(reader):
    """What is in the pipe now."""
    os.set_blocking(reader, False)
    found = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            found += os.read(reader, 65536)
    return found


def hanging_reader(trial, begin):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    begin(writer)
    os.close(writer)
    trial.arrives("the reader of its log hangs")
    trial.arrives("the reader of its log hangs still")
    read_all(reader)
    trial.arrives("the reader of its log reads again")
    trial.check("lost lines are not told", bed.wait_for(lambda: b"log-lost lines=" in read_all(reader), 10))
    trial.check("it does not end well", trial.relay.stop() == 0)
    os.close(reader)


def log(given, work):
    trial = Trial(given, work)
    environment = {"PATH": os.environ["PATH"], **bed.sanitizer_options()}

    def begin(stderr):
        trial.relay.process = subprocess.Popen([given.relay, "relay", "--config", work / "relay.ini"], stderr=stderr, env=environment)

    with open(trial.log, "wb") as file:  # as a shell's > does, not >>
        begin(file)
    trial.check("it does not start", trial.said("started"))
    trial.log.rename(work / "log.1")
    trial.arrives("its log was moved away")
    trial.check("it writes nowhere", bed.wait_for(lambda: bed.holds(work / "log.1", b"done destination"), 10))
    (work / "log.1").rename(trial.log)
    os.truncate(trial.log, 0)
    trial.arrives("its log was made empty")
    trial.check("it writes nowhere", trial.said("done destination"))
    trial.check("the log begins with a hole", trial.log.read_bytes()[:1] != b"\0")
    trial.check("it does not end well", trial.relay.stop() == 0)
    with open("/dev/full", "wb") as file:
        begin(file)
    trial.arrives("the disk of the log is full")
    trial.check("it does not end well", trial.relay.stop() == 0)
    reader, writer = os.pipe()
    begin(writer)
    os.close(writer)
    os.close(reader)
    trial.arrives("nobody reads its log")
    trial.check("it does not end well", trial.relay.stop() == 0)
    if b"__asan_init" not in pathlib.Path(given.relay).read_bytes():  # which writes to the log itself, and waits
        hanging_reader(trial, begin)
    with open(trial.log, "wb") as file:
        begin(file)
    trial.check("it does not start", trial.said("started"))
    return trial.end("log")


def folder(given, work):
    trial = Trial(given, work).start()
    trial.arrives("at the start")
    shutil.rmtree(work / "drop")
    trial.check("gone: not told", trial.said("folder-gone"))
    (work / "drop").mkdir(mode=0o700)
    trial.check("gone: no end of it", trial.said("folder-back"))
    trial.arrives("made anew")
    for number, name in enumerate(("done", "rejected"), 1):
        shutil.rmtree(work / "drop" / name)
        (work / "drop" / name).write_text("")
        (work / "beside").write_text("{broken")
        (work / "beside").rename(work / f"drop/broken-{number}.json")
        session = trial.put()
        trial.check(f"{name}: not told", trial.said("folder-stuck", number))
        (work / "drop" / name).unlink()
        trial.check(f"{name}: no end of it", trial.said("folder-moves", number))
        trial.check(f"{name}: not delivered", bed.wait_for(lambda: session in bed.newest(trial.server), 20))
        trial.check(f"{name}: not rejected", bed.wait_for((work / f"drop/rejected/broken-{number}.json").exists, 20))
    return trial.end("folder")


def full_folder(given, work):
    trial = Trial(given, work)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", work / "drop"], check=True)
    trial.start()
    (work / "drop/broken.json.tmp").write_text("{broken")
    good, session = bed.record(1, 1, 1), 1
    (work / "drop/good.json.tmp").write_text(good)
    fill(work / "drop/other")
    for file in ("broken", "good"):
        (work / f"drop/{file}.json.tmp").rename(work / f"drop/{file}.json")
    trial.check("not told", trial.said("folder-stuck"))
    trial.check("it was rejected without a word", (work / "drop/broken.json").exists())
    (work / "drop/other").unlink()
    trial.check("no end of it", trial.said("folder-moves"))
    trial.check("not rejected", bed.wait_for((work / "drop/rejected/broken.json.diagnostics.json").exists, 20))
    trial.check("not delivered", bed.wait_for(lambda: session in bed.newest(trial.server), 20))
    faults = trial.end("full_folder")
    subprocess.run(["umount", "-l", work / "drop"], check=True)
    return faults


def full_store(given, work):
    trial = Trial(given, work, relay="[store]\nreserve-mib = 1")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", work / "state"], check=True)
    trial.start()
    trial.arrives("at the start")
    trial.server.stop()
    session = trial.put()
    trial.check("not taken", trial.said("file-taken", 2))
    fill(work / "state/other")
    trial.server.start()
    trial.check("not told", trial.said("alert state=claims-fail", 1, 40))
    later = trial.put()
    trial.check("it is not called full", trial.said("alert state=store-full") and trial.ask("store")["full"] == "disk")
    trial.check("delivered without a claim", session not in bed.newest(trial.server))
    (work / "state/other").unlink()
    trial.check("no end of it", trial.said("alert state=claims-work") and trial.said("alert state=store-takes"))
    trial.check("what waited outside is not delivered", bed.wait_for(lambda: later in bed.newest(trial.server), 30))
    trial.check("not delivered", bed.wait_for(lambda: session in bed.newest(trial.server), 30))
    faults = trial.end("full_store")
    subprocess.run(["umount", "-l", work / "state"], check=True)
    return faults


def secret(given, work):
    """Nothing goes with a token that others may read, or that somebody took away."""
    trial = Trial(given, work)
    token, destination = work / "token", work / "mappings/destinations/hospital.json"
    token.touch(0o600)
    token.write_text("a-good-token\n")
    destination.write_text(json.dumps({**json.loads(destination.read_text()), "auth": {"type": "bearer", "tokenFile": str(token)}}))
    trial.start()
    trial.arrives("at the start")
    token.chmod(0o644)
    posts, session = len(trial.server.posts), trial.put()
    trial.check("others may read the token: not told", trial.said("alert state=destination-held what=hospital why=configuration"))
    trial.check("not said what to do", trial.said("chmod 600", 1, 1))
    token.unlink()
    trial.check("the token is gone: not told", trial.said("is missing or cannot be read"))
    trial.check("something went", len(trial.server.posts) == posts and session not in bed.newest(trial.server))
    (work / "token.new").touch(0o600)
    (work / "token.new").write_text("a-new-token\n")
    (work / "token.new").rename(token)
    trial.check("no end of it", trial.said("alert state=destination-cleared"))
    trial.check("not delivered", bed.wait_for(lambda: session in bed.newest(trial.server), 20))
    return trial.end("secret")


def name(given, work):
    certs, hosts = given.work / "certs", given.work / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    trial = Trial(given, work)
    trial.server.stop()
    trial.server = ehr.Ehr(certs / "otherhost.pem", certs / "otherhost.key", 1, 0)
    file = work / "mappings/destinations/hospital.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base": trial.server.base.replace("127.0.0.1", "ehr.example")}))
    trial.start()
    session = trial.put()
    trial.check("not told", trial.said("reason=unreachable"))
    before = time.monotonic()
    trial.check("it does not answer meanwhile", trial.ask() is not None and time.monotonic() - before < 4)
    hosts.write_text("127.0.0.1 localhost ehr.example\n")
    trial.check("not delivered when it is known again", bed.wait_for(lambda: session in bed.newest(trial.server), 40))
    return trial.end("name")


def descriptors(given, work):
    trial = Trial(given, work, ["prlimit", "--nofile=40:40"]).start()
    strangers = []
    for _ in range(60):
        strangers.append(socket.socket(socket.AF_UNIX))
        strangers[-1].settimeout(1)
        try:
            strangers[-1].connect(str(trial.socket))
        except OSError:
            break
    sessions = [trial.put() for _ in range(20)]
    time.sleep(2)
    for stranger in strangers:
        stranger.close()
    trial.check("not all delivered", bed.wait_for(lambda: set(sessions) <= set(bed.newest(trial.server)), 40))
    trial.check("no answer afterwards", bed.wait_for(trial.ask, 20))
    return trial.end("descriptors")


def failed_start(given, work):
    trial = Trial(given, work).start()
    trial.server.stop()
    session = trial.put()
    trial.check("it is not tried", trial.said("queued "))
    trial.relay.stop()
    time.sleep(1.5)  # until it is due again
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(trial.socket))
        other.listen()
        for _ in range(3):
            trial.relay.start()
            trial.check("it starts without its socket, or aborts", trial.relay.process.wait(20) == 75)
    trial.socket.unlink()
    trial.start()
    trial.check("no answer", bed.wait_for(trial.ask, 20))
    rows = trial.ask()["records"]
    trial.check(f"attempts of starts that failed: {rows}", rows and all(row["reason"] in ("unreachable", "") for row in rows))
    trial.server.start()
    trial.check("not delivered", bed.wait_for(lambda: session in bed.newest(trial.server), 20))
    return trial.end("failed_start")


NEED_MOUNTS = ("backup", "full_folder", "full_store", "name")


def run(given, trial):
    begun = time.monotonic()
    if trial in NEED_MOUNTS and not os.environ.get("KETLINK_MOUNTS"):
        print(f"{trial}: skipped, this user may not mount", flush=True)
        return []
    found = globals()[trial](given, given.work / trial)
    print(f"{trial}: {time.monotonic() - begun:.1f} s, {len(found)} faults {found}", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    parser.add_argument("names", nargs="*", choices=(*TRIALS, []))
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    if may_mount() and not os.environ.get("KETLINK_MOUNTS"):  # in a name space of its own
        os.environ["KETLINK_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])
    faults, given.relays = [], []
    with tempfile.TemporaryDirectory(prefix="ketlink-host-") as scratch:
        given.work = pathlib.Path(scratch)
        try:
            subprocess.run([bed.ROOT / "tests/servers/certs.sh", given.work / "certs"], check=True, stdout=subprocess.DEVNULL)
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:  # they wait, most of the time
                for found in pool.map(lambda trial: run(given, trial), given.names or TRIALS):
                    faults += found
        finally:
            for relay in given.relays:
                if relay.process and not relay.ended():
                    relay.kill()
            subprocess.run(["umount", "-l", given.work / "small-disk"], check=False, capture_output=True)
    return 1 if faults else 0


sys.exit(main())
