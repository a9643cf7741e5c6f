#!/usr/bin/env python3
"""A listener that dies at an acknowledgement: whatever its sender then does, each message is delivered once.

    mllp.py [--points N] [--definitions PACK] KETLINK-RELAY

The relay is killed when it is about to write its 1st, 2nd, … N-th acknowledgement (strace), when it is about to write or sync the store
for it, and when its sender has just read one. The EHR is away meanwhile, so the calls of send are acknowledgements and nothing else. The sender does
what senders do: it connects again and sends the message again until it is acknowledged.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import bed
import ehr
import outbox
import peer


class Trial:
    def __init__(self, given, work):
        self.work, self.serial, self.faults, self.sent, self.killed = work, 0, [], 0, {}
        certs = work / "certs"
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        self.server = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        self.server.stop()
        bed.prepare(work, given.definitions.resolve(), {"hospital": self.server})
        peer.route(work)
        self.place = peer.listen(work)
        self.relay = bed.Relay(given.relay, work, environment={"ASAN_OPTIONS": "detect_leaks=0"})

    def started(self):
        """It says that it listens; or it has ended."""
        before = (self.work / "log").read_bytes().count(b"started ") if (self.work / "log").exists() else 0
        self.relay.start()
        bed.wait_for(lambda: (self.work / "log").read_bytes().count(b"started ") > before or self.relay.ended(), 60)

    def trace(self, call, number=None):
        self.relay.before = ["strace", "-f", "-o", self.work / "trace", "-e", f"trace={call}"]
        self.relay.before += ["-e", f"inject={call}:signal=SIGKILL:when={number}"] if number else []

    def before(self, call):
        """Those of the start: so many come before the first message. strace counts the calls of each thread apart; the
        thread that makes groups durable is the one beside the first, and what it writes at the start may come after "started"."""
        self.trace(call)
        self.started()
        own = subprocess.run(["pgrep", "-P", str(self.relay.process.pid)], capture_output=True, text=True, check=True).stdout.split()[0]

        def of_groups():
            threads = [line.split()[0] for line in (self.work / "trace").read_text().splitlines() if f"{call}(" in line]
            return len(threads) - threads.count(own)

        count = 0
        for _ in range(60):  # until there are some, and no more of them
            count, before = of_groups(), count
            if count and count == before:
                break
            time.sleep(0.3)
        self.terminate(int(own))
        return count

    def terminate(self, own):
        """The relay itself: strace passes nothing on."""
        os.kill(own, signal.SIGTERM)
        self.relay.process.wait(60)
        self.relay.before = []

    def next(self):
        self.serial += 1
        return peer.message(f"C{self.serial}", self.serial)

    def send(self, text, first=None):
        """Until it is acknowledged; whenever the relay has ended it is started again, as systemd does."""
        while True:
            try:
                answer, sent = peer.send_until_answered(self.place, text, seconds=2, wait=2)
                self.sent += sent
                break
            except TimeoutError:
                self.sent += 1
                self.again()
        if answer.code != "AA" or answer.control != text.split("|")[9]:
            self.faults.append(f"{text.split('|')[9]}: answered {answer.code} {answer.control}")

    def again(self):
        self.relay.process.wait(30)
        self.relay.before = []
        self.started()

    def at_call(self, call, number, before=0):
        """Messages one after the other until the relay has died of it."""
        self.trace(call, number + before)
        self.started()
        trace = self.work / "trace"
        for _ in range(number + 4):  # a start may write less than the one whose calls were counted
            self.send(self.next())
            if "killed by SIGKILL" in trace.read_text():
                break
        last = trace.read_text()
        hit = "killed by SIGKILL" in last and (call != "sendto" or re.findall(r"sendto\(\d+, \"(.{4})", last)[-1] == "\\vMS")
        self.killed[call] = self.killed.get(call, 0) + hit
        if not hit:
            self.faults.append(f"it was not killed at {call} {number}")
        self.relay.stop()
        self.relay.before = []

    def after_reading(self, number):
        """The sender has its answer, and the relay dies at once; the sender forgets, and sends all of it again."""
        self.started()
        texts = [self.next() for _ in range(number)]
        with peer.Peer(self.place) as sender:
            sender.send(b"".join(peer.frame(text) for text in texts))
            sender.answer()
            self.relay.kill()
        self.started()
        for text in texts:
            self.send(text)
        self.relay.stop()

    def judge(self):
        self.server.start()
        self.started()
        wanted = set(range(1, self.serial + 1))
        bed.wait_for(lambda: set(peer.delivered(self.server)) >= wanted, 60)
        status = self.relay.stop()
        commits = peer.delivered(self.server)
        lost, doubled = sorted(wanted - set(commits)), sorted({serial for serial in commits if commits.count(serial) > 1})
        print(f"messages {self.serial}, sent {self.sent} times and more, killed {self.killed}, lost {len(lost)}, doubled {len(doubled)}")
        self.faults += [f"{what}: {found[:5]}" for what, found in (("lost", lost), ("delivered twice", doubled)) if found]
        self.faults += [f"the canary stands in {path}" for path in bed.told(self.work, self.relay)]
        if status:
            self.faults.append(f"it ended with {status}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=3)
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    given = parser.parse_args()
    if not given.definitions.exists() or not outbox.may_trace():
        print("skipped: no definition pack, or strace may not follow processes here")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-fault-") as name:
        trial = Trial(given, pathlib.Path(name))
        for number in range(1, given.points + 1):
            trial.at_call("sendto", number)
        for call in ("pwrite64", "fdatasync"):
            before = trial.before(call)
            for number in range(1, given.points + 1):
                trial.at_call(call, number, before)
        for number in range(1, given.points + 1):
            trial.after_reading(number)
        trial.judge()
    print("\n".join(trial.faults))
    return 1 if trial.faults else 0


if __name__ == "__main__":
    sys.exit(main())
