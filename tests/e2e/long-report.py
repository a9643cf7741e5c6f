#!/usr/bin/env python3
"""A long report keeps each of its results, whatever the numbers of its rows, and a text all of its lines.

    long-report.py              KETLINK names the program
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = os.environ.get("KETLINK", ROOT / "build/release/ketlink")
RESULTS = 50
HEAD = ["MSH|^~\\&|LAB|CLINIC|||20260311100500-0500||ORU^R01^ORU_R01|M1|P|2.5.1", "PID|||900123^^^CLINIC^MR||Doe^Jordan||19840229|F"]
ORDER = "OBR|{}||FO-{}|VS^Vital signs|||20260311100000-0500||||||||||||||||||F"
ROW = "OBX|{}|NM|8867-4^Heart rate^LN||71|/min^^UCUM|||||F|||20260311100000-0500"

UNIQUE, ALIKE, NONE = range(1, RESULTS + 1), [1] * RESULTS, [""] * RESULTS


def orders(*of):
    """-> a message: for each order its number, and the numbers of its results"""
    segments = HEAD + [text for place, (number, rows) in enumerate(of, 1)
                       for text in (ORDER.format(place, number), *(ROW.format(row) for row in rows))]
    return "\r".join([*segments, ""])


def observations(text, work):
    """-> the Observations of its Bundle by their addresses"""
    (work / "message.hl7").write_text(text)
    done = subprocess.run([KETLINK, "export", "-q", work / "message.hl7"], stdout=subprocess.PIPE, text=True, check=True)
    return [(entry["fullUrl"], entry["resource"]) for entry in json.loads(done.stdout)["entry"] if entry["resource"]["resourceType"] == "Observation"]


CASES = {"numbers of their own": [(1, UNIQUE)], "one number for all": [(1, ALIKE)], "no numbers": [(1, NONE)],
         "numbers of two orders": [(1, UNIQUE), (2, UNIQUE)], "the same order twice": [(1, UNIQUE), (1, UNIQUE)]}

# Lines of text are looked for in all others: time and memory must not grow with the square of their number.
LINES = 2000
TEXTS = {"lines": ("OBX|{0}|TX|NOTE^Note^L||line {0}||||||F", 1), "lines that OBX-4 numbers": ("OBX|{0}|TX|NOTE^Note^L|{0}|line {0}||||||F", 1),
         "parts of two notes": ("OBX|{0}|TX|NOTE{1}^Note^L|{0}|line {0}||||||F", LINES), "notes": ("OBX|{0}|TX|N{0}^Note^L||line {0}||||||F", LINES)}

# Results of no order, all alike: each is asked which were before it. They outgrew the memory of a record.
LOOSE = 3200


def text_of(row):
    return "\r".join([*HEAD, ORDER.format(1, 1), *(row.format(i, i % 2) for i in range(1, LINES + 1)), ""])


with tempfile.TemporaryDirectory() as folder:
    for name, of in CASES.items():
        found = [address for address, _ in observations(orders(*of), pathlib.Path(folder))]
        if len(found) != RESULTS * len(of) or len(set(found)) != len(found):
            sys.exit(f"{name}: {len(found)} results under {len(set(found))} addresses, of {RESULTS * len(of)}")
    for name, (row, count) in TEXTS.items():
        found = observations(text_of(row), pathlib.Path(folder))
        said = [line for _, result in found for line in result["valueString"].split("\n")]
        if len(found) != count or len(dict(found)) != count or said != [f"line {i}" for i in range(1, LINES + 1)]:
            sys.exit(f"{name}: {len(found)} results in place of {count}, with {len(said)} lines")
    found = observations("\r".join([*HEAD, *(ROW.format(i) for i in range(1, LOOSE + 1)), ""]), pathlib.Path(folder))
    if len(dict(found)) != LOOSE:
        sys.exit(f"results of no order: {len(dict(found))} in place of {LOOSE}")
print(f"{1 + len(CASES) + len(TEXTS)} long reports, each of their results and lines kept")
