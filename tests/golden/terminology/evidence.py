#!/usr/bin/env python3
"""Every code the mappings ship has evidence: system, code and display stand in the table of verified codes, or the code is one
of the project's own local codes. The table (codes.tsv) lies beside the checkout; without it the test is skipped (77)."""
import csv
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOCAL = "http://ketlink.dev/fhir/CodeSystem/"
# Code systems of FHIR R4 itself: the definition pack has them, and validation checks the codes.
FHIR = ("http://hl7.org/fhir/", "http://terminology.hl7.org/CodeSystem/")
LICENSED = ("http://hl7.org/fhir/sid/", "http://hl7.org/fhir/us/core/")


def read_table(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    table = {}
    for row in rows:
        table.setdefault((row["system"], row["code"]), set()).add(row["display"])
    return table


def concept_maps():
    for path in sorted((ROOT / "mappings/terminology").glob("*.json")):
        resource = json.loads(path.read_text())
        if resource.get("resourceType") != "ConceptMap":
            continue
        for group in resource.get("group", []):
            for element in group.get("element", []):
                for target in element.get("target", []):
                    if target.get("equivalence") not in ("unmatched", "disjoint") and "code" in target:
                        yield f"{path.name}: {element.get('code')}", group.get("target", ""), target["code"], target.get("display")


def maps():
    for path in sorted((ROOT / "mappings/clinic").glob("*.fml")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in re.finditer(r"(\w+)\.system = '([^']*)', \1\.code = '([^']*)'(?:, \1\.display = '([^']*)')?", line):
                yield f"{path.name}:{number}", match[2], match[3], match[4]


def fault(table, system, code, display):
    if system.startswith(LOCAL):
        return None
    shown = table.get((system, code))
    if shown is None:
        if system.startswith(FHIR) and not system.startswith(LICENSED):
            return None
        return "has no evidence"
    if display and display not in shown:
        return f"is displayed as {sorted(shown)}, not '{display}'"
    return None


def main():
    data = pathlib.Path(os.environ.get("KETLINK_CODES", ROOT.parent / "shared/codes.tsv"))
    if not data.exists():
        print(f"skipped: {data.name} is not beside the checkout")
        return 77
    table, faults, count = read_table(data), [], 0
    for where, system, code, display in [*concept_maps(), *maps()]:
        count += 1
        why = fault(table, system, code, display)
        if why:
            faults.append(f"{where}: {system}|{code} {why}")
    print("\n".join(faults + [f"{count} codes, {len(faults)} without evidence"]))
    return 1 if faults or count < 200 else 0


sys.exit(main())
