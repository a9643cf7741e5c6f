#!/usr/bin/env python3
"""Breaks one rule of a profile at a time in the examples of US Core and asks whether ketlink finds it where it is.

usage: profile_mutants.py KETLINK [--hapi N] [--misses]

The package and the list of its examples that the publisher records as error-free are in $KETLINK_CONFORMANCE (else ../shared/conformance
beside the repository); 77 skipped: not there. Broken are, by the snapshots of the profiles that an example claims: elements that only the
profile requires, patterns, slices that must be there, targets that only the base allows, parts of extensions, and US Core's invariants.
"""
import argparse
import json
import os
import pathlib
import random
import sys
import tarfile

import mutants
import verdicts

PACKAGE = "hl7.fhir.us.core-6.1.0.tgz"
VERSION = "6.1.0"
DATA = pathlib.Path(os.environ.get("KETLINK_CONFORMANCE") or verdicts.ROOT.parent / "shared" / "conformance") / "packages"
MOST = 150
RULES = ["profile-required", "profile-pattern", "profile-slice", "profile-target", "profile-extension", "profile-invariant"]


def read_package():
    """(profiles by url, examples by file)."""
    profiles, files = {}, {}
    with tarfile.open(DATA / PACKAGE) as tar:
        for entry in tar:
            if entry.isfile() and entry.name.endswith(".json") and entry.name.startswith("package/"):
                files[entry.name] = json.loads(tar.extractfile(entry).read())
    for resource in files.values():
        if resource.get("resourceType") == "StructureDefinition":
            profiles[resource["url"]] = resource
    return profiles, files


def parents(files):
    for row in json.loads((DATA / "us-core-examples-open.json").read_text())[VERSION]:
        resource = files[row["file"]]
        if row["errors"] == 0 and resource["resourceType"] != "Bundle" and resource.get("meta", {}).get("profile"):
            yield row["id"], resource


def breaks(resource, profile):
    """(rule, detail, change of a copy, places)."""
    root = resource["resourceType"]
    for element in profile["snapshot"]["element"]:
        name = element["path"].partition(".")[2]
        if not name or "." in name or "[x]" in name or name not in resource:
            continue
        here = f"{root}.{name}"
        listed = isinstance(resource[name], list)
        items = {f"{here}[{i}]" for i in range(len(resource[name]))} if listed else {here}
        if "sliceName" not in element:
            if element["min"] >= 1 and element["base"]["min"] == 0:
                yield "profile-required", element["id"], lambda copy, name=name: (copy.pop(name), copy.pop("_" + name, None)), {root, here}
            if "patternCodeableConcept" in element and not listed:
                yield "profile-pattern", element["id"], lambda copy, name=name: recode([copy[name]]), {here, here + ".coding[0]"}
            yield from targets(resource, element, name, here)
        elif element["min"] >= 1 and name != "extension":
            yield "profile-slice", element["id"], lambda copy, name=name: recode(copy[name]), {root, here} | items
    yield from extensions(resource)
    keys = {rule["key"] for rule in profile["snapshot"]["element"][0]["constraint"]}
    yield from invariants(resource, keys)


def recode(concepts):
    for concept in concepts:
        concept["coding"] = [{"system": "http://example.org/codes", "code": "other"}]


def targets(resource, element, name, here):
    """A type that R4 allows and the profile does not: R4's elements of these names take a Group or a Device."""
    allowed = {url.rpartition("/")[2] for kind in element.get("type", []) for url in kind.get("targetProfile", [])}
    if name == "subject" and "reference" in resource[name] and allowed == {"us-core-patient"} and resource["resourceType"] in (
            "Observation", "Condition", "Procedure", "MedicationRequest", "ServiceRequest", "CarePlan", "Goal", "DiagnosticReport"):
        yield "profile-target", element["id"], lambda copy: copy[name].update(reference="Group/example"), {here, here + ".reference"}


def extensions(resource):
    for i, extension in enumerate(resource.get("extension", [])):
        here = f"{resource['resourceType']}.extension[{i}]"
        if not extension["url"].startswith("http://hl7.org/fhir/us/core/"):
            continue
        if any(part["url"] == "text" for part in extension.get("extension", [])):
            yield "profile-extension", "no text", lambda copy, i=i: without_text(copy["extension"][i]), {here, here + ".extension"}
            yield "profile-extension", "unknown part", lambda copy, i=i: copy["extension"][i]["extension"].append(
                {"url": "other", "valueString": "a"}), {here, f"{here}.extension[{len(extension['extension'])}]"}
        elif extension["url"].endswith("/us-core-birthsex"):  # the codes of the others are SNOMED CT's
            yield "profile-extension", "code", lambda copy, i=i: copy["extension"][i].update(valueCode="no-such-code"), {
                here, here + ".valueCode", here + ".value"}
        yield "profile-extension", "twice", lambda copy, i=i: copy["extension"].append(copy["extension"][i]), {
            resource["resourceType"], here, resource["resourceType"] + ".extension",
            f"{resource['resourceType']}.extension[{len(resource['extension'])}]"}


def without_text(extension):
    extension["extension"] = [part for part in extension["extension"] if part["url"] != "text"]


def invariants(resource, keys):
    if resource["resourceType"] == "Patient" and resource.get("name") and "extension" not in resource["name"][0]:
        def nameless(copy):
            copy["name"] = [{"use": "official"}]
        yield "profile-invariant", "us-core-6", nameless, {"Patient.name[0]", "Patient"}
    if keys & {"us-core-2", "vs-2"} and "component" not in resource and any(n.startswith("value") for n in resource):
        def valueless(copy):
            for name in [n for n in copy if n.startswith("value") or n in ("dataAbsentReason", "hasMember")]:
                del copy[name]
        yield "profile-invariant", ", ".join(sorted(keys & {"us-core-2", "vs-2"})), valueless, {"Observation"}


def make(profiles, resources):
    for name, resource in resources:
        for url in resource["meta"]["profile"]:
            profile = profiles.get(url.split("|")[0])
            for rule, detail, change, places in breaks(resource, profile) if profile else []:
                copy = json.loads(json.dumps(resource))
                change(copy)
                yield mutants.Mutant(rule, detail, name, places, json.dumps(copy))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("ketlink")
    parser.add_argument("--hapi", type=int)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    if not (DATA / PACKAGE).exists():
        verdicts.skip(f"no {PACKAGE}")
    profiles, files = read_package()
    resources = list(parents(files))
    made = list(make(profiles, resources))
    rng = random.Random(4)
    made = [m for rule in RULES for m in some([m for m in made if m.rule == rule], rng)]
    ig = ["--ig", str(DATA / PACKAGE)]
    alarms = [(name, found) for (name, _), found in zip(resources, verdicts.ketlink_texts(options.ketlink, [json.dumps(r) for _, r in resources],
                                                                                       ig)) if found]
    findings = verdicts.ketlink_texts(options.ketlink, [m.text for m in made], ig)
    results = list(mutants.judge(made, findings))
    share = mutants.table(made, results, RULES)
    mutants.show(made, results, findings, options.misses)
    print(f"{len(made)} mutants of {len(resources)} examples of {PACKAGE}, {share:.2%} caught at the right element, {len(alarms)} false alarms")
    for name, found in alarms:
        print(f"  false alarm: {name}: {found[0].path}: {found[0].text}")
    if options.hapi is not None:
        mutants.ask_hapi(made, options.hapi, rng, package=str(DATA / PACKAGE))
    sys.exit(0 if share >= mutants.REQUIRED_SHARE and not alarms else 1)


def some(of_rule, rng):
    return of_rule if len(of_rule) <= MOST else rng.sample(of_rule, MOST)


if __name__ == "__main__":
    main()
