#!/usr/bin/env python3
"""relay.py BUILD [--records N] [--queued N] [--awake]: the relay end to end, beside the limits of the same machine in the same run. A sink that
answers at once stands behind TLS; records are posted to the relay's socket, whose store is new, many to a request, then one by one, then
slowly for the latency; then the sink is away, QUEUED records wait, and the relay is killed under load and started again. --awake: each processor has something to do that
gives way to all else, so that a virtual one does not halt whenever a disk or a peer is waited for; limits and relay have the same."""
import argparse
import array
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed

STAMP = 24
GROUP, CONNECTIONS, KILLS = 64, 4, 3  # records in a request, requests at a time, ends of the process under load


def record(work):
    made = json.loads((ROOT / "fixtures/clinic/minimal/record.json").read_text())
    made["session"]["id"], made["patient"]["mrn"] = "S-B@SERIAL@", "MRN-@SERIAL@"
    path = work / "record.json"
    path.write_text(json.dumps(made, separators=(",", ":")))
    return path


class Bench:
    def __init__(self, given, work):
        self.given, self.work, self.next = given, work, 0
        self.sink, self.relay, self.port = None, None, 0
        subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        total = given.records * 3 + 1000 + given.paced + given.queued + (KILLS + 2) * given.records + 1
        with open(work / "stamps", "wb") as file:
            file.truncate(total * STAMP)
        self.record = record(work)
        self.open_sink()
        server = types.SimpleNamespace(base=f"https://127.0.0.1:{self.port}/fhir", certificate=work / "certs/server.pem")
        http = f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n[store]\nmax-records = 2000000\n"
        bed.prepare(work, given.definitions, {"hospital": server}, destination=http, in_flight=64)
        self.relay = bed.Relay(given.build / "ketlink-relay", work)

    def program(self, name, *arguments):
        return [self.given.build / f"tests/bench/bench_{name}", *map(str, arguments)]

    def open_sink(self):
        port = self.work / "port"
        port.unlink(missing_ok=True)
        self.sink = subprocess.Popen(self.program("sink", self.work / "certs/server.pem", self.work / "certs/server.key", port,
                                                  self.work / "stamps", self.port))
        if not bed.wait_for(lambda: port.exists() and port.read_text().endswith("\n"), 10):
            raise SystemExit("the sink does not start")
        self.port = int(port.read_text())

    def close_sink(self):
        self.sink.kill()
        self.sink.wait()

    def start(self):
        began = time.monotonic_ns()
        self.relay.start()
        if not bed.wait_for(lambda: "ketlink" in self.metrics(), 60):
            raise SystemExit((self.work / "log").read_text()[-2000:])
        return began

    def metrics(self):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.work / "socket"))
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
            except OSError:
                return ""

    def delivered(self):
        for line in self.metrics().splitlines():
            if line.startswith("ketlink_delivered_total"):
                return int(line.rpartition(" ")[2])
        return 0

    def post(self, count, group, connections, rate=0, wait=True):
        arguments = ("post", self.work / "socket", self.record, self.work / "stamps", self.next, count, group, connections, rate)
        self.next += count
        words = None if wait else subprocess.DEVNULL  # whoever posts while the relay is killed says so
        child = subprocess.Popen(self.program("producer", *arguments), stdout=subprocess.PIPE, stderr=words, text=True)
        return float(child.communicate()[0]) if wait else child

    def stamps(self, first, count):
        with open(self.work / "stamps", "rb") as file:
            file.seek(first * STAMP)
            values = array.array("q", file.read(count * STAMP))
        return zip(values[0::3], values[1::3], values[2::3])

    def status(self, name):
        for line in pathlib.Path(f"/proc/{self.relay.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
        return 0

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.relay.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def through(bench, count, group, connections, rate=0):
    """Posted, delivered and marked: rates, processor time of the relay for each, latencies in ms."""
    first, before, cpu = bench.next, bench.delivered(), bench.cpu()
    began = time.monotonic()
    accepted = bench.post(count, group, connections, rate)
    if not bed.wait_for(lambda: bench.delivered() >= before + count, 60 + count / 100):
        raise SystemExit(f"delivered {bench.delivered() - before} of {count}\n" + (bench.work / "log").read_text()[-2000:])
    took, used = time.monotonic() - began, bench.cpu() - cpu
    waits = sorted((delivered - accepted) / 1e6 for _, accepted, delivered in bench.stamps(first, count))
    answers = sorted((accepted - posted) / 1e6 for posted, accepted, _ in bench.stamps(first, count))
    return types.SimpleNamespace(accepted=accepted, rate=count / took, cpu=used / count * 1e6, waits=waits, answers=answers)


def quantile(values, part):
    return values[min(len(values) - 1, int(len(values) * part))]


def limits(bench):
    curl = subprocess.run(bench.program("producer", "curl", f"https://127.0.0.1:{bench.port}/fhir", bench.work / "certs/ca.pem",
                                        bench.work / "stamps", bench.given.records, 64), check=True, capture_output=True, text=True)
    subprocess.run(bench.program("outbox", bench.given.records), check=True, cwd=bench.work)
    print(f"bench relay-limits libcurl-multi={float(curl.stdout):.0f}/s (4 kB, 64 in flight)", flush=True)


def show(name, run):
    print(f"bench relay-{name} accepted={run.accepted:.0f}/s end-to-end={run.rate:.0f}/s cpu={run.cpu:.0f}us "
          f"answer-p50={quantile(run.answers, .5):.1f}ms answer-p99={quantile(run.answers, .99):.1f}ms "
          f"delivered-p50={quantile(run.waits, .5):.1f}ms delivered-p99={quantile(run.waits, .99):.1f}ms", flush=True)


def queue(bench):
    """The destination is away, and the store is full; then the relay is killed while it takes more, and the sink is there again."""
    bench.relay.stop()
    bench.close_sink()
    filled = subprocess.run(bench.program("fill", bench.work / "state", bench.work / "store.key", "hospital", bench.record, bench.next,
                                          bench.given.queued), check=True, capture_output=True, text=True)
    bench.next += bench.given.queued
    began = bench.start()
    took = (time.monotonic_ns() - began) / 1e6
    bench.post(bench.given.records, GROUP, CONNECTIONS)
    print(f"bench relay-queued records={bench.given.queued} filled={float(filled.stdout):.0f}/s started={took:.0f}ms "
          f"rss={bench.status('VmRSS'):.1f}MiB peak={bench.status('VmHWM'):.1f}MiB "
          f"store={(bench.work / 'state/outbox.db').stat().st_size >> 20}MiB", flush=True)
    worst = 0
    for _ in range(KILLS):
        more = bench.post(bench.given.records, GROUP, CONNECTIONS, wait=False)
        time.sleep(0.5)
        log = (bench.work / "state/outbox.db-wal").stat().st_size
        bench.relay.kill()
        more.communicate()
        bench.open_sink()
        began = bench.start()
        if not bed.wait_for(bench.delivered, 60):
            raise SystemExit("nothing is delivered")
        first = min(delivered for _, _, delivered in bench.stamps(0, bench.next) if delivered > began)
        worst = max(worst, (first - began) / 1e6)
        print(f"bench relay-killed log={log >> 10}kiB first-delivery={(first - began) / 1e6:.0f}ms "
              f"rss={bench.status('VmRSS'):.1f}MiB", flush=True)
        bench.close_sink()
    print(f"bench relay-recovery worst={worst:.0f}ms", flush=True)


@contextlib.contextmanager
def awake(wanted):
    def idle():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=idle) for _ in range(os.cpu_count() if wanted else 0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--definitions", type=pathlib.Path, default=ROOT / "build/definitions.pack")
    parser.add_argument("--records", type=int, default=8000)
    parser.add_argument("--paced", type=int, default=2000)
    parser.add_argument("--queued", type=int, default=20000)
    parser.add_argument("--awake", action="store_true")
    given = parser.parse_args()
    given.build, given.definitions = given.build.resolve(), given.definitions.resolve()
    with awake(given.awake), tempfile.TemporaryDirectory(prefix="bench-relay-", dir=ROOT / "build") as name:  # on the disk of the tree, not in memory
        bench = Bench(given, pathlib.Path(name))
        try:
            print(f"bench relay-load {' '.join(pathlib.Path('/proc/loadavg').read_text().split()[:3])}", flush=True)
            limits(bench)
            bench.start()
            through(bench, 1000, GROUP, CONNECTIONS)  # its connections are made, and its memory is there
            show("many", through(bench, given.records, GROUP, CONNECTIONS))  # first: what the store knows of patients costs time
            show("one-by-one", through(bench, given.records // 4, 1, 1))
            show("paced", through(bench, given.paced, 1, 8, rate=500))
            print(f"bench relay-memory rss={bench.status('VmRSS'):.1f}MiB", flush=True)
            if given.queued:
                queue(bench)
        finally:
            bench.sink.kill()
            if bench.relay.process:
                bench.relay.kill()


if __name__ == "__main__":
    main()
