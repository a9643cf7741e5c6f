#!/usr/bin/env python3
"""The same sessions in JSON and as a set of CSV files give the same Bundles, byte for byte.

All good records of fixtures/clinic: each alone; in sets of those that agree about their tables; in one set with tables of its
own for each session; that set with all rows in any order, so that nothing can be read along; and with several threads."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/csv"))
import csv_set  # noqa: E402

KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/dev/ketlink")).resolve()
# what was recorded in other units needs a description that says so: fixtures/csv/site-units
RECORDS = [path for path in sorted((ROOT / "fixtures/clinic").glob("*/record.json"))
           if not path.parent.name.startswith("bad-") and '"converted"' not in path.read_text()]


def export(*arguments):
    done = subprocess.run([KETLINK, "export", "--as", "transaction", *arguments], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"export {arguments}: {done.returncode}\n{done.stdout[:300]}\n{done.stderr[:2000]}")
    return done.stdout.splitlines()


def session(path):
    return json.loads(path.read_text())["session"]["id"]


def convert(folder, records, *options):
    csv_set.main([*options, "-o", str(folder), *map(str, records)])
    return folder


def groups(records):
    """Few sets whose records agree about clinic, patients and staff."""
    found = []
    for path in records:
        record = json.loads(path.read_text())
        tables = {("clinic", record["clinic"]["id"]): record["clinic"], ("mrn", record["patient"]["mrn"]): record["patient"]}
        tables.update({("staff", s["id"]): s for s in record.get("staff", [])})
        for group in found:
            if all(group[0].get(key, row) == row for key, row in tables.items()):
                group[0].update(tables)
                group[1].append(path)
                break
        else:
            found.append((tables, [path]))
    return [paths for _, paths in found]


def shuffle(folder, seed):
    for path in sorted(folder.iterdir()):
        head, *rows = path.read_text().splitlines(keepends=True)
        if any(row.count('"') % 2 for row in rows) or path.name == "sessions.csv":
            continue
        # rows of one session stay in their order: it is the order of the record's lists
        keys = [row.split(",")[0] for row in rows]
        order = sorted(set(keys))
        random.Random(seed).shuffle(order)
        path.write_text(head + "".join(row for key in order for row, mine in zip(rows, keys) if mine == key))


def main():
    if not (ROOT / "build/definitions.pack").exists() and "KETLINK_DEFINITIONS" not in os.environ:
        print("skipped: no definition pack (scripts/setup makes one)")
        return 77
    os.environ.setdefault("KETLINK_DEFINITIONS", str(ROOT / "build/definitions.pack"))
    lines = dict(zip((session(path) for path in RECORDS), export(*RECORDS)))
    failed = []

    def compare(what, got, wanted):
        if got != wanted:
            failed.append(what)
            at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
            print(f"{what}: differs at record {at}: {len(got)} of {len(wanted)}")
            if at < min(len(got), len(wanted)):
                byte = next((i for i, (a, b) in enumerate(zip(got[at], wanted[at])) if a != b), 0)
                print("  csv ", got[at][max(0, byte - 80) : byte + 80])
                print("  json", wanted[at][max(0, byte - 80) : byte + 80])

    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        for path, got in zip(RECORDS, export(*[convert(work / path.parent.name, [path]) for path in RECORDS]), strict=True):
            compare(path.parent.name, [got], [lines[session(path)]])
        together = groups(RECORDS)
        got = export(*[convert(work / f"group{number}", paths) for number, paths in enumerate(together)])
        compare("the groups", got, [lines[session(path)] for paths in together for path in paths])
        # a description of its own, in a copy of the mappings
        convert(work / "all", RECORDS, "--own-tables", "--sort")
        shutil.copytree(ROOT / "mappings", work / "mappings")
        shutil.copy(work / "all.json", work / "mappings/csv/session-record.json")
        os.environ["KETLINK_MAPPINGS"] = str(work / "mappings")
        wanted = [lines[key] for key in sorted(lines)]
        compare("all in one set", export(work / "all"), wanted)
        compare("all, 4 threads", export("--jobs", "4", work / "all"), wanted)
        shuffle(work / "all", 1)
        compare("all, out of order", export(work / "all"), wanted)
        compare("all, out of order, 4 threads", export("--jobs", "4", work / "all"), wanted)
    print(f"{len(RECORDS)} records alone, in {len(together)} sets by tables, and in one: {len(failed)} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
