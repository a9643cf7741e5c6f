#!/usr/bin/env python3
"""hl7v2_pairs.py KETLINK MAPPINGS PACK SUITE [-v]: messages with a Bundle that another converter made of them, through our maps.

For each message type: how much of what the other Bundle says, in the elements that our maps make, is found in ours: resource types, values of
identifiers, codes, dates and times (as moments), names. A value is looked for anywhere in our resources of the same type. What
our maps do not make stands in NOT_MADE and is counted apart, by name; so are the other converters' own extensions (not at all) and the
resource types that we do not make. Prints a line for each message type, with -v also what is missing, by element; the last line is the sum.
Exit status 1 when less is found than must be.
"""
import collections
import datetime
import json
import os
import re
import subprocess
import sys

COVERED = {"Patient", "RelatedPerson", "Encounter", "AllergyIntolerance", "Condition", "Procedure", "Coverage", "Observation",
           "DiagnosticReport", "MedicationAdministration", "Medication", "Appointment", "DocumentReference", "Practitioner", "Location"}
# Elements that our maps leave out, and why; what is missing in them is told, and does not count.
NOT_MADE = {
    "Location.physicalType": "one Location for a place, not one for each of its parts",
    "Location.identifier": "the same",
    "Patient.contact": "NK1 is a RelatedPerson",
    "Patient.telecom.period": "XTN-13 and XTN-14 are not read",
    "Patient.communication.language": "only tags of BCP 47",
    "Encounter.diagnosis": "a Condition refers to the patient alone",
    "Appointment.participant.period": "AIS-4 is the time of the appointment",
    "Coverage.class": "the group alone",
}
SKIPPED = 77
KINDS = ("types", "identifiers", "codes", "dates", "names")
# At least so much of each kind, in percent, over all pairs.
LEAST = {"types": 76, "identifiers": 68, "codes": 57, "dates": 75, "names": 74}
TIMES = {"start", "end", "birthDate", "deceasedDateTime", "effectiveDateTime", "issued", "recordedDate", "onsetDateTime", "performedDateTime", "date",
         "created", "authored", "occurredDateTime", "recorded", "valueDateTime", "expirationDate", "time", "creation", "lastOccurrence"}
DATE = re.compile(r"^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$")


def moment(text):
    """A date as it is, a time as the moment that it means."""
    if "T" not in text or not re.search(r"(Z|[+-]\d{2}:\d{2})$", text):
        return text
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc).isoformat()
    except ValueError:
        return text


def forms(text):
    """The moment of a time, and what the clock showed: a time without an offset is called UTC by the other converters, never by us."""
    return {moment(text), re.sub(r"(Z|[+-]\d{2}:\d{2})$", "", text)}


def facts(node, path, out):
    """(kind, element, value) of all that counts below a resource's node."""
    if isinstance(node, list):
        for item in node:
            facts(item, path, out)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in ("extension", "modifierExtension", "contained", "text", "meta", "id", "resourceType") or name.startswith("_"):
                continue
            below = path + "." + name
            last = path.rsplit(".", 1)[-1]
            if name == "value" and last in ("identifier", "masterIdentifier") and isinstance(value, str):
                out.add(("identifiers", path, value.strip()))
            elif name == "code" and isinstance(value, str) and ("display" in node or "system" in node or last == "coding"):
                out.add(("codes", path, value.strip()))
            elif last in ("name", "alias") and name in ("family", "given", "text", "prefix", "suffix"):
                for word in value if isinstance(value, list) else [value]:
                    if isinstance(word, str):
                        out.add(("names", below, word.strip()))
            elif isinstance(value, str) and DATE.match(value) and name in TIMES:
                out.add(("dates", below, value))
            else:
                facts(value, below, out)


def gather(bundle):
    """By type: how many resources, and the set of facts."""
    found = collections.defaultdict(lambda: [0, set()])
    for entry in bundle.get("entry", []):
        resource = entry.get("resource", entry)
        kind = resource.get("resourceType")
        if not kind:
            continue
        found[kind][0] += 1
        facts(resource, kind, found[kind][1])
    return found


def left_out(path):
    return any(path == name or path.startswith(name + ".") for name in NOT_MADE)


def compare(expected, ours, tally):
    """Adds one pair to the tally of its message type."""
    theirs, made = gather(expected), gather(ours)
    for kind, (count, known) in theirs.items():
        if kind not in COVERED:
            tally["uncovered"][kind] += count
            continue
        tally["types"][1] += 1
        tally["types"][0] += kind in made
        if kind not in made:
            tally["missing"][kind + " (resource)"] += 1
        values = {(what, form) for what, _, value in made[kind][1] for form in forms(value)} if kind in made else set()
        for what, path, value in known:
            found = any((what, form) in values for form in forms(value))
            if left_out(path):
                tally["not made"][path] += not found
                continue
            tally[what][0] += found
            tally[what][1] += 1
            if not found:
                tally["missing"][path + " (" + what + ")"] += 1


def export(program, mappings, pack, path):
    run = subprocess.run([program, "export", "--definitions", pack, "--mappings", mappings, path], capture_output=True, text=True, check=False)
    try:
        return json.loads(run.stdout), None
    except ValueError:
        lines = [line for line in run.stderr.splitlines() if ": error " in line] or run.stderr.splitlines()
        return None, (lines or ["no output"])[0]


def line_of(name, tally):
    parts = ", ".join(f"{kind} {tally[kind][0]}/{tally[kind][1]}" for kind in KINDS if tally[kind][1])
    return f"{name}: {tally['pairs']} pairs, {parts or 'nothing that our maps make'}"


def new_tally():
    tally = {kind: [0, 0] for kind in KINDS}
    tally.update({"pairs": 0, "missing": collections.Counter(), "not made": collections.Counter(), "uncovered": collections.Counter()})
    return tally


def cases(suite):
    for folder in ("microsoft", "reportstream"):
        index = os.path.join(suite, folder, "index.json")
        if os.path.exists(index):
            with open(index, encoding="utf-8") as file:
                for case in json.load(file):
                    if case.get("expected"):
                        yield folder, case


def type_of(case):
    return "^".join(part for part in case["event"].split("^")[:2] if part)


def total_of(tallies):
    total = new_tally()
    for tally in tallies:
        total["pairs"] += tally["pairs"]
        for kind in KINDS:
            total[kind] = [a + b for a, b in zip(total[kind], tally[kind])]
        for name in ("not made", "uncovered"):
            total[name] += tally[name]
    return total


def listed(counter):
    return ", ".join(f"{name} ({count})" for name, count in counter.most_common()) or "none"


def main():
    program, mappings, pack, suite = sys.argv[1:5]
    if not os.path.isdir(suite) or not os.path.exists(pack):
        print(f"hl7v2 pairs: skipped (no data: {suite}, or no definition pack: {pack})")
        return SKIPPED
    tallies, without_map, refused = collections.defaultdict(new_tally), collections.Counter(), []
    for folder, case in cases(suite):
        base = os.path.join(suite, folder)
        name = type_of(case)
        bundle, why = export(program, mappings, pack, os.path.join(base, case["file"]))
        if bundle is None and "is not mapped" in why:
            without_map[name] += 1
            continue
        if bundle is None:
            refused.append(f"{folder}/{case['id']}: {why.split(': ', 1)[-1]}")
            continue
        tallies[name]["pairs"] += 1
        with open(os.path.join(base, case["expected"]), encoding="utf-8") as file:
            compare(json.load(file), bundle, tallies[name])
    for name in sorted(tallies):
        print(line_of(name, tallies[name]))
        if "-v" in sys.argv[5:]:
            print("  missing: " + listed(tallies[name]["missing"]))
    total = total_of(tallies.values())
    print("elements that our maps do not make: " + listed(total["not made"]))
    print("resource types that our maps do not make: " + listed(total["uncovered"]))
    print("message types without a map: " + listed(without_map))
    for line in refused:
        print("refused: " + line)
    print(line_of("hl7v2 pairs", total))
    return int(any(100 * total[kind][0] < LEAST[kind] * total[kind][1] for kind in KINDS))


if __name__ == "__main__":
    sys.exit(main())
