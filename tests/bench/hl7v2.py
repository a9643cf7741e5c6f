#!/usr/bin/env python3
"""hl7v2.py BUILD [--alone] [--quick] [--python PYTHON]: HL7 v2, one run side by side.

Values: message.hl7 (0.9 kB, ORU^R01) of data/hl7v2 parsed and 35 values read, by ours, Medplum's Hl7Message, node-hl7-client,
HAPI HL7 v2 and hl7apy, each warm; all must read the same values before any figure is shown. A ratio tells how many times as long
a peer takes: by the medians or by the best rounds, whichever flatters us less. Bundle: the same message, text to Bundle text, by
our maps, JSONata, FUME's engine and LinuxForHealth's converter, each warm; before any figure is shown all must have made what
core.json says: patients by identifier and family name, results by LOINC code, value, unit and time. MLLP: messages acknowledged a
second by the real relay, each only after its commit, beside appends with fdatasync on the same disk before and after. A peer that
cannot be run is named and left out. --alone: only ours; --quick: few rounds, to see that all of it runs. Exit status 1: a peer read
other values, or made another Bundle."""
import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import types

from side_by_side import line, ratios_of, times_of

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = HERE / "data" / "hl7v2"
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed

SKIPPED = 77


def peers(python):
    yield "medplum, node-hl7-client", ["node", HERE / "peers/hl7v2.mjs", DATA], {}
    yield "hapi", [ROOT / "tests/servers/hl7v2/run.sh", "bench", DATA], {"HL7V2_JAVA_OPTIONS": "-Xmx512m -XX:+UseSerialGC"}
    if python:
        yield "hl7apy", [python, HERE / "peers/hl7v2.py", DATA], {}


def bundle_peers():
    yield "jsonata, fume, fume-blocks", ["node", HERE / "peers/oru.mjs", DATA], {}
    yield "linuxforhealth", [HERE / "peers/linuxforhealth/run.sh", DATA], {}


def rows_of(bench, name, command, environment):
    """What a peer says, or nothing and why."""
    done = subprocess.run(["env", *(f"{key}={value}" for key, value in environment.items()), *map(str, command)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return [json.loads(row) for row in done.stdout.splitlines()]
    why = done.stderr.strip().splitlines() or ["no word"]
    print(f"bench {bench} left out: {name}: {why[-1][:200]}", flush=True)
    return []


def values(given):
    program = [given.build / "tests/bench/bench_hl7v2", given.definitions, DATA]
    subprocess.run([*program, "--check"], check=True)
    expected = json.loads(subprocess.run([*program, "--print"], check=True, stdout=subprocess.PIPE, text=True).stdout)
    rows = [] if given.alone else [row for peer in peers(given.python) for row in rows_of("hl7v2-values", *peer)]
    for row in rows:
        if row["result"] != expected:
            sys.exit(f"{row['engine']} reads other values: {row['result']}")
    side_by_side("hl7v2-values", [*program, *(["21"] if given.quick else [])], rows)


def side_by_side(bench, program, rows):
    """Runs ours, shows what it prints, and all times in a line when there are peers."""
    text = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(text, end="", flush=True)
    found = re.search(r"ours=([\d.]+)us least=([\d.]+)us", text)
    times = {"ours": (float(found[1]), float(found[2]))} | {row["engine"]: times_of(row) for row in rows}
    if rows:
        print(line(bench, times, ratios_of(times)), flush=True)


def core(made):
    """What every Bundle of the message must have, however it is divided: halves of a pressure are results too."""
    resources = [entry["resource"] for entry in made["entry"]]
    patients = [(identifier["value"], name["family"]) for patient in resources if patient["resourceType"] == "Patient"
                for identifier in patient["identifier"] for name in patient["name"]]
    results = [(coding["code"], float(part["valueQuantity"]["value"]), part["valueQuantity"]["unit"], instant(result["effectiveDateTime"]))
               for result in resources if result["resourceType"] == "Observation"
               for part in (result, *result.get("component", [])) if "valueQuantity" in part
               for coding in part["code"]["coding"] if coding.get("system") == "http://loinc.org"]
    return sorted(patients), sorted(results)


def instant(text):
    return datetime.datetime.fromisoformat(text)


def stated():
    said = json.loads((DATA / "core.json").read_text())
    results = sorted((code, float(value), unit, instant(time)) for code, value, unit, time in said["results"])
    return sorted(tuple(patient) for patient in said["patients"]), results


def bundle(given):
    program = [given.build / "tests/bench/bench_oru", given.definitions, DATA, ROOT / "mappings"]
    ours = subprocess.run([*program, "--print"], check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = [] if given.alone else [row for peer in bundle_peers() for row in rows_of("hl7v2-bundle", *peer)]
    for row in [{"engine": "ours", "result": json.loads(ours)}, *rows]:
        if core(row["result"]) != stated():
            sys.exit(f"{row['engine']} makes another Bundle: {core(row['result'])}")
    side_by_side("hl7v2-bundle", [*program, *(["21"] if given.quick else [])], rows)


class Listener:
    """A relay with a listener, whose destination is away: what is measured is taking in."""

    def __init__(self, given, work):
        subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        server = types.SimpleNamespace(base="https://127.0.0.1:1/fhir", certificate=work / "certs/server.pem")
        section = "[mllp bench]\nlisten = 127.0.0.1:0\nto = hospital\n[store]\nmax-records = 2000000\n"
        bed.prepare(work, given.definitions, {"hospital": server}, destination=section)
        self.work, self.relay = work, bed.Relay(given.build / "ketlink-relay", work)
        self.relay.start()
        bed.wait_for(lambda: self.port() or self.relay.ended(), 60)

    def port(self):
        found = re.search(r"\bmllp-listens listener=bench port=(\d+)", (self.work / "log").read_text())
        return int(found[1]) if found else 0


def number(command):
    return float(subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout)


def mllp(given, work):
    talker = given.build / "tests/bench/bench_talker"
    count, size = (400 if given.quick else 8000), (DATA / "message.hl7").stat().st_size
    message = work / "message.hl7"
    message.write_bytes((DATA / "message.hl7").read_bytes().replace(b"V2-000042", b"V2-@SERIAL@"))
    disk = [number([talker, "sync", work / "disk", size, count])]
    listener = Listener(given, work)
    if not listener.port():
        listener.relay.kill()
        print(f"bench hl7v2-mllp left out: the relay does not listen: {(work / 'log').read_text()[-300:]}", flush=True)
        return
    try:
        start, rates = 0, {}
        for name, window, connections in (("waiting", 1, 1), ("one", 32, 1), ("eight", 32, 8)):
            rates[name] = number([talker, "mllp", listener.port(), message, start, count, window, connections])
            start += count
    finally:
        listener.relay.stop()
    disk.append(number([talker, "sync", work / "disk", size, count]))
    best = max(disk)
    shown = " ".join(f"{name}={rate:.0f}/s" for name, rate in rates.items())
    print(f"bench hl7v2-mllp {shown} disk={disk[0]:.0f}/s,{disk[1]:.0f}/s of-disk="
          f"{','.join(f'{rate / best:.2f}' for rate in rates.values())} (accepted to ACK with commit: each answer waited for; "
          "32 under way on one connection; on each of eight)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--definitions", type=pathlib.Path, default=ROOT / "build/definitions.pack")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--python")
    given = parser.parse_args()
    given.build, given.definitions = given.build.resolve(), given.definitions.resolve()
    print(f"bench hl7v2-load {' '.join(pathlib.Path('/proc/loadavg').read_text().split()[:3])}", flush=True)
    values(given)
    bundle(given)
    with tempfile.TemporaryDirectory(prefix="bench-hl7v2-", dir=ROOT / "build") as name:  # on the disk of the tree, not in memory
        mllp(given, pathlib.Path(name))


if __name__ == "__main__":
    main()
