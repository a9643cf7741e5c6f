#!/usr/bin/env python3
"""File systems over a network: neither locks nor the write-ahead log can be relied upon there, so the relay does not start on one
(reliability, 9). statfs is answered by elsewhere.c: each kind of gateway/outbox/place.c is refused by its name with exit status 78 and
leaves nothing behind; local ones are taken.

    network.py [--definitions PACK] KETLINK-RELAY ELSEWHERE-LIBRARY
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import bed
import ehr

# statfs(2) and the kernel's magic.h; the names are those of the relay's message
NETWORKS = {0x6969: "NFS", 0xFF534D42: "CIFS", 0xFE534D42: "SMB", 0x517B: "SMB", 0x01021997: "9P", 0x5346414F: "AFS", 0x6B414653: "AFS",
            0x73757245: "Coda", 0x564C: "NCP", 0x00C36400: "Ceph", 0x65735546: "FUSE",
            0x0BD00BD0: "Lustre", 0x47504653: "GPFS", 0x19830326: "BeeGFS", 0xAAD7AAEA: "PanFS", 0x786F4256: "vboxsf", 0xBACBACBC: "hgfs"}
LOCALS = {0xEF53: "ext4", 0x58465342: "XFS", 0x9123683E: "Btrfs", 0x01021994: "tmpfs", 0x2FC12FC1: "ZFS", 0xF2F52010: "F2FS"}


def start(given, work, magic):
    """-> the relay after its start or its end, and its log"""
    (work / "log").unlink(missing_ok=True)
    relay = bed.Relay(given.relay, work, environment={"LD_PRELOAD": given.library, "ELSEWHERE": f"{magic:x}",
                                                      "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"})
    relay.start()
    bed.wait_for(lambda: relay.ended() or bed.holds(work / "log", b"started"), 60)
    return relay, (work / "log").read_text()


def refused(given, work, magic, name):
    relay, said = start(given, work, magic)
    status = relay.process.wait() if relay.ended() else relay.stop()
    faults = [] if status == 78 else [f"{name} {magic:#x}: exit status {status}"]
    if f"network file system ({name})" not in said:
        faults.append(f"{name} {magic:#x}: it says {said}")
    left = sorted(os.listdir(work / "state"))
    return faults + ([f"{name} {magic:#x}: {left} are left behind"] if left else [])


def taken(given, work, magic, name):
    relay, said = start(given, work, magic)
    status = relay.process.wait() if relay.ended() else relay.stop()
    return [] if status == 0 and "started" in said else [f"{name} {magic:#x}: exit status {status}, it says {said}"]


def rows():
    """How many kinds the relay knows: each must be tried here."""
    text = (bed.ROOT / "gateway/outbox/place.c").read_text()
    return len(re.findall(r"\{\w+, +\"", text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", type=pathlib.Path, default=bed.ROOT / "build/definitions.pack")
    parser.add_argument("relay")
    parser.add_argument("library")
    given = parser.parse_args()
    if bed.lacks(given.definitions):
        return bed.SKIPPED
    with tempfile.TemporaryDirectory(prefix="ketlink-network-") as name:
        work = pathlib.Path(name)
        subprocess.run([bed.ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
        server = ehr.Ehr(work / "certs/server.pem", work / "certs/server.key", 1, 0)
        bed.prepare(work, given.definitions.resolve(), {"hospital": server})
        faults = [fault for magic, name in NETWORKS.items() for fault in refused(given, work, magic, name)]
        faults += [fault for magic, name in LOCALS.items() for fault in taken(given, work, magic, name)]
    if rows() != len(NETWORKS):
        faults.append(f"place.c has {rows()} kinds, {len(NETWORKS)} were tried")
    print("\n".join(faults) if faults else f"network: {len(NETWORKS)} refused, {len(LOCALS)} taken")
    return 1 if faults else 0


sys.exit(main())
