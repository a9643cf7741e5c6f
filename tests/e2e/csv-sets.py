#!/usr/bin/env python3
"""csv-sets.py [--update]: the sets of fixtures/csv. One with `same-as` gives the Bundles of those JSON records, byte for byte; any
other gives expected.diagnostics: the exit status, the messages, and which records came through all the same. A case may have a
description of its own, which is laid beside those of mappings/csv. With one thread and with three it is the same."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = str(pathlib.Path(os.environ.get("KETLINK", ROOT / "build/dev/ketlink")).resolve())


def run(*arguments):
    return subprocess.run([KETLINK, *arguments], capture_output=True, text=True, cwd=ROOT)


def mappings(case, work):
    """The folder of mappings of a case."""
    if not (case / "description.json").exists():
        return ROOT / "mappings"
    folder = work / case.name
    shutil.copytree(ROOT / "mappings", folder)
    shutil.copy(case / "description.json", folder / "csv/site.json")
    return folder


def compare_records(case, folder):
    records = (case / "same-as").read_text().split()
    # one record more, so that also a single one is written as a line
    wanted = run("export", "--as", "transaction", *records, "fixtures/clinic/minimal/record.json")
    got = run("export", "--as", "transaction", "--mappings", str(folder), str(case / "set"))
    if wanted.returncode or not wanted.stdout:
        return f"the JSON records: {wanted.stderr}"
    lines = wanted.stdout.splitlines()[:-1]
    return None if got.stdout.splitlines() == lines and lines else f"exit status {got.returncode}, other Bundles\n{got.stderr}"



def diagnostics(case, folder, jobs):
    done = run("export", "--as", "transaction", "--jobs", jobs, "--mappings", str(folder), str(case / "set"))
    messages = done.stderr.replace(str(case) + "/", "").replace(str(folder) + "/", "mappings/")
    return f"exit {done.returncode}\n{messages}records {len(done.stdout.splitlines())}\n"


def check(case, work, update):
    folder = mappings(case, work)
    if (case / "same-as").exists():
        return compare_records(case, folder)
    expected = case / "expected.diagnostics"
    got = diagnostics(case, folder, "1")
    if update:
        expected.write_text(got)
    if diagnostics(case, folder, "3") != got:
        return "three threads say otherwise"
    wanted = expected.read_text() if expected.exists() else ""
    return None if got == wanted else f"--- wanted\n{wanted}--- got\n{got}"


def main():
    if not (ROOT / "build/definitions.pack").exists() and "KETLINK_DEFINITIONS" not in os.environ:
        print("skipped: no definition pack (scripts/setup makes one)")
        return 77
    os.environ.setdefault("KETLINK_DEFINITIONS", str(ROOT / "build/definitions.pack"))
    cases = sorted(case for case in (ROOT / "fixtures/csv").iterdir() if (case / "set").is_dir())
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        for case in cases:
            fault = check(case, pathlib.Path(work), "--update" in sys.argv)
            if fault:
                failed += 1
                print(f"{case.name}: {fault}")
    print(f"{len(cases)} sets, {failed} failed")
    return 1 if failed or len(cases) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
