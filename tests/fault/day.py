#!/usr/bin/env python3
"""A day in a minute: 24 hours, each with its wave of records and then an hour in which nothing happens, which clock.c leaves out. Maps are
read again (SIGHUP), the destination goes away and comes back, what is done is swept, the store is backed up each day, also when the wall
clock was ten years ahead at the start and is set right (reliability, 14). At the end of each hour the relay is looked at: its memory must be that of the time after its warming up, its descriptors those of the first quiet hour and
the connections that are kept open, one for each delivery that may be under way (reliability, I5).

    day.py [--records N] [--days N] [--seed N] [--definitions PACK] KETLINK-RELAY CLOCK-LIBRARY
"""
import argparse
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

import bed
import ehr

HOUR_MS = 3600 * 1000
BUSY = range(6, 20)           # hours of the day in which the clinic sends
RELOADED = (2, 7, 11, 15, 21)
AWAY = (8, 14)                # the destination, at the beginning of these
WARM = 12                     # hours
MORE_RSS = 1.05, 1 << 20      # at most: of that after warming up, and bytes
IN_FLIGHT = 6                 # of bed.py


class Day:
    def __init__(self, given, work):
        self.given, self.work, self.serial, self.wanted, self.faults, self.hours = given, work, 0, {}, [], 0
        self.chance, self.looks = random.Random(given.seed), []
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        self.server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", given.seed, given.rate)
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server}, relay=f"[store]\nkeep-days = 0\nbackup = {work}/backup.db")
        self.clock = open(work / "clock", "w+b", buffering=0)
        self.wrong_ms = 10 * 365 * 24 * HOUR_MS
        self.skip(0)
        self.relay = bed.Relay(given.relay, work, environment={"LD_PRELOAD": given.library, "CLOCK_FILE": str(work / "clock"),
                                                               "ASAN_OPTIONS": "verify_asan_link_order=0"})
        self.relay.start()
        self.wait("started", lambda: self.said("started"))

    def skip(self, hours):
        self.hours += hours
        self.clock.seek(0)
        self.clock.write(struct.pack("=qq", self.hours * HOUR_MS + self.wrong_ms, self.hours * HOUR_MS))

    def said(self, word):
        return (self.work / "log").read_bytes().count(word.encode())

    def swept(self):
        return sum(map(int, re.findall(rb"^\S+ swept records=(\d+)", (self.work / "log").read_bytes(), re.MULTILINE)))

    def wait(self, what, is_so, seconds=60):
        if not bed.wait_for(lambda: is_so() or self.relay.ended(), seconds) or self.relay.ended():
            self.faults.append(f"hour {self.hours}: waited in vain: {what}")
            raise EOFError

    def wave(self, count):
        for _ in range(count):
            bed.drop(self.work, self.serial, bed.record(self.serial, self.serial, self.chance.randrange(50)))
            self.wanted[self.serial] = self.serial
            self.serial += 1

    def hour(self, hour, count):
        """What comes in, then quiet."""
        reloaded, away = self.said("reloaded"), self.said("destination-unavailable")
        if hour in AWAY:
            self.server.stop()
        self.wave(count)
        if hour in RELOADED:
            self.relay.process.send_signal(signal.SIGHUP)
            self.wait("a reload", lambda: self.said("reloaded") > reloaded)
        if hour in AWAY:
            self.wait("trouble", lambda: self.said("destination-unavailable") > away)
            self.server.start()
        self.wait("all delivered", lambda: len(self.server.arrived) >= self.serial and bed.newest(self.server) == self.wanted, 60 + count)
        self.skip(1)
        self.wait("all swept", lambda: self.swept() == self.serial)
        self.look()

    def set_right(self):
        self.wait("the first backup", lambda: self.said("backed-up"))
        self.wrong_ms = 0
        self.skip(0)

    def descriptors(self):
        try:
            return len(os.listdir(f"/proc/{self.relay.process.pid}/fd"))
        except PermissionError:  # of a process that may not be dumped, for others than root
            return None

    def look(self):
        first = self.looks[0][1] if self.looks else None
        if first:  # what it looks into at this moment is closed again
            bed.wait_for(lambda: self.descriptors() <= first + IN_FLIGHT, 5)
        self.looks.append((self.relay.resident(), self.descriptors(), (self.work / "state/outbox.db").stat().st_size))

    def judge(self):
        (_, first, _), (warm, _, _), (end, last, store) = self.looks[0], self.looks[WARM], self.looks[-1]
        most = max(rss for rss, _, _ in self.looks[WARM:])
        print(f"day: seed {self.given.seed}, {len(self.looks)} hours, records {self.serial}, faults {sum(self.server.injected.values())}, "
              f"reloads {self.said('reloaded')}, backups {self.said('backed-up')}; RSS {warm >> 10} KiB after {WARM} hours, {end >> 10} at "
              f"the end, {most >> 10} at most; descriptors {first}, then {last}; store {store >> 10} KiB", flush=True)
        if end > warm * MORE_RSS[0] + MORE_RSS[1]:
            self.faults.append(f"memory grows: {[rss >> 10 for rss, _, _ in self.looks]}")
        if first and max(count for _, count, _ in self.looks) > first + IN_FLIGHT:
            self.faults.append(f"descriptors: {[count for _, count, _ in self.looks]}")
        return self.faults + bed.judge("day", self.server, self.wanted, self.relay, self.work)


def run(given, work):
    day = Day(given, work)
    try:
        day.set_right()
        for number in range(24 * given.days):
            busy = number % 24 in BUSY
            day.hour(number % 24, given.records // given.days // len(BUSY) if busy else 0)
        day.wait(f"{given.days + 1} backups", lambda: day.said("backed-up") > given.days)
        faults = day.judge()
    except EOFError:
        faults = day.faults
    status = day.relay.process.wait() if day.relay.ended() else day.relay.stop()
    faults += [f"the relay ended with {status}"] if status else []
    if faults:
        print("\n".join(faults), (work / "log").read_text()[-2000:], sep="\n")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1400)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    parser.add_argument("library")
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    with tempfile.TemporaryDirectory(prefix="ketlink-day-") as name:
        return 1 if run(given, pathlib.Path(name)) else 0


begun = time.monotonic()
result = main()
print(f"{time.monotonic() - begun:.0f} s")
sys.exit(result)
