#!/usr/bin/env python3
"""What the relay does as a whole stands in its trail, with who asked for it: start, stop, reload, backup, a new store key.

    trail.py                KETLINK names the program; ketlink-relay stands beside it
"""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed  # noqa: E402
import ehr  # noqa: E402
from bed import expect  # noqa: E402

KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
RELAY = KETLINK.with_name("ketlink-relay")
PACK = ROOT / "build/definitions.pack"
PATIENCE = 40


class Bench:
    def __init__(self, work, certs):
        self.work, self.log = work, work / "log"
        work.mkdir()
        self.hospital = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        bed.prepare(work, PACK, {"hospital": self.hospital},
                    folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n[store]\nbackup = {work}/backup.db\n")
        self.relay = bed.Relay(RELAY, work)

    def said(self, word, times=1):
        expect(bed.wait_for(lambda: self.log.read_bytes().count(word.encode()) >= times, PATIENCE), word, times, self.log.read_text())

    def ask(self, target):
        return subprocess.run(["curl", "-sS", "--fail", "--unix-socket", self.work / "socket", f"http://localhost/{target}"],
                              capture_output=True, check=True).stdout

    def events(self):
        """Of the relay, not of a record."""
        found = json.loads(self.ask("audit?limit=1000"))["events"]
        return [(event["what"], event["actor"], event["reason"]) for event in found if not event["record"]]


def place_of(line):
    """Its store, its number there, what it is, and what ties it to the one before."""
    event = json.loads(line)
    own = [entity for entity in event["entity"] if entity["what"]["display"] == "event of the trail"][0]
    return (event["source"]["observer"]["identifier"]["value"], int(own["what"]["identifier"]["value"]), own["name"],
            own["detail"][0]["valueString"])


def check_places(bench, trail):
    """As they stand in the store."""
    places = [place_of(line) for line in trail.read_text().splitlines()]
    store = sqlite3.connect(bench.work / "state/outbox.db")
    rows = store.execute("SELECT (SELECT lower(hex(id)) FROM store), number, what, lower(hex(chain)) FROM audit ORDER BY number").fetchmany(len(places))
    store.close()
    expect(places == rows, places, "is not", rows)
    expect([place[1] for place in places] == [*range(1, len(places) + 1)], places)


def check_files(bench, lines):
    """Whole, in parts, and with what somebody has changed, taken out or put in."""
    def changed(number, old, new):
        expect(old in lines[number - 1], lines[number - 1], "has no", old)
        return [*lines[:number - 1], lines[number - 1].replace(old, new, 1), *lines[number:]]

    end, stopped = len(lines), next(number for number, line in enumerate(lines, 1) if '"stopped"' in line)
    chains = [place_of(line)[3] for line in lines]
    cases = [  # files, exit status, what is said; the store has all of them
        ([lines], 0, f"{end} events, 1 to {end}, are as the store wrote them"),
        ([lines[:3], lines[3:]], 0, f"{end} events, 1 to {end}, are as the store wrote them"),
        ([lines[4:]], 0, f"{end - 4} events, 5 to {end}, are as the store wrote them"),
        ([lines[4:]], 0, "what came before 5 stands in another file"),
        ([lines[:0]], 0, "0 events"),
        ([lines[:2] + lines[3:]], 1, "file-0:3: events before this one are missing"),
        ([lines[3:], lines[:3]], 1, "file-1:1: events before this one are missing"),
        ([lines[:1] + lines], 1, "file-0:2: events before this one are missing"),
        ([changed(stopped, f"uid={os.getuid()}", "uid=4711")], 1, f"file-0:{stopped}: this event was changed"),
        ([changed(stopped, '"outcomeDesc":"SIG', '"outcomeDesc":"sig')], 1, f"file-0:{stopped}: this event was changed"),
        ([changed(stopped, '"recorded":"2', '"recorded":"1')], 1, f"file-0:{stopped}: this event was changed"),
        ([changed(stopped, '"recorded":"2', '"recorded":" 2')], 1, f"file-0:{stopped}: this event was changed"),
        ([changed(stopped, chains[stopped - 1], chains[0])], 1, f"file-0:{stopped}: this event was changed"),
        ([changed(2, place_of(lines[0])[0], "0" * 32)], 1, "file-0:2: this event is of another relay's store"),
        ([changed(5, '"recorded":"2', '"recorded":"1')[4:]], 1, "file-0:1: this event was changed"),
        ([lines[:1] + ["{}\n"]], 1, "file-0:2: this is no AuditEvent"),
        ([lines[:1] + ["x" * 70000 + "\n"]], 1, "file-0:2: this line is too long"),
    ]
    run_cases(bench, cases)


def run_cases(bench, cases):
    for files, status, said in cases:
        names = [bench.work / f"file-{number}" for number in range(len(files))]
        for name, text in zip(names, files):
            name.write_text("".join(text))
        done = subprocess.run([KETLINK, "audit", "check", "--socket", bench.work / "socket", *names], capture_output=True, text=True)
        expect(done.returncode == status and said in done.stderr, files, "gives", done.returncode, done.stderr, "and not", said)


def ask_cli(bench, *words):
    return subprocess.run([KETLINK, "audit", words[0], "-q", "--socket", bench.work / "socket", *words[1:]], capture_output=True, text=True, check=True)


def export(bench, name):
    ask_cli(bench, "export", "-o", bench.work / name)
    return (bench.work / name).read_text().splitlines(keepends=True)


def check_shortened(bench, lines):
    """What was taken out of the store is sound by its file, and the rest by its own, as one trail."""
    end, through = len(lines), len(lines) - 3
    ask_cli(bench, "shorten", str(through), f"--confirm={through}")
    rest = export(bench, "rest.ndjson")
    expect(rest[:3] == lines[through:], rest, "does not go on after", through)
    alone = lines[4].replace('"recorded":"2', '"recorded":"1', 1)
    run_cases(bench, [
        ([lines], 0, f"{end} events, 1 to {end}, are as the store wrote them"),
        ([lines[:through], rest], 0, f"{through + len(rest)} events, 1 to {through + len(rest)}, are as the store wrote them"),
        ([rest], 0, f"{len(rest)} events, {through + 1} to {through + len(rest)}, are as the store wrote them"),
        ([lines[4:through]], 0, f"{through - 5} events, 6 to {through}, are as the store wrote them\nwhat ties 5 stands in another file"),
        ([[alone] + lines[5:]], 0, "what ties 5 stands in another file"),
        ([lines[:5], [alone] + lines[5:]], 1, "file-1:1: events before this one are missing"),
        ([lines[:4], [alone] + lines[5:]], 1, "file-1:1: this event was changed"),
        ([lines[:through - 1]], 0, f"what came after {through - 1}, up to {through}, stands in another file"),
        ([rest[1:] + rest[:1]], 1, "events before this one are missing"),
    ])
    return lines[:through] + rest


def check_cut(bench, lines):
    """The end of the store's trail was taken away, as much as comes anew, and more: who has exported it sees it."""
    for cut, said in ((2, "the store has another event in this place"), (9, "the store's trail ends before this event")):
        expect(bench.relay.stop() == 0, bench.log.read_text())
        with sqlite3.connect(bench.work / "state/outbox.db") as store:
            last = store.execute("SELECT max(number) FROM audit").fetchone()[0]
            store.execute("DELETE FROM anchor") if cut == 9 else None
            store.execute("DELETE FROM audit WHERE number > ?", (last - cut,))
        store.close()
        started = bench.log.read_bytes().count(b"started")
        bench.relay.start()
        bench.said("started", started + 1)
        run_cases(bench, [([lines], 1, said)])


def main():
    if not RELAY.exists() or not PACK.exists():
        print(f"skipped: {RELAY} or {PACK} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-trail-") as folder:
        certs = pathlib.Path(folder) / "certs"
        subprocess.run([ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        bench = Bench(pathlib.Path(folder) / "relay", certs)
        me = f"uid={os.getuid()}"
        bench.relay.start()
        bench.said("started")
        bench.said("backed-up")
        bench.relay.process.send_signal(signal.SIGHUP)
        bench.said("reloaded")
        destination = bench.work / "mappings/destinations/hospital.json"
        good = destination.read_text()
        destination.write_text("{")
        bench.relay.process.send_signal(signal.SIGHUP)
        bench.said("not-reloaded")
        destination.write_text(good)
        expect(bench.relay.stop() == 0, bench.log.read_text())
        subprocess.run([KETLINK, "keys", "store", "rotate", "-q", bench.work / "store.key"], check=True)
        bench.relay.start()
        bench.said("started", 2)
        wanted = [("opened", "", ""), ("started", me, ""), ("backed-up", "", ""), ("reloaded", me, "SIGHUP"),
                  ("reload-refused", me, "SIGHUP"), ("stopped", me, "SIGTERM"), ("key-rotated", "", "store-key-2"), ("opened", "", ""),
                  ("started", me, "")]
        expect(bench.events()[:len(wanted)] == wanted, bench.events(), "is not", wanted)
        exported = bench.work / "audit.json"
        exported.write_bytes(bench.ask("audit?format=fhir&limit=1000"))
        subprocess.run([KETLINK, "validate", "-q", exported], check=True)
        resources = [entry["resource"] for entry in json.loads(exported.read_text())["entry"]]
        refused = [resource for resource in resources if resource["type"]["display"] == "reload-refused"]
        expect([(one["action"], one["outcome"], one["agent"][0]) for one in refused] == [("E", "4", {"name": me, "requestor": True})], refused)
        trail = bench.work / "trail.ndjson"
        subprocess.run([KETLINK, "audit", "export", "-q", "--socket", bench.work / "socket", "-o", trail], check=True)
        lines = trail.read_text().splitlines(keepends=True)
        check_files(bench, lines)
        expect(bench.relay.stop() == 0, bench.log.read_text())
        check_places(bench, trail)
        bench.relay.start()
        bench.said("started", 3)
        lines = check_shortened(bench, lines)
        check_cut(bench, lines)
        expect(bench.relay.stop() == 0, bench.log.read_text())
        bench.hospital.stop()
    print(f"trail: {len(wanted)} events of the relay, with who asked for them, and as FHIR AuditEvents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
