#!/usr/bin/env python3
"""A record with many doses, readings, assessments or scales is checked in the time of its size, and the rules say of it what they say of a short one.

    many-rows.py              KETLINK names the program
"""
import copy
import json
import os
import pathlib
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = os.environ.get("KETLINK", ROOT / "build/release/ketlink")
RECORD = json.loads((ROOT / "fixtures/clinic/intranasal-84mg/record.json").read_text())
FEW, MANY, LIMIT = 50, 150, 100  # rows of which a rule tells one by one, and once; rows
CADSS = {"id": "SC1", "scale": "cadss", "version": "clinic form 2", "by": "N1", "total": 11}
SEEN = {"id": "AS1", "by": "N1", "moaas": 3, "sedation": "drowsy", "dissociation": "present", "respiration": "shallow"}
GONE = {"id": "LAST", "at": "2026-03-12T11:59:00-05:00", "by": "N1", "moaas": 5, "sedation": "none", "dissociation": "absent", "respiration": "normal"}
LEAVING = ("dis-sedation", "dis-dissociation", "dis-respiration")


def with_rows(part, row, count, *last):
    record = copy.deepcopy(RECORD)
    times = [f"2026-03-12T10:{i // 60 % 60:02}:{i % 60:02}-05:00" for i in range(count)]
    rows = [{**row, "id": f"X{i}", "at": at} for i, at in enumerate(times)]
    if part == "doses":
        rows = [{**row, "id": f"A{i + 1}", "device": i + 1, "start": at, "stop": "2026-03-12T11:30:00-05:00"} for i, at in enumerate(times)]
    record[part] = [*rows, *last]
    return record


def check(record):
    """-> the marks of its rules, the seconds of the processor"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([KETLINK, "check", "--json", "--fail-on", "none", "-"], input=json.dumps(record), stdout=subprocess.PIPE, text=True, check=True)
    marks = {rule["key"]: rule["status"] for rule in json.loads(done.stdout)["rules"]}
    return marks, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main():
    dose, vital = RECORD["doses"][0], RECORD["vitals"][0]
    small = {**dose, "givenMg": 0.5}
    for count in (FEW, MANY):
        for name, record, keys, want in (
                ("never well again", with_rows("assessments", SEEN, count), LEAVING, "warning"), ("well at last", with_rows("assessments", SEEN, count, GONE), LEAVING, "ok"),
                ("dissociated", with_rows("scales", CADSS, count), ("dis-cadss",), "ok"),
                ("too much", with_rows("doses", dose, count), ("dos-84-mg",), "warning"), ("not too much", with_rows("doses", small, count), ("dos-84-mg",), "ok")):
            marks, _ = check(record)
            wrong = {key: marks[key] for key in keys if marks[key] != want}
            if wrong:
                sys.exit(f"{count} rows, {name}: {wrong} in place of {want}")
        record = with_rows("scales", CADSS, count)
        record["assessments"] = [{**one, "dissociation": "present"} for one in record["assessments"]]
        if check(record)[0]["dis-cadss"] != "warning":
            sys.exit(f"{count} scales, none of them low: no warning")
    # With the square of the number these take sixteen times as long.
    for part, row in (("doses", dose), ("vitals", vital), ("scales", CADSS), ("assessments", SEEN)):
        short, long = (min(check(with_rows(part, row, count))[1] for _ in range(2)) for count in (LIMIT * 10, LIMIT * 40))
        if long > 9 * short + 0.2:
            sys.exit(f"{part}: four times the rows take {long:.2f} s in place of {short:.2f} s")
    print("records with many rows: the same findings, in the time of their size")


if __name__ == "__main__":
    main()
