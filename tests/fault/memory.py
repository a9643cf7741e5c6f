#!/usr/bin/env python3
"""The store without memory: each allocation of a run fails in its turn, those of SQLite and OpenSSL too. The process must neither
crash nor acknowledge what is not there, and the store opens afterwards.

    memory.py [--stride N] [--offset N] DRIVER NOMEM-LIBRARY
"""
import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import outbox


def run(given, parent, number, length=0):
    folder = outbox.new_folder(parent)
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": given.library, "NOMEM_AT": str(number), "NOMEM_FOR": str(length),
                   "NOMEM_TELL": str(parent / "count"), "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:allocator_may_return_null=1"}
    result = subprocess.run([given.driver, "run", folder, outbox.EVERYTHING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment)
    return folder, result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--offset", type=int, default=int.from_bytes(os.urandom(2), "little"))
    parser.add_argument("driver")
    parser.add_argument("library")
    given = parser.parse_args()
    if b"__asan_init" in pathlib.Path(given.driver).read_bytes():
        print("skipped: an allocator of our own does not go with the sanitizers'")
        return 77
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    bad, runs, stopped = [], 0, 0
    with tempfile.TemporaryDirectory(dir=shm) as name:
        parent = pathlib.Path(name)
        verifier = outbox.Verifier(given.driver)
        course = outbox.Course(given.driver, parent, verifier)
        folder, whole = run(given, parent, -1)
        total = int((parent / "count").read_text())
        for number in range(1 + given.offset % given.stride, total, given.stride):
            for length in (0, 1 << 30):  # once, and from then on
                folder, result = run(given, parent, number, length)
                runs += 1
                stopped += result.returncode != 0
                fault = course.judge(folder, result.stdout.splitlines())
                if result.returncode < 0 or "Sanitizer" in result.stderr:
                    fault = f"ended with {result.returncode} {result.stderr[-1500:]}"
                if fault:
                    bad.append(f"allocation {number}{' and on' if length else ''}: {fault}")
                shutil.rmtree(folder)
        verifier.close()
    print(f"memory: offset {given.offset}, {total} allocations, {runs} runs, {stopped} ended early, {len(bad)} bad")
    print("\n".join(bad[:10]))
    if whole.returncode or not stopped:
        print("nothing failed: this test proves nothing")
    return 1 if bad or whole.returncode or not stopped else 0


sys.exit(main())
