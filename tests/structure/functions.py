#!/usr/bin/env python3
"""Functions stay short: median at most 15 lines, 95th percentile 60, none over 80 but the evaluator's dispatch loop.

Lengths are counted by Universal Ctags (line of the name to the closing brace).
"""
import pathlib
import statistics
import subprocess
import sys

MEDIAN, P95, HARD = 15, 60, 80
EXCEPTED = {("fhirpath", "fp_execute")}


def functions(root):
    files = sorted(str(path) for path in (root / "gateway").rglob("*.c"))
    command = ["ctags", "--fields=+ne", "--c-kinds=f", "--sort=no", "-f", "-", *files]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        parts = line.split("\t")
        if line.startswith("!") or len(parts) < 4:
            continue
        fields = dict(part.split(":", 1) for part in parts[3:] if ":" in part)
        if "line" in fields and "end" in fields:
            path = pathlib.Path(parts[1]).relative_to(root)
            yield int(fields["end"]) - int(fields["line"]) + 1, parts[0], path


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    found = sorted(functions(root))
    lengths = [length for length, _, _ in found]
    median, p95 = statistics.median(lengths), lengths[int(len(lengths) * 0.95)]
    print(f"functions: {len(lengths)}, median {median:g}, 95th percentile {p95}, longest {lengths[-1]}")
    faults = [f"{path}: {name} has {length} lines" for length, name, path in found
              if length > HARD and (path.parts[1], name) not in EXCEPTED]
    faults += ["median over the limit"] if median > MEDIAN else []
    faults += ["95th percentile over the limit"] if p95 > P95 else []
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
