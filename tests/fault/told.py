#!/usr/bin/env python3
"""Where a patient's data could get out of the relay: each record carries a canary, and each place is searched for it (reliability, 81, 84,
86; I6, I7).

    cores      SIGSEGV, SIGABRT and the like in the middle of a delivery, with no limit on cores: none is written
    wire       what passes between the relay and a server, both ways: TLS from the first byte, no canary
    plain      a server without TLS, at the start and at a reload: nobody connects to it
    files      every file that is made while records are taken, refused and delivered lies in the relay's own folders
    words      log, alerts, metrics, lists of the queue, diagnostics beside refused files, arguments and environment

    told.py [--definitions PACK] KETLINK KETLINK-RELAY [NAME …]
"""
import argparse
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import bed
import ehr
import outbox

NAMES = ("cores", "wire", "plain", "files", "words")
RECORDS = 12
TLS_HANDSHAKE = 0x16


class Proxy:
    """Passes bytes on and keeps them."""

    def __init__(self, port):
        self.to, self.seen, self.listener = port, [], socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.to))
            for source, sink in ((client, server), (server, client)):
                self.seen.append(bytearray())
                threading.Thread(target=self.copy, args=(source, sink, self.seen[-1]), daemon=True).start()

    @staticmethod
    def copy(source, sink, seen):
        try:
            while data := source.recv(65536):
                seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Run:
    def __init__(self, given, work, relay="", before=(), proxied=False):
        work.mkdir()
        certs = given.work / "certs"
        self.work, self.server, self.wanted = work, ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0), {}
        self.proxy = Proxy(self.server.port) if proxied else None
        if proxied:
            self.server.base = self.server.base.replace(str(self.server.port), str(self.proxy.port))
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server}, relay=relay)
        self.relay = bed.Relay(given.relay, work, before)
        given.runs.append(self)

    def start(self):
        self.relay.start()
        return bed.wait_for(lambda: self.relay.ended() or bed.holds(self.work / "log", b"started"), 60) and not self.relay.ended()

    def drop(self, count=RECORDS):
        for serial in range(len(self.wanted), len(self.wanted) + count):
            self.wanted[serial] = serial
            bed.drop(self.work, serial, bed.record(serial, serial, serial % 5))

    def delivered(self):
        return bed.wait_for(lambda: bed.newest(self.server) == self.wanted or self.relay.ended(), 30) and not self.relay.ended()


def dumped(process, number):
    """Ends it -> whether the kernel wrote a core."""
    process.send_signal(number)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -1
    return os.WCOREDUMP(status)


def cores(given, work):
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        print("cores: skipped, they are limited here")
        return []
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell has it ignored by what runs in the background
    os.chdir(given.work)
    try:
        if not dumped(subprocess.Popen(["sleep", "60"]), signal.SIGSEGV):
            print("cores: skipped, nobody's core is written here")
            return []
        faults = []
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGQUIT):
            run = Run(given, pathlib.Path(f"{work}-{number.name}"))
            run.server.stall = 2
            started = run.start()
            run.drop()
            if not started or not bed.wait_for(lambda: run.server.posts, 30):
                faults.append(f"cores: no delivery to interrupt by {number.name}")
            if dumped(run.relay.process, number):
                faults.append(f"cores: {number.name} leaves a core")
        return faults
    finally:
        os.chdir(bed.ROOT)
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def wire(given, work):
    run = Run(given, work, proxied=True)
    run.start()
    run.drop()
    faults = [] if run.delivered() else ["wire: not delivered"]
    run.relay.stop()
    streams = [bytes(seen) for seen in run.proxy.seen]
    print(f"wire: {len(streams)} streams, {sum(map(len, streams))} bytes")
    faults += ["wire: nothing passed"] if sum(map(len, streams)) < 1000 * RECORDS else []
    for seen in streams:
        if seen and seen[0] != TLS_HANDSHAKE:
            faults.append(f"wire: a stream begins with {seen[:20]}")
        if bed.CANARY.encode() in seen or b"HTTP/1" in seen or b"resourceType" in seen:
            faults.append("wire: in the clear")
    return faults


def plain(given, work):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    run, faults = Run(given, work), []
    place = work / "mappings/destinations/hospital.json"
    good = place.read_text()
    base = f"http://127.0.0.1:{listener.getsockname()[1]}/fhir"
    bad = json.dumps({**json.loads(good), "base": base})
    place.write_text(bad)
    run.drop()
    if run.start() or run.relay.process.wait() != 78:
        faults.append("plain: it does not refuse to start with 78")
    place.write_text(good)
    run.start()
    place.write_text(bad)
    run.relay.process.send_signal(signal.SIGHUP)
    if not bed.wait_for(lambda: bed.holds(work / "log", b"not-reloaded"), 30):
        faults.append("plain: taken at a reload")
    run.drop()
    faults += [] if run.delivered() else ["plain: the old way does not stay"]
    run.relay.stop()
    try:
        listener.accept()
        faults.append("plain: somebody connected")
    except TimeoutError:
        pass
    return faults


def refuse_one(run):
    """A file with the canary in its name and where it is not understood. (A code that is in no value set is named beside the file.)"""
    broken = json.loads(bed.record(900001, 900001, 1))
    broken["patient"].update(birthDate=bed.CANARY, unheard=bed.CANARY)
    (run.work / "beside").write_text(json.dumps(broken))
    os.rename(run.work / "beside", run.work / f"drop/{bed.CANARY}.json")
    return bed.wait_for(lambda: list((run.work / "drop/rejected").glob("*.diagnostics.json")), 20)


def files(given, work):
    if not outbox.may_trace():
        print("files: skipped, strace may not follow processes here")
        return []
    trace = given.work / "trace"
    run = Run(given, work, relay=f"[store]\nbackup = {work}/backup.db", before=["strace", "-D", "-f", "-y", "-qq", "-s", "300", "-o", trace,
                                                                               "-e", "trace=open,openat,openat2,creat,memfd_create"])
    started = run.start()
    run.drop()
    faults = [] if started and run.delivered() and refuse_one(run) else ["files: the run did not go as it should"]
    bed.wait_for(lambda: bed.holds(work / "log", b"backed-up"), 30)
    run.relay.stop()
    made = set()
    for line in trace.read_text().splitlines():
        if re.search(r"O_CREAT|O_TMPFILE|creat\(|memfd_create\(", line):
            made.update(re.findall(r" = \d+<(.*)>$", line))
    print(f"files: {len(made)} made")
    own = re.compile(re.escape(str(work)) + r"/(state/.*|drop/(done|rejected)/.*|\.ketlink-\w+\.tmp|backup\.db.*)")  # the marker is renamed
    faults += [f"files: {path}" for path in sorted(made) if not own.fullmatch(path)]
    return faults + ([] if made else ["files: none was seen to be made"])


def words(given, work):
    alert = given.work / "alert"
    alert.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {given.work}/alerts\n')
    alert.chmod(0o700)
    run = Run(given, work, relay=f"alert = {alert}\n[http]\nsocket = {work}/socket\n[post]\nto = hospital")
    run.start()
    faults = [] if refuse_one(run) else ["words: the bad file was not refused"]
    run.server.refuse = lambda resource: resource["resourceType"] == "Encounter" and bed.serial_of(resource) % 5 == 0
    run.drop(RECORDS)
    bed.wait_for(lambda: bed.holds(work / "log", b"parked"), 20)
    run.server.fault = lambda choices: "close-before"
    run.drop(RECORDS)
    if not bed.wait_for(lambda: bed.holds(given.work / "alerts", b"destination-unavailable"), 30):
        return faults + ["words: no alert: " + (work / "log").read_text()[-3000:]]
    said = {"alerts": (given.work / "alerts").read_bytes()}
    for what in (["queue", "list"], ["queue", "list", "--json"], ["queue", "show", "1"]):
        said[" ".join(what)] = subprocess.run([given.ketlink, *what, "--config", work / "relay.ini"], stdout=subprocess.PIPE,
                                              stderr=subprocess.STDOUT).stdout
    for path in ("metrics", "queue", "healthz"):
        said[path] = subprocess.run(["curl", "-s", "--unix-socket", work / "socket", f"http://localhost/{path}"], stdout=subprocess.PIPE).stdout
    for path in (work / "drop/rejected").glob("*.diagnostics.json"):
        said["diagnostics"] = path.read_bytes().replace(path.name.removesuffix(".diagnostics.json").encode(), b"")
    faults += [f"words: nothing in {what}" for what, text in said.items() if len(text) < 2]
    faults += [f"words: a canary in {what}" for what, text in said.items() if bed.CANARY.encode() in text]
    faults += [f"words: a canary in {place}" for place in bed.told(work, run.relay)]
    run.relay.stop()
    print(f"words: {sum(map(len, said.values()))} bytes, log {(work / 'log').stat().st_size}")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("ketlink")
    parser.add_argument("relay")
    parser.add_argument("names", nargs="*", choices=(*NAMES, []))
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    faults = []
    with tempfile.TemporaryDirectory(prefix="ketlink-told-") as name:
        given.work = pathlib.Path(name)
        given.ketlink, given.relay = (str(pathlib.Path(path).resolve()) for path in (given.ketlink, given.relay))
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", given.work / "certs"], check=True, stdout=subprocess.DEVNULL)
        given.runs = []
        try:
            for trial in given.names or NAMES:
                faults += globals()[trial](given, given.work / trial)
        finally:
            for run in given.runs:
                if not run.relay.ended():
                    run.relay.kill()
    print("\n".join(faults) if faults else "all well")
    return 1 if faults else 0


sys.exit(main())
