#!/usr/bin/env python3
"""Measures other engines beside ours, one after the other, on the same input, and holds all of them to the same result.

usage: side_by_side.py fhirpath|fml PROGRAM PACK

PROGRAM is bench_fhirpath or bench_fml; data/fhirpath or data/fml is the input. The engines: fhirpath.js and Medplum
(peers/bench.mjs), HL7's reference engines in Java (tests/oracles/hapi). Figures are medians; `least` has the best rounds in the same
order. A ratio tells how many times as long a peer takes: by the medians or by the best rounds, whichever flatters us less, for other
work on the machine slows some engines more than others. `ratio` alone is that of the usual peer: fhirpath.js, or Medplum for maps. The
last line of fhirpath has the figures of the expression with the smallest ratio, and of each peer the smallest ratio. Exit status 1: an
engine failed, or gave another result.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ORACLE = HERE.parent / "oracles" / "hapi" / "run.sh"


class Number(str):
    """A number as it was written: 72 is not 72.0."""


def read(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def output(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stdout[-1000:]}")
    return done.stdout


def times_of(row):
    return float(row["microseconds"]), float(row["least"])


def ours(program, pack, folder):
    """Median and least of each line; the lines are shown, for they tell more."""
    output([program, pack, folder, "--check"])
    text = output([program, pack, folder])
    print(text, end="", flush=True)
    return [(float(m[1]), float(m[2])) for m in re.finditer(r"ours=([\d.]+)us least=([\d.]+)us", text)]


def javascript(what, folder):
    lines = output(["node", str(HERE / "peers" / "bench.mjs"), what, str(folder)]).splitlines()
    return [read(line) for line in lines]


def java(jobs):
    environment = dict(os.environ)
    environment.setdefault("ORACLE_JAVA_OPTIONS", "-Xmx1500m -XX:+UseSerialGC")
    text = output([str(ORACLE)], input="".join(json.dumps(job) + "\n" for job in jobs), env=environment)
    return [read(line) for line in text.splitlines()]


def same(engine, what, result, expected):
    if result != expected:
        sys.exit(f"{engine} gives another result for {what}: {json.dumps(result)[:2000]}")


def figure(microseconds):
    return f"{microseconds:.3f}" if microseconds < 1 else f"{microseconds:.2f}" if microseconds < 100 else f"{microseconds:.0f}"


def ratios_of(times):
    own = times["ours"]
    return {engine: min(pair[0] / own[0], pair[1] / own[1]) for engine, pair in times.items() if engine != "ours"}


def line(name, times, ratios):
    medians = " ".join(f"{engine}={figure(median)}us" for engine, (median, _) in times.items())
    usual, *others = ratios
    shown = " ".join([f"ratio={ratios[usual]:.1f}"] + [f"ratio_{engine}={ratios[engine]:.1f}" for engine in others])
    least = "/".join(figure(best) for _, best in times.values())
    return f"bench {name} {medians} {shown} least={least}us"


def fhirpath(program, pack):
    folder = HERE / "data" / "fhirpath"
    cases = json.loads((folder / "expressions.json").read_text())
    expected = {case["expression"]: case["items"] for case in cases}
    times = {case["expression"]: {"ours": pair} for case, pair in zip(cases, ours(program, pack, folder), strict=True)}
    for row in javascript("fhirpath", folder):
        same(row["engine"], row["input"], row["result"], expected[row["input"]])
        times[row["input"]][row["engine"]] = times_of(row)
    jobs = [{"do": "fhirpath", "expression": case["expression"], "file": str(folder / case["document"]), "warm": 50000, "repeat": 20001}
            for case in cases]
    for case, answer in zip(cases, java(jobs), strict=True):
        same("hapi", case["expression"], [item["value"] for item in answer["items"]], case["items"])
        times[case["expression"]]["hapi"] = times_of(answer)
    ratios = {expression: ratios_of(row) for expression, row in times.items()}
    for expression, row in times.items():
        print(line("fhirpath", row, ratios[expression]), expression)
    worst = min(times, key=lambda expression: ratios[expression]["fhirpath.js"])
    print(line("fhirpath", times[worst], {peer: min(row[peer] for row in ratios.values()) for peer in ratios[worst]}))


def fml(program, pack):
    folder = HERE / "data" / "fml"
    expected = read((folder / "expected.json").read_text())
    times = {"ours": ours(program, pack, folder)[0]}
    job = {"do": "transform", "map": "visit", "mappings": [str(folder / "model.json"), str(folder / "map.fml")],
           "file": str(folder / "record.json"), "warm": 5000, "repeat": 5001}
    for row in javascript("fml", folder) + [{"engine": "hapi", **answer} for answer in java([job])]:
        same(row["engine"], "the record", row["result"], expected)
        times[row["engine"]] = times_of(row)
    print(line("fml", times, ratios_of(times)))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("fhirpath", "fml"):
        sys.exit(__doc__)
    {"fhirpath": fhirpath, "fml": fml}[sys.argv[1]](sys.argv[2], sys.argv[3])
