#!/usr/bin/env python3
"""sets.py KETLINK [COUNT…]: sets of CSV files, made up and exported: rows and sessions a second, and the peak of memory, which must not
grow with the number of sessions. A thousand of the sessions, spread over each set, are exported from JSON too and must be the same."""
import hashlib
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/bench-sets"
SAMPLE = 1000


def export(ketlink, path, keep):
    """Time, peak of memory in MiB, and the digests of the lines that `keep` asks for. A child's peak is never below what this
    process had when it began, so this one stays small."""
    began = time.monotonic()
    child = subprocess.Popen([ketlink, "export", "-q", "--as", "transaction", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    kept = [hashlib.sha256(line).digest() for number, line in enumerate(child.stdout) if keep(number)]
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{path}: exit status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, usage.ru_maxrss / 1024, kept


def rows_of(folder):
    rows = 0
    for path in folder.iterdir():
        with open(path, "rb") as file:
            rows += sum(1 for _ in file) - 1
    return rows


def measure(ketlink, count):
    folder = WORK / str(count)
    if not (folder / "done").exists():
        subprocess.run([sys.executable, ROOT / "tests/bench/generate_sessions.py", str(count), folder], check=True)
        (folder / "done").touch()
    every = max(1, count // SAMPLE)
    seconds, peak, kept = export(ketlink, folder / "set", lambda number: number % every == 0)
    with open(folder / "sessions.ndjson", "rb") as lines, open(folder / "sample.ndjson", "wb") as sample:
        sample.writelines(line for number, line in enumerate(lines) if number % every == 0)
    same = export(ketlink, folder / "sample.ndjson", lambda number: True)[2] == kept
    rows, size = rows_of(folder / "set"), sum(path.stat().st_size for path in (folder / "set").iterdir())
    print(f"bench csv-{count} rows={rows} size={size / 1e6:.0f}MB time={seconds:.1f}s rows/s={rows / seconds:.0f} "
          f"sessions/s={count / seconds:.0f} peak={peak:.1f}MiB sample={len(kept)} {'same' if same else 'DIFFERENT'} as JSON", flush=True)
    return same


def main():
    counts = [int(count) for count in sys.argv[2:]] or [10000, 100000]
    return 0 if all([measure(sys.argv[1], count) for count in counts]) else 1


if __name__ == "__main__":
    sys.exit(main())
