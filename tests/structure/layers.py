#!/usr/bin/env python3
"""Arrows between stages point one way: includes and link lines against layers.tsv.

A stage may include its own headers and those of the stages it may use, directly or through them. `--self-test` plants a
forbidden include and a forbidden link line in a copy and expects both to be found.
"""
import pathlib
import re
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def read_table():
    table = {}
    for line in (HERE / "layers.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            stage, _, uses = line.partition("\t")
            table[stage] = uses.split()
    return table


def reach(table, stage):
    seen, todo = {stage}, [stage]
    while todo:
        for other in table[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def check_file(path, stage, allowed, table, root):
    faults = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not match:
            continue
        parts = match.group(1).split("/")
        where = f"{path.relative_to(root)}:{number}"
        if parts[0] in table and parts[0] not in allowed:
            faults.append(f"{where}: {stage} must not include {match.group(1)}")
        if ".." in parts:
            faults.append(f"{where}: include by stage, not by ..")
        if len(parts) == 2 and parts[0] != stage and parts[1] == "internal.h":
            faults.append(f"{where}: {match.group(1)} is private to {parts[0]}")
    return faults


def check_links(path, stage, table, root):
    text = path.read_text()
    match = re.search(r"ketlink_stage\(\s*(\w+)(.*?)\)", text, re.S)
    if not match or match.group(1) != stage:
        return [f"{path.relative_to(root)}: no ketlink_stage({stage} …)"]
    depends = re.search(r"DEPENDS\s+([\w\s]*?)(?:LIBRARIES|SOURCES|$)", match.group(2), re.S)
    linked = depends.group(1).split() if depends else []
    return [f"{path.relative_to(root)}: {stage} must not link {other}" for other in linked if other not in table[stage]]


def check(root):
    table = read_table()
    faults = []
    for folder in sorted((root / "gateway").iterdir()):
        if not folder.is_dir() or not any(folder.rglob("*.[ch]")):
            continue
        stage = folder.name
        if stage not in table:
            faults.append(f"gateway/{stage}: not a stage of layers.tsv")
            continue
        allowed = reach(table, stage)
        for path in sorted(folder.rglob("*.[ch]")):
            faults += check_file(path, stage, allowed, table, root)
        if (folder / "CMakeLists.txt").exists():
            faults += check_links(folder / "CMakeLists.txt", stage, table, root)
    return faults


def self_test(root):
    with tempfile.TemporaryDirectory() as name:
        copy = pathlib.Path(name)
        shutil.copytree(root / "gateway", copy / "gateway")
        assert check(copy) == [], "the copy must be clean"
        victim = copy / "gateway/tree/tree.h"
        victim.write_text('#include "mapping/mapping.h"\n' + victim.read_text())
        assert any("tree must not include" in fault for fault in check(copy)), "a forbidden include was not found"
        links = copy / "gateway/tree/CMakeLists.txt"
        links.write_text(links.read_text().replace("DEPENDS base", "DEPENDS base mapping"))
        assert any("tree must not link" in fault for fault in check(copy)), "a forbidden link line was not found"


def main():
    root = HERE.parent.parent
    faults = check(root)
    for fault in faults:
        print(fault)
    if faults:
        return 1
    if "--self-test" in sys.argv:
        self_test(root)
    print("layers: all arrows point the right way")
    return 0


sys.exit(main())
