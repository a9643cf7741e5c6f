#!/usr/bin/env python3
"""Breaks one rule at a time in good resources and asks whether ketlink finds it where it is.

usage: mutants.py KETLINK [--quick] [--hapi N] [--seed N] [--most N] [--misses] [--write FOLDER]

Parents are the resources of the expected Bundles of fixtures/ and, unless --quick, the R4 example instances in which HAPI's recorded
answers have no error, without those on which ketlink is known to differ. Each mutant names the rule that it breaks and the places where a finding is right: the element, or
its parent when the element is missing. Prints what was caught for each rule and lists the rest. Exit status: 0 when at least 99 % are
caught at the right element and no parent gives an error, 1 otherwise, 77 skipped: no definitions.

--hapi N   HAPI judges N of the mutants too (0: all): are they really invalid?
--seed N   which of the possible mutants are taken; --most N: how many for each kind of rule
--misses   list all that were not caught, not one of each kind
--write    leave the mutants in a folder, as RULE-NUMBER.json
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import sys

import invariants
import r4
import validate
import verdicts

DEFINITIONS = verdicts.ROOT / "packaging" / "definitions" / "node_modules" / "@medplum" / "definitions" / "dist" / "fhir" / "r4"
FIXTURES = verdicts.ROOT / "fixtures" / "clinic"
PARENT_BYTES_MAX = 40_000
CONFORMANCE_PARENTS = 4  # of each type that the package has by the hundred
MOST, MOST_QUICK = 420, 30
PARENTS_QUICK = 50
REQUIRED_SHARE = 0.99
TWICE = "\u2060"  # marks the second of two equal names

Mutant = collections.namedtuple("Mutant", "rule detail parent places text")


# --- ways to break a node: each yields (detail, change of the copy, places) ---
# A change gets the copy of the node's value, its holder (object or list) and its key in there.


def member(node, name):
    return f"{node.path}.{name}"


def on_members(node, defs):
    """(name, element, type) of the members that are there, without the partners of primitives."""
    if isinstance(node.value, dict):
        for name in node.value:
            element, kind = defs.find(owner(node), name)
            if element:
                yield name, element, kind


def owner(node):
    return node.element["path"] if node.element and node.type in ("BackboneElement", "Element") else node.type


def required(node, defs):
    for name, element, _ in on_members(node, defs):
        if element["min"] >= 1 and "_" + name not in node.value:
            base = element["path"].rpartition(".")[2].replace("[x]", "")
            yield element["path"], lambda value, holder, key, name=name: value.pop(name), {member(node, name), member(node, base), node.path}


def repeated(node, defs):
    for name, element, _ in on_members(node, defs):
        if not isinstance(node.value[name], list) and "_" + name not in node.value:
            def change(value, holder, key, name=name):
                value[name] = [value[name], value[name]]
            yield element["path"], change, {member(node, name), member(node, name) + "[0]", member(node, name) + "[1]"}


def array(node, defs):
    for name, element, _ in on_members(node, defs):
        if "_" + name in node.value:
            continue
        listed = isinstance(node.value[name], list)
        if listed and len(node.value[name]) > 1:
            continue

        def change(value, holder, key, name=name, listed=listed):
            value[name] = value[name][0] if listed else [value[name]]
        yield element["path"], change, {member(node, name), member(node, name) + "[0]"}


def json_type(node, defs):
    if node.keys == () or is_resource(node, defs):
        return
    wrong = [5, True, "text"] if isinstance(node.value, dict) else {
        bool: ["true", 1], int: ["1", True], float: ["1.5", False], str: [5, False, {"value": "a"}]}[type(node.value)]
    for value in wrong:
        yield f"{element_path(node)} {json.dumps(value)}", replace(value), {node.path}


def is_resource(node, defs):
    return node.type in defs.resources


def element_path(node):
    return node.element["path"] if node.element else node.type


def replace(new):
    def change(value, holder, key):
        holder[key] = new
    return change


def unknown(node, defs):
    if isinstance(node.value, dict):
        names = [name for name in node.value if name not in ("resourceType", "id")]
        wrong = (names[0] + "s", {"a": 1}) if names else ("other", "text")
        for name, value in (wrong, ("note1", "text")):
            if defs.find(owner(node), name)[0] is None:
                yield f"{element_path(node)} {name}", add(name, value), {member(node, name), node.path}


def add(name, new):
    def change(value, holder, key):
        value[name] = new
    return change


def empty(node, defs):
    if node.keys == () or "_" + [key for key in node.keys if isinstance(key, str)][-1] in node.beside:
        return
    if isinstance(node.value, (dict, str)):
        yield f"{element_path(node)} empty", replace({} if isinstance(node.value, dict) else ""), {node.path}
    yield f"{element_path(node)} null", replace(None), {node.path, node.path.rpartition(".")[0]}
    if isinstance(node.keys[-1], int) and node.keys[-1] == 0:
        def change(value, holder, key):
            holder.clear()
        yield f"{element_path(node)} []", change, {node.path, node.path[:-3]}


def choice(node, defs):
    for name, element, kind in on_members(node, defs):
        if not element["path"].endswith("[x]"):
            continue
        base = element["path"].rpartition(".")[2][:-3]
        others = [t["code"] for t in element["type"] if t["code"] in SAMPLES and t["code"] != kind]
        for other in others[:2]:
            second = base + other[0].upper() + other[1:]
            if second not in node.value:
                yield f"{element['path']} two", add(second, SAMPLES[other]), {member(node, name), member(node, second), member(node, base),
                                                                          node.path}
        allowed = {t["code"] for t in element["type"]}
        for other in ("Money", "markdown", "SampledData", "oid"):
            if other not in allowed:
                wrong = base + other[0].upper() + other[1:]

                def change(value, holder, key, name=name, wrong=wrong):
                    value[wrong] = value.pop(name)
                yield f"{element['path']} {other}", change, {member(node, wrong), member(node, base), node.path}
                break


SAMPLES = {"string": "a", "boolean": True, "integer": 3, "dateTime": "2020-01-01", "CodeableConcept": {"text": "a"}, "Quantity": {"value": 1},
           "Reference": {"reference": "Patient/example"}, "Period": {"start": "2020"}, "uri": "http://example.org", "Range": {"low": {"value": 1}},
           "Age": {"value": 1, "unit": "a", "system": invariants.UCUM, "code": "a"}, "date": "2020-01-01"}

BAD_FORMATS = {
    "boolean": [],
    "integer": [1.5, 2147483648],
    "positiveInt": [0, -1, 1.5, 2147483648],
    "unsignedInt": [-1, 1.5, 2147483648],
    "decimal": [],
    "string": ["", "a\u0001b"],
    "markdown": ["", "a\u0001b"],
    "code": [" a", "a ", "a  b", ""],
    "id": ["a_b", "a b", "a" * 65, "é", ""],
    "uri": ["http://a b", "", " http://example.org/a", "http://example.org/a\n"],
    "url": ["http://a b", "", "http://example.org/a "],
    "canonical": ["http://a b", "", " http://example.org/a"],
    "oid": ["urn:oid:9.1", "urn:oid:1.02", "1.2.3", "urn:oid:1.2.", ""],
    "uuid": ["urn:uuid:1234", "c757873d-ec9a-4326-a141-556f43239520", ""],
    "date": ["2020-13-01", "2020-02-30", "2019-02-29", "20200101", "2020-1-1", "2020-01-01T00:00:00Z", "20", "2020-00", "01/02/2020", ""],
    "dateTime": ["2020-13", "2020-01-01T10:00", "2020-01-01T10:00:00", "2020-01-01T25:00:00Z", "2020-01-01T10:60:00Z", "2020-01-01 10:00:00Z",
                 "2020-01-01T10:00:00+25:00", "2020-02-30T10:00:00Z", "today", "2020-01-01T10Z", ""],
    "instant": ["2020-01-01", "2020-01-01T10:00:00", "2020-01-01T10:00Z", "2020-01-01T24:30:00Z", ""],
    "time": ["10:00", "25:00:00", "10:60:00", "10:00:00Z", "1:00:00", ""],
    "base64Binary": ["QUJ", "a*bc", "QUJDRA=", "Q===", ""],
}


def bad_format(node, defs):
    if node.type in BAD_FORMATS and not isinstance(node.value, dict):
        for value in BAD_FORMATS[node.type]:
            yield f"{node.type} {json.dumps(value)[:20]}", replace(value), {node.path}


def bad_code(node, defs):
    if not node.element or node.element.get("binding", {}).get("strength") != "required" or "max" not in node.element:
        return
    codes = defs.codes(node.element["binding"].get("valueSet", ""))
    if not codes:
        return
    known = {c for _, c in codes}
    if node.type == "code":
        for wrong in ("no-such-code", str(node.value).swapcase()):
            if wrong not in known:
                yield f"{node.element['path']} {'case' if wrong != 'no-such-code' else ''}", replace(wrong), {node.path}
    elif node.type in ("Coding", "CodeableConcept") and isinstance(node.value, dict):
        codings = node.value.get("coding", []) if node.type == "CodeableConcept" else [node.value]
        if len(codings) != 1:
            return
        below = {node.path, node.path + ".coding[0]", node.path + ".coding[0].code", node.path + ".code"}
        first = (lambda value: value["coding"][0]) if node.type == "CodeableConcept" else (lambda value: value)
        yield f"{node.element['path']} code", lambda value, holder, key: first(value).update(code="no-such-code"), below
        yield f"{node.element['path']} system", lambda value, holder, key: first(value).update(system="http://example.org/codes"), below | {
            node.path + ".coding[0].system", node.path + ".system"}


def unknown_code(node, defs):
    """A code that a code system, which is wholly here, does not have; a unit that is none. HL7's terminology goes on apart from FHIR, so of
    its systems, and where other codes may be used as well, ketlink only warns."""
    if not isinstance(node.value, dict) or not node.element:
        return
    inside = node.type == "CodeableConcept" and len(node.value.get("coding", [])) == 1
    coding = node.value["coding"][0] if inside else node.value
    system, where = coding.get("system"), ".coding[0]" if inside else ""
    if "code" not in coding:
        return
    places = {node.path, node.path + where, f"{node.path}{where}.code"}
    strict = str(system).startswith("http://hl7.org/fhir/") and node.element.get("binding", {}).get("strength") in (None, "example")
    if inside or (node.type == "Coding" and node.element["path"] != "CodeableConcept.coding"):
        if strict and defs.code_systems.get(system, {}).get("concept"):
            yield f"code system {system}", lambda value, *_: (value["coding"][0] if inside else value).update(code="no-such-code"), places
    elif node.type in ("Quantity", "Age", "Duration", "Count", "Distance") and system == invariants.UCUM:
        for wrong in ("no such unit", "mg/", "months"):
            yield f"unit {wrong}", add("code", wrong), places


def reference(node, defs):
    if node.type != "Reference" or not isinstance(node.value, dict) or not node.element:
        return
    targets = {url.rpartition("/")[2] for kind in node.element.get("type", []) for url in kind.get("targetProfile", [])}
    match = re.fullmatch(r"([A-Z]\w+)/[A-Za-z0-9.-]+", node.value.get("reference", ""))
    if not match or not targets or targets & {"Resource", "DomainResource"} or not targets <= defs.resources:
        return
    for wrong in ("Slot", "Medication", "Patient", "Linkage"):
        if wrong not in targets and wrong in defs.resources:
            yield f"{node.element['path']} {wrong}", add("reference", wrong + "/example"), {node.path, node.path + ".reference"}
            break
    if "type" not in node.value:
        yield f"{node.element['path']} type", add("type", "Slot" if match[1] != "Slot" else "Linkage"), {node.path, node.path + ".type", node.path + ".reference"}


def invariant(node, defs):
    if not isinstance(node.value, dict):
        return
    names = {owner(node), node.type} | ({"Resource"} if node.keys == () else set())
    for number, (key, where, breaker) in enumerate(invariants.BREAKERS):
        if where in names:
            yield from broken(node, key, f"{key} {number}", breaker)


def broken(node, key, detail, breaker):
    copy = json.loads(json.dumps(node.value))
    place = breaker(copy)
    if place is None or copy == node.value:
        return

    def change(value, holder, name):
        breaker(value)
    places = {member(node, place) if place else node.path}
    if key == "ref-1":
        places.add(member(node, "reference"))
    if key == "dom-3":  # R4 puts the rule on the container; the contained resource itself says more
        places |= {f"{node.path}.contained[{i}]" for i in range(len(copy["contained"]))}
    yield detail, change, places


def bundle(node, defs):
    if node.type != "Bundle" or not node.value.get("entry"):
        return
    for number, (key, breaker) in enumerate(invariants.BUNDLES):
        yield from broken(node, key, f"{key} {number}", breaker)


NARRATIVE = "http://www.w3.org/1999/xhtml"
BAD_NARRATIVES = {
    "script": f'<div xmlns="{NARRATIVE}"><p>a</p><script>alert(1)</script></div>',
    "event": f'<div xmlns="{NARRATIVE}"><p onclick="a()">a</p></div>',
    "form": f'<div xmlns="{NARRATIVE}"><form><input type="text"/></form>a</div>',
    "object": f'<div xmlns="{NARRATIVE}"><object data="a">a</object></div>',
    "not closed": f'<div xmlns="{NARRATIVE}"><p>a</div>',
    "not div": f'<p xmlns="{NARRATIVE}">a</p>',
    "namespace": "<div><p>a</p></div>",
    "text": "a",
    "white": f'<div xmlns="{NARRATIVE}"> <p> </p></div>',
    "entity": f'<div xmlns="{NARRATIVE}">&nosuch;</div>',
    "bare &": f'<div xmlns="{NARRATIVE}">a & b</div>',
    "attribute": f'<div xmlns="{NARRATIVE}"><p wrong="1">a</p></div>',
    "style": f'<div xmlns="{NARRATIVE}"><link href="a.css"/>a</div>',
}


def narrative(node, defs):
    if node.type == "xhtml":
        for name, text in BAD_NARRATIVES.items():
            yield name, replace(text), {node.path}


def top(node, defs):
    if node.keys == ():
        yield "no resourceType", lambda value, holder, key: value.pop("resourceType"), {"", node.path, "resourceType"}
        for wrong in ("NoSuchResource", node.type.lower(), "Element", "DomainResource"):
            yield f"resourceType {wrong if wrong != node.type.lower() else 'case'}", add("resourceType", wrong), {"", node.path, wrong,
                                                                                                            "resourceType"}
        yield "resourceType kind", add("resourceType", 5), {"", node.path, "resourceType", node.path + ".resourceType"}


def duplicate_name(node, defs):
    if isinstance(node.value, dict):
        for name in node.value:
            if name != "resourceType" and not name.startswith("_"):
                def change(value, holder, key, name=name):
                    value[name + TWICE] = value[name]
                yield element_path(node), change, {"", member(node, name), node.path, member(node, name) + "[0]"}
                break


def partner(node, defs):
    """`_name` has to go with `name`."""
    for name, element, kind in on_members(node, defs):
        value = node.value[name]
        if "_" + name in node.value or kind in ("xhtml",) or element["path"].endswith(".id") and node.keys == ():
            continue
        simple = kind in r4.PRIMITIVES
        if simple and not isinstance(value, list):
            yield f"{kind} list", add("_" + name, [{"id": "a"}]), {member(node, name), member(node, "_" + name), member(node, name) + "[0]",
                                                                         member(node, "_" + name) + "[0]"}
            yield f"{kind} empty", add("_" + name, {}), {member(node, name), member(node, "_" + name)}
            yield f"{kind} unknown", add("_" + name, {"wrong": 1}), {member(node, name), member(node, "_" + name), member(node, name) + ".wrong",
                                                                 member(node, "_" + name) + ".wrong"}
        elif not simple and isinstance(value, dict):
            yield "complex", add("_" + name, {"id": "a"}), {member(node, name), member(node, "_" + name), node.path}


RULES = {"required": required, "repeated": repeated, "array": array, "json-type": json_type, "unknown": unknown, "empty": empty, "choice": choice,
         "format": bad_format, "code": bad_code, "unknown-code": unknown_code, "reference": reference, "invariant": invariant, "bundle": bundle, "narrative": narrative,
         "resource-type": top, "duplicate-name": duplicate_name, "partner": partner}


# --- parents ---


def fixtures():
    """The expected Bundles, and up to five resources of each type in them."""
    for file in sorted(FIXTURES.glob("*/expected.json")):
        bundle_ = json.loads(file.read_text())
        yield f"{file.parent.name}/{bundle_['resourceType']}", bundle_
        seen = collections.Counter()
        for entry in bundle_.get("entry", []):
            resource = entry["resource"]
            seen[resource["resourceType"]] += 1
            if seen[resource["resourceType"]] <= 5:
                yield f"{file.parent.name}/{resource['resourceType']}/{seen[resource['resourceType']]}", resource


def few(parents, rng):
    """Enough for seconds: the smallest Bundle and some of the resources, all types among them."""
    bundles = [row for row in parents if row[1]["resourceType"] == "Bundle"]
    others = [row for row in parents if row[1]["resourceType"] != "Bundle"]
    rng.shuffle(others)
    one_each = {row[1]["resourceType"]: row for row in others}
    rest = [row for row in others if row not in one_each.values()]
    return [min(bundles, key=lambda row: len(json.dumps(row[1]))), *one_each.values(), *rest[:PARENTS_QUICK - len(one_each)]]


def examples():
    recorded, known = validate.read_record(), validate.read_known()
    count = collections.Counter()
    for name, file in verdicts.examples().items():
        kind = name.partition("-")[0]
        if recorded.errors.get(name) or name in known or name in recorded.unjudged or file.stat().st_size > PARENT_BYTES_MAX:
            continue
        count[kind] += 1
        if kind not in ("SearchParameter", "ValueSet", "CodeSystem", "StructureDefinition", "ConceptMap") or count[kind] % 40 == 1:
            yield name, json.loads(file.read_text())


# --- making ---


def candidates(defs, parents):
    """(rule, detail, parent's number, node, change, places): what could be made."""
    for number, (_, resource) in enumerate(parents):
        for node in defs.nodes(resource):
            for rule, breaks in RULES.items():
                for detail, change, places in breaks(node, defs):
                    yield rule, detail, number, node, change, places


def chosen(all_of_them, most, rng):
    """At most so many of each rule, as different as can be: first one of each detail, then the others."""
    by_rule = collections.defaultdict(list)
    for candidate in all_of_them:
        by_rule[candidate[0]].append(candidate)
    for rule, some in by_rule.items():
        rng.shuffle(some)
        seen = collections.Counter()
        ranked = []
        for candidate in some:
            ranked.append((seen[candidate[1]], len(ranked), candidate))
            seen[candidate[1]] += 1
        ranked.sort(key=lambda row: row[:2])
        yield from (candidate for _, _, candidate in ranked[:most])


def make(candidate, parents):
    rule, detail, number, node, change, places = candidate
    name, resource = parents[number]
    root = [json.loads(json.dumps(resource))]
    holder, key = root, 0
    for step in node.keys:
        holder, key = holder[key], step
    change(holder[key], holder, key)
    text = json.dumps(root[0]).replace(json.dumps(TWICE)[1:-1], "")
    return Mutant(rule, detail, name, places, text)


# --- judging ---


def judge(mutants, findings):
    """caught / elsewhere / missed of each mutant."""
    for mutant, found in zip(mutants, findings):
        paths = {finding.path for finding in found}
        yield "caught" if paths & mutant.places else "elsewhere" if found else "missed"


def table(mutants, results, rules=tuple(RULES)):
    rows, kinds = collections.defaultdict(collections.Counter), collections.defaultdict(set)
    for mutant, result in zip(mutants, results):
        for rule in (mutant.rule, "all"):
            rows[rule][result] += 1
            kinds[rule].add(mutant.detail)
    print(f"{'rule':18} {'kinds':>8} {'mutants':>8} {'caught':>8} {'elsewhere':>10} {'missed':>8}")
    for rule in [*rules, "all"]:
        row = rows[rule]
        if row:
            print(f"{rule:18} {len(kinds[rule]):8} {sum(row.values()):8} {row['caught']:8} {row['elsewhere']:10} {row['missed']:8}")
    return rows["all"]["caught"] / max(1, sum(rows["all"].values()))


def show(mutants, results, findings, all_of_them):
    """What was not caught, one of each kind: the rule without the element and type that it was broken at."""
    kinds = collections.defaultdict(list)
    for mutant, result, found in zip(mutants, results, findings):
        if result != "caught":
            kinds[result, mutant.rule, "" if all_of_them else re.sub(r"\S*[.:/]\S* ?", "", mutant.detail)].append((mutant, found))
    for (result, rule, detail), some in sorted(kinds.items(), key=lambda row: -len(row[1])):
        for mutant, found in some if all_of_them else some[:1]:
            print(f"  {len(some)} {result}: {rule} {detail}: {mutant.detail} in {mutant.parent}, expected at {' or '.join(sorted(mutant.places))}"
                  + (f"; found at {', '.join(sorted({f.path for f in found}))[:200]}: {found[0].text[:100]}" if found else ""))


def ask_hapi(mutants, count, rng, **more):
    """Whether HAPI finds the mutants invalid; the ones where it does not are listed."""
    verdicts.build_oracle()
    some = mutants if not count else [mutants[i] for i in sorted(rng.sample(range(len(mutants)), min(count, len(mutants))))]
    # HAPI takes the resource as parsed JSON: what is wrong with the text itself does not reach it.
    some = [m for m in some if m.rule != "duplicate-name"]
    answers = list(verdicts.hapi([{"resource": json.loads(m.text), **more} for m in some]))
    good = [m for m, answer in zip(some, answers) if answer == []]
    print(f"HAPI finds {len(some) - len(good)} of {len(some)} mutants invalid; not these:")
    for rule, number in collections.Counter(m.rule for m in good).most_common():
        details = sorted({m.detail for m in good if m.rule == rule})
        print(f"  {number} {rule}: {', '.join(details[:8])}{' …' if len(details) > 8 else ''}")


def write(folder, mutants):
    folder.mkdir(parents=True, exist_ok=True)
    for number, mutant in enumerate(mutants):
        (folder / f"{mutant.rule}-{number}.json").write_text(mutant.text)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("ketlink")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--hapi", type=int)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--most", type=int)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()
    if not (DEFINITIONS / "profiles-resources.json").exists():
        verdicts.skip(f"no definitions: {DEFINITIONS}")
    if not options.quick and not verdicts.examples():
        verdicts.skip("no R4 examples: npm ci in tests/oracles/examples")
    rng = random.Random(options.seed)
    parents = few(list(fixtures()), rng) if options.quick else [*fixtures(), *examples()]
    of_parents = verdicts.ketlink_texts(options.ketlink, [json.dumps(resource) for _, resource in parents])
    alarms = [(name, found) for (name, _), found in zip(parents, of_parents) if found]
    mutants = [make(c, parents) for c in chosen(candidates(r4.Definitions(DEFINITIONS), parents),
                                                options.most or (MOST_QUICK if options.quick else MOST), rng)]
    if options.write:
        write(options.write, mutants)
    findings = verdicts.ketlink_texts(options.ketlink, [mutant.text for mutant in mutants])
    results = list(judge(mutants, findings))
    share = table(mutants, results)
    show(mutants, results, findings, options.misses)
    print(f"{len(mutants)} mutants of {len(parents)} parents, {share:.2%} caught at the right element, {len(alarms)} false alarms")
    for name, found in alarms:
        print(f"  false alarm: {name}: {found[0].path}: {found[0].text}")
    if options.hapi is not None:
        ask_hapi(mutants, options.hapi, rng)
    sys.exit(0 if share >= REQUIRED_SHARE and not alarms else 1)


if __name__ == "__main__":
    main()
