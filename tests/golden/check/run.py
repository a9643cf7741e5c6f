#!/usr/bin/env python3
"""The rules of care at their edges. Each file holds cases: a fixture, what is changed in it, and the marks that differ from the fixture's own; a
rule that is not named must keep its mark, or have that of "*". "/doses/0/givenMg" is set, null takes away, "/vitals/-" adds. Each rule must be
seen to hold, not to hold, and not to apply.

usage: run.py [NAME OF A FILE]      KETLINK names the program; exit status 77: it is not built
"""
import copy
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
KETLINK = os.environ.get("KETLINK", str(ROOT / "build/release/ketlink"))


def step(node, key):
    return node[int(key)] if isinstance(node, list) else node.setdefault(key, {})


def change(record, changes):
    record = copy.deepcopy(record)
    for at, value in changes.items():
        *way, last = at.strip("/").split("/")
        node = record
        for key in way:
            node = step(node, key)
        if last == "-":
            node.append(value)
        elif value is None:
            del node[int(last) if isinstance(node, list) else last]
        else:
            node[int(last) if isinstance(node, list) else last] = value
    return record


def fixture(name):
    return json.loads((ROOT / f"fixtures/clinic/{name}/record.json").read_text())


def marks_of(records):
    text = "".join(json.dumps(record) + "\n" for record in records) + "\n"
    done = subprocess.run([KETLINK, "check", "--json", "--fail-on", "none", "-"], input=text, capture_output=True, text=True, cwd=ROOT)
    lists = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode not in (0, 65) or len(lists) != len(records):
        sys.exit(f"exit status {done.returncode}, {len(lists)} checklists for {len(records)} records\n{done.stderr}")
    return [{rule["key"]: rule["status"] for rule in one["rules"]} for one in lists]


def main():
    if not os.access(KETLINK, os.X_OK):
        print(f"skipped: {KETLINK} is not built")
        return 77
    cases, seen, failed = [], {}, 0
    for path in sorted(pathlib.Path(__file__).parent.glob("*.json")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            cases += [(path.stem, case) for case in json.loads(path.read_text())]
    names = sorted({case["fixture"] for _, case in cases})
    base = dict(zip(names, marks_of([fixture(name) for name in names])))
    got = marks_of([change(fixture(case["fixture"]), case["change"]) for _, case in cases])
    for (file, case), marks in zip(cases, got):
        every = dict.fromkeys(marks, case["expect"]["*"]) if "*" in case["expect"] else {}
        want = base[case["fixture"]] | every | {key: mark for key, mark in case["expect"].items() if key != "*"}
        wrong = {key: (want.get(key), mark) for key, mark in marks.items() if mark != want.get(key)}
        unknown = set(want) - set(marks)
        failed += bool(wrong or unknown)
        for key, (wanted, mark) in list(wrong.items())[:8]:
            print(f"{file}: {case['name']}: {key} is {mark}, not {wanted}")
        for key in unknown:
            print(f"{file}: {case['name']}: there is no rule {key}")
    for marks in [*got, *base.values()]:
        for key, mark in marks.items():
            seen.setdefault(key, set()).add("broken" if mark in ("warning", "error") else mark)
    for key, kinds in seen.items() if not sys.argv[1:] else []:
        for kind in {"ok", "broken", "not-applicable"} - kinds:
            failed += 1
            print(f"{key}: no case in which it is {kind}")
    print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed or not cases else 0


sys.exit(main())
