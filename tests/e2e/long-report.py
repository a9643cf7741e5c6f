#!/usr/bin/env python3
"""A long report keeps each of its results, whatever the numbers of its rows.

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
    """-> the addresses of the Observations of its Bundle"""
    (work / "message.hl7").write_text(text)
    done = subprocess.run([KETLINK, "export", work / "message.hl7"], stdout=subprocess.PIPE, text=True, check=True)
    return [entry["fullUrl"] for entry in json.loads(done.stdout)["entry"] if entry["resource"]["resourceType"] == "Observation"]


CASES = {"numbers of their own": [(1, UNIQUE)], "one number for all": [(1, ALIKE)], "no numbers": [(1, NONE)],
         "numbers of two orders": [(1, UNIQUE), (2, UNIQUE)], "the same order twice": [(1, UNIQUE), (1, UNIQUE)]}

with tempfile.TemporaryDirectory() as folder:
    for name, of in CASES.items():
        found = observations(orders(*of), pathlib.Path(folder))
        if len(found) != RESULTS * len(of) or len(set(found)) != len(found):
            sys.exit(f"{name}: {len(found)} results under {len(set(found))} addresses, of {RESULTS * len(of)}")
print(f"{len(CASES)} long reports, each of their results kept")
