#!/usr/bin/env python3
"""hl7v2-keys.py: what several messages of fixtures/hl7v2 say of one result or dose is one resource, and what is another is another.

A fixture is one message; which ids two of them must share, or must not, stands here: a correction sent alone, a later reading under the same order.
"""
import json
import pathlib
import sys

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "fixtures/hl7v2"


def ids(fixture, kind, code=None):
    """The ids of a fixture's resources of a type, with a code of LOINC."""
    bundle = json.loads((FIXTURES / fixture / "expected.json").read_text())
    found = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
    return [it["id"] for it in found if code is None or code in {one.get("code") for one in it["code"].get("coding", [])}]


RATE, PANEL, GLUCOSE = ("Observation", "8867-4"), ("Observation", "85354-9"), ("Observation", "2345-7")
PATIENT = ("Patient", None)
DOSE = ("MedicationAdministration", None)
# first fixture, second fixture, what, whether those of the second are in the first
ROWS = [
    ("oru-vitals", "oru-corrected-alone", RATE, True),
    ("oru-vitals", "oru-file-of-same-code", RATE, True),
    ("oru-vitals", "oru-later-reading", RATE, False),
    ("oru-vitals", "oru-later-reading", ("DiagnosticReport", None), True),
    ("oru-vitals", "oru-corrected", PANEL, True),
    ("oru-number-of-device", "oru-number-of-device-other-patient", ("DiagnosticReport", None), False),
    ("oru-number-of-device", "oru-number-of-device-other-patient", RATE, False),
    ("ras-number-of-device", "ras-number-of-device-other-patient", DOSE, False),
    ("adt-a04-diagnoses-alike", "adt-a04-diagnoses-alike-more", ("Condition", None), True),
    ("adt-a01-full", "adt-a01-procedure-later", ("Procedure", None), True),
    ("adt-a01-full", "adt-a01-procedure-other", ("Procedure", None), False),
    ("ras-doses-of-one-order", "ras-second-dose-taken-back", DOSE, True),
    ("ras-infusion", "ras-second-dose-taken-back", DOSE, False),
    ("adt-a04-results-alike", "adt-a04-results-alike-more", GLUCOSE, True),
    ("adt-a04-check-in", "adt-a11-cancelled", ("Encounter", None), True),
    ("adt-a28-authorities", "adt-a28-authorities-in-turn", PATIENT, True),
    ("adt-a28-authorities-of-others", "adt-a28-authorities-of-others-in-turn", PATIENT, True),
    ("adt-a28-authorities", "adt-a28-authorities-of-others", PATIENT, False),
    ("adt-a28-authorities", "adt-a28-one-authority-ended", PATIENT, True),
    ("adt-a28-authorities", "adt-a28-one-authority-twice", PATIENT, False),
    ("mdm-note", "mdm-t11-cancelled", ("DocumentReference", None), True),
]


def main():
    faults = []
    for one, other, what, same in ROWS:
        first, second = ids(one, *what), ids(other, *what)
        if not first or not second:
            faults.append(f"{one} or {other}: no {what}")
        elif same and not set(second) <= set(first) or not same and set(first) & set(second):
            faults.append(f"{one} and {other}: {what} is {'another' if same else 'the same'}")
    for fixture, kind in [("oru-alike", "Observation"), ("oru-pressures-without-sub-id", "Observation"), ("ras-doses-of-one-order", "MedicationAdministration")]:
        found = ids(fixture, kind)
        if len(found) < 2 or len(set(found)) != len(found):
            faults.append(f"{fixture}: {len(found)} of {kind}, {len(set(found))} ids")
    print("\n".join(faults) or f"{len(ROWS)} pairs of messages")
    return 1 if faults else 0


sys.exit(main())
