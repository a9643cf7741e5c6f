#!/usr/bin/env python3
"""Session record -> HL7 v2 -> FHIR, against session record -> FHIR: every value that HL7 v2 can carry comes back.

    hl7v2-round-trip.py [-v]         KETLINK names the program

Of each fixture that is a good record, what its Bundle says (expected.json) is taken apart into facts: who, when, which code, which
number as it was written, which unit. What the messages say, read back by the maps of this repository, must have the same facts. What is
missing must fit a row of EXCEPTIONS, and each row must be of use; docs/hl7v2.md says why ("what does not come back the same").
"""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
PACK = ROOT / "build/definitions.pack"
# A fact as text -> the words of docs/hl7v2.md that tell it.
EXCEPTIONS = {
    r"^form ": "forms of the screen and the REMS, and what the patient felt",
    r"^observed \| (49541-6|72166-2|82810-3) ": "fasting, smoking and pregnancy of the screen",
    r"^observed \| 29463-7 ": "the weight of an order that no vital sign has",
    r"^observed \| Minutes of observation ": "minutes of observation",
    r"^note .*( driving | 74213-0)": "instructions at discharge",
    r"^dose( amount| status| route)? \| (2026-05-05T11:05|2026-04-02T10:20|2026-05-20T19:40|2026-04-08T13:)": "support medications",
    r"^ordered": "what was ordered",
    r"^strength ": "the strength of a product",
    r"^ingredient ": "what a product with a code of its own is made of",
    r"^visit class ": "the class of a visit",
    r"^visit status ": "the status of a visit",
    r"^visit type .* 453131000124105$": "that a visit was by video",
    r"^(allergy|contact|diagnosis|diagnosis onset) .*(293707005|Ash Homely|2022|1153570009|F33.2|21897009|F41.1)$": "a treatment at home without the clinic",
    r"^(allergy \| (egg|nickel|latex|pollen)|reaction \| (hives|nasal-congestion) .*)$": "allergies that were refuted or withdrawn, or are over",
    r"^reaction \| not recorded ": "the severity of an allergy whose reaction was not recorded",
    r"^observed \| 84(80-6|62-4) .*2026-03-10T": "the halves of a blood pressure that was withdrawn",
}


# Visits that do not take place: A31 tells of none, A11 and A38 of nothing else. By fixture, with the same words for all.
TAKEN_BACK = {"entered-in-error": r"^(coverage|payer)", "screen-postponed": r"^visit", "withdrawn-session": r"^(coverage|payer|contact)"}
TAKEN_BACK_WORDS = "a visit that does not take place"
FORMS = ("screen", "rems-form", "experience")


def codes(concept):
    return {coding["code"] for coding in (concept or {}).get("coding", []) if "code" in coding}


def name_of(concept):
    """The codes, or where there is none the words."""
    return sorted(codes(concept)) or [(concept or {}).get("text", "")]


def moment(text):
    return text.replace("Z", "+00:00") if text else text


def values(thing):
    if "valueQuantity" in thing:
        yield f'{thing["valueQuantity"]["value"]} {thing["valueQuantity"].get("code", "")}'
    if "valueCodeableConcept" in thing:
        yield from name_of(thing["valueCodeableConcept"])
    if "valueString" in thing:
        yield thing["valueString"]


def of_patient(it):
    name = it.get("name", [{}])[0]
    yield "mrn", next((one["value"] for one in it.get("identifier", []) if "MR" in codes(one.get("type"))), "")
    yield "family", name.get("family")
    yield "given", " ".join(name.get("given", [])) or None
    yield "birth", it.get("birthDate")
    yield "died", it.get("deceasedDateTime") or {True: "yes", False: "no"}.get(it.get("deceasedBoolean"))
    yield "sex", it.get("gender")
    yield "phone", next((one["value"] for one in it.get("telecom", [])), None)
    for address in it.get("address", []):
        yield "address", ", ".join(address.get("line", [])), address.get("city"), address.get("state"), address.get("postalCode")
    for language in it.get("communication", []):
        yield "language", *codes(language["language"])


def of_observation(it):
    for part in [it, *it.get("component", [])]:
        for value in values(part):
            for name in name_of(part.get("code")):
                yield "observed", name, value, moment(it.get("effectiveDateTime"))


def of_dose(it):
    dosage, period = it.get("dosage", {}), it.get("effectivePeriod", {})
    when = moment(period.get("start") or it.get("effectiveDateTime"))
    yield "dose", when, moment(period.get("end"))
    yield "dose status", when, it["status"]
    if "dose" in dosage:
        yield "dose amount", when, f'{dosage["dose"]["value"]} {dosage["dose"]["code"]}'
    for code in codes(dosage.get("route")):
        yield "dose route", when, code
    for code in codes(dosage.get("site")):
        yield "dose site", when, code
    for note in it.get("note", []):
        for told in re.findall(r"^(?:Wasted [0-9.]+ mg of [0-9.]+ mg drawn|Paused from \S+(?: to [^:]+:\d\d:\d\d[-+:\d]+)?)", note["text"]):
            yield "dose remark", when, told


def of_form(it):
    """The answers of a form; in v2 those of a scale are observations, by their code or by their own name."""
    form = it["questionnaire"].rpartition("/")[2]
    for panel in it.get("item", []):
        for item in panel.get("item", []):
            for answer in item.get("answer", []):
                value = next((f"{text} {{score}}" for text in [answer.get("valueDecimal")] if text), None)
                value = answer.get("valueCoding", {}).get("code") or value or answer.get("valueString")
                name = item["linkId"] if re.fullmatch(r"\d+-\d", item["linkId"]) else item.get("text", item["linkId"])
                yield "form" if form in FORMS else "answered", name, str(value), moment(it["authored"])


def of_encounter(it):
    yield "visit", next(one["value"] for one in it["identifier"])
    yield "visit from", moment(it["period"]["start"]), moment(it["period"].get("end"))
    yield "visit class", it["class"]["code"]
    yield "visit status", it["status"]
    for kind in it.get("type", []) + it.get("serviceType", {}).get("coding", []):
        yield from (("visit type", code) for code in (codes(kind) if "coding" in kind else {kind["code"]} if "code" in kind else ()))


def of_appointment(it):
    yield "appointment", moment(it.get("start")), str(it.get("minutesDuration"))
    yield "appointment status", moment(it.get("start")), it["status"]
    for service in it.get("serviceType", []):
        yield from (("appointment for", moment(it.get("start")), code) for code in codes(service))


def of_document(it):
    """Only what was a note of the record."""
    for content in it.get("content", []):
        data = content["attachment"].get("data")
        if data:
            yield "note", base64.b64decode(data).decode(), moment(it.get("date"))
            yield from (("note type", moment(it.get("date")), code) for code in codes(it.get("type")))


def of_medication(it):
    batch = it.get("batch", {})
    if batch:
        yield "lot", batch.get("lotNumber"), batch.get("expirationDate")
    yield from (("product", code) for code in codes(it.get("code")))
    for part in it.get("ingredient", []):
        yield from (("ingredient" if codes(it.get("code")) else "product", code) for code in codes(part.get("itemCodeableConcept")))
        if "strength" in part:
            yield "strength", *(f'{part["strength"][half]["value"]} {part["strength"][half].get("code", "")}' for half in ("numerator", "denominator"))


def of_condition(it):
    yield from (("diagnosis", code) for code in codes(it.get("code")))
    if it.get("onsetDateTime"):
        yield "diagnosis onset", it["onsetDateTime"]


def of_allergy(it):
    yield from (("allergy", word) for word in name_of(it.get("code")))
    for reaction in it.get("reaction", []):
        yield "reaction", *(one.get("text") for one in reaction["manifestation"]), reaction.get("severity")


def of_coverage(it):
    yield from (("coverage", one["value"]) for one in it.get("identifier", []) if "record" not in one.get("system", ""))
    yield "coverage of", (it.get("relationship") or {}).get("text")
    yield from (("payer", one.get("display")) for one in it.get("payor", []))


def of_order(it):
    """RXO says what was ordered; the maps for what comes in make no MedicationRequest of it."""
    yield "ordered", moment(it["authoredOn"])
    for row in it.get("dosageInstruction", []):
        yield "ordered as", row.get("text")
        yield from (("ordered amount", f'{one["doseQuantity"]["value"]} {one["doseQuantity"]["code"]}') for one in row.get("doseAndRate", []) if "doseQuantity" in one)


def of_contact(it):
    for name in it.get("name", []):
        yield "contact", name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip()


READERS = {"Patient": of_patient, "Observation": of_observation, "MedicationAdministration": of_dose, "QuestionnaireResponse": of_form,
           "Encounter": of_encounter, "Appointment": of_appointment, "DocumentReference": of_document, "Medication": of_medication,
           "MedicationRequest": of_order, "Condition": of_condition, "AllergyIntolerance": of_allergy, "Coverage": of_coverage, "RelatedPerson": of_contact}


def facts_of(resources):
    found = set()
    for resource in resources:
        reader = READERS.get(resource["resourceType"])
        for fact in reader(resource) if reader else ():
            if all(part is not None for part in fact[1:2]):
                found.add(" | ".join("" if part is None else part for part in fact))
    # a form's answers come back as observations
    return found | {fact.replace("observed |", "answered |", 1) for fact in found if fact.startswith("observed |")}


def resources_of(text):
    bundles = [json.loads(line, parse_float=str, parse_int=str) for line in text.splitlines() if line]
    return [entry["resource"] for bundle in bundles for entry in bundle["entry"]]


def run(*arguments):
    done = subprocess.run([KETLINK, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{arguments}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def read_back(messages, count):
    """A Bundle a line; of one message alone it is laid out over many."""
    text = run("export", "-q", "--include", "psychotherapy-notes", messages)
    return resources_of(text if count > 1 else " ".join(text.splitlines()))


def main():
    if not PACK.exists():
        print(f"skipped: {PACK} is not there")
        return 77
    folders = [path for path in sorted((ROOT / "fixtures/clinic").iterdir()) if (path / "expected.json").exists()]
    total, excepted, missing, used = 0, 0, [], set()
    with tempfile.TemporaryDirectory(prefix="ketlink-hl7v2-") as name:
        for folder in folders:
            bundle = json.loads((folder / "expected.json").read_text(), parse_float=str, parse_int=str)
            direct = facts_of(entry["resource"] for entry in bundle["entry"])
            direct -= {fact for fact in direct if fact.startswith("answered |") and fact.replace("answered |", "observed |", 1) in direct}
            messages = pathlib.Path(name) / f"{folder.name}.hl7"
            run("export", "-q", "--as", "hl7v2", "--include", "psychotherapy-notes", folder / "record.json", "-o", messages)
            text = messages.read_bytes().replace(b"|ketlink||", b"|ketlink|RIVERSIDE|")
            messages.write_bytes(text)
            back = facts_of(read_back(messages, text.count(b"MSH|")))
            total += len(direct)
            for fact in sorted(direct - back):
                rule = next((rule for rule in EXCEPTIONS if re.search(rule, fact)), None)
                if rule is None and re.search(TAKEN_BACK.get(folder.name, "^$"), fact):
                    rule = TAKEN_BACK_WORDS
                used.add(rule)
                excepted += rule is not None
                if rule is None:
                    missing.append(f"{folder.name}: {fact}")
    page = " ".join((ROOT / "docs/hl7v2.md").read_text().split())
    missing += [f"the exception {rule} is of no use" for rule in EXCEPTIONS if rule not in used]
    missing += [f"docs/hl7v2.md does not say: {words}" for words in [*EXCEPTIONS.values(), TAKEN_BACK_WORDS] if words not in page]
    print(f"{len(folders)} fixtures, {total} facts: {excepted} missing by {len(EXCEPTIONS)} exceptions, {len(missing)} without")
    if "-v" in sys.argv or missing:
        print("\n".join(missing[:200]))
    return 1 if missing else 0


sys.exit(main())
