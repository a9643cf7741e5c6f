#!/usr/bin/env python3
"""One allocation of a command fails, each of the last so many in turn and some of all: what it prints is whole, or it does not end with 0,
and with 75 it says why. A finding may come without its place.

whole.py KETLINK LIBNOMEM [COUNT]
"""
import os
import subprocess
import sys
import tempfile

from bed import has_allocator

ketlink, nomem = map(os.path.abspath, sys.argv[1:3])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 60
if has_allocator(ketlink):
    sys.exit(77)
os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
COMMANDS = (
    ["export", "--as", "ndjson", "fixtures/csv/iv-trd/set"],
    ["export", "fixtures/clinic/minimal/record.json"],
    ["export", "fixtures/hl7v2/adt-a03-home/message.hl7"],
    ["export", "--as", "hl7v2", "fixtures/clinic/minimal/record.json"],
    ["validate", "fixtures/clinic/minimal/record.json", "fixtures/clinic/minimal/expected.json"],
    ["check", "fixtures/clinic/minimal/record.json"],
    ["report", "fixtures/clinic/minimal/record.json"],
    ["terms", "fixtures/clinic/minimal/record.json"],
    ["fhirpath", "Bundle.entry.resource.id", "fixtures/clinic/minimal/expected.json"],
    ["map", "check"],
    ["map", "run", "session", "fixtures/clinic/minimal/record.json"],
    ["map", "test", "fixtures/clinic/minimal"],
    ["map", "convert", "mappings/clinic/vitals.fml"],
    ["map", "dump", "vitals"],
    ["definitions", "list"],
)


def run(command, at, told):
    env = dict(os.environ, LD_PRELOAD=nomem, NOMEM_AT=str(at), NOMEM_TELL=told)
    return subprocess.run([ketlink, *command], stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=120)


def amiss(command, got, whole):
    if got.returncode < 0:
        return f"ended by signal {-got.returncode}"
    if command[0] == "export" and got.returncode == whole.returncode and got.stdout != whole.stdout:
        return f"printed {len(got.stdout)} bytes instead of {len(whole.stdout)}, and ended as if it were all"
    if got.returncode == whole.returncode and b"was not checked: no memory" in got.stdout + got.stderr:
        return "left a rule unchecked, and ended as if nothing were"
    if got.returncode == 75 and b"not enough memory" not in got.stderr:
        return f"ended with 75 and did not say why: {got.stderr!r}"
    if got.returncode != whole.returncode and not got.stdout + got.stderr:
        return f"ended with {got.returncode} and said nothing"
    return None


faults = 0
with tempfile.TemporaryDirectory() as folder:
    told = os.path.join(folder, "told")
    for command in COMMANDS:
        whole = run(command, 1 << 40, told)
        with open(told) as file:
            last = int(file.read().split()[0])
        spread = range(1, last, max(1, last // count))
        for at in sorted({*spread, *range(max(1, last - count), last + 1)}):
            fault = amiss(command, run(command, at, told), whole)
            if fault:
                faults += 1
                print(f"{' '.join(command)}: without its allocation {at} of {last} it {fault}")
sys.exit(1 if faults else 0)
