#!/usr/bin/env python3
"""Runs maps on fixtures in ketlink and in HL7's reference engine and compares the results element by element.

usage: compare.py KETLINK MAPPINGS FIXTURES [--variants | --all-variants]

Each record of FIXTURES (folders with record.json and expected.json: the other ones are refused before a map runs) goes through the
map that MAPPINGS/routes.json names for its format.
The order of members does not count, the order of lists and the text of numbers do. --all-variants adds, for each fixture, one source for
each member of it, without that member: what is absent is where engines part; --variants only the first few of each kind of member. Exit
status: 0 the same, 1 differences, 77 skipped: no Java, no Maven or no definition pack.

The differences that are known and right stand in `known()`, each with its reason.
"""
import collections
import copy
import json
import os
import pathlib
import subprocess
import sys

VARIANTS = 3
HERE = pathlib.Path(__file__).resolve().parent
ORACLE = HERE / "hapi" / "run.sh"
SKIPPED = 77
BAD_CONFIGURATION = 78
MOST_SHOWN = 50


class Number(str):
    """A number as it was written: 0.50 is not 0.5."""


class Kept(float):
    """The same in a source that is written again."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self):
        return self.text


def read(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def main(arguments):
    most = 10**9 if "--all-variants" in arguments else VARIANTS if "--variants" in arguments else 0
    names = [a for a in arguments if not a.startswith("--")]
    if len(names) != 3:
        sys.exit(__doc__)
    ketlink, mappings, fixtures = names[0], pathlib.Path(names[1]), pathlib.Path(names[2])
    pack = os.environ.get("KETLINK_DEFINITIONS")
    if pack and not os.path.exists(pack):
        print(f"skipped: no definition pack: {pack}")
        sys.exit(SKIPPED)
    build = subprocess.run([ORACLE, "--build"], check=False)
    if build.returncode != 0:
        sys.exit(build.returncode)
    jobs = list(all_jobs(mappings, fixtures, most))
    if not jobs:
        sys.exit(f"no sources in {fixtures}")
    sys.exit(compare(jobs, ketlink, mappings))


def all_jobs(mappings, fixtures, most):
    """(name, map, source text) of each fixture, and of fixtures without one member: `most` times for each kind of member."""
    seen = collections.Counter()
    routes = {r["format"]: r["map"] for r in json.loads((mappings / "routes.json").read_text())["routes"]}
    for file in sorted(fixtures.glob("*/record.json")):
        if not (file.parent / "expected.json").exists():
            continue
        text = file.read_text()
        record = json.loads(text, parse_float=Kept)
        chart = routes[record["format"]]
        yield file.parent.name, chart, text
        for path, less in without_one(record) if most else []:
            kind = ".".join(step for step in path.split(".") if not step.isdigit())
            seen[kind] += 1
            if seen[kind] > most:
                continue
            yield f"{file.parent.name} without {path}", chart, json.dumps(less)


def without_one(record):
    for path in list(members(record, ())):
        less = copy.deepcopy(record)
        parent = less
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        # JSON of FHIR has no empty lists and objects; a fixture without its only item has none of these items.
        yield ".".join(map(str, path)), pruned(less)


def members(node, path):
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if path + (key,) != ("format",):
            yield path + (key,)
        if isinstance(child, (dict, list)):
            yield from members(child, path + (key,))


def pruned(node):
    if isinstance(node, dict):
        kept = {key: pruned(child) for key, child in node.items()}
        return {key: child for key, child in kept.items() if child not in ({}, [])}
    if isinstance(node, list):
        return [child for child in map(pruned, node) if child not in ({}, [])]
    return node


def compare(jobs, ketlink, mappings):
    displays = rows_of_concept_maps(mappings)
    different = same = excused = refused = 0
    for (name, chart, text), answer in zip(jobs, reference(jobs, mappings)):
        ours, trouble = run(ketlink, mappings, chart, text)
        if ours is None or not answer["ok"]:
            differences = refusals(trouble, answer)
        else:
            differences = list(walk(ours, answer["result"], ""))
        real = [d for d in differences if not known(d, displays)]
        refused += ours is None
        excused += len(differences) - len(real)
        same += not real
        different += bool(real)
        if real and different <= MOST_SHOWN:
            report(name, real)
    print(f"{same} of {same + different} the same as HL7's engine ({refused} without a result), {excused} known differences")
    return 1 if different else 0


def reference(jobs, mappings):
    """Answers of HL7's engine, in the order of the jobs: one process for all."""
    lines = [f'{{"do":"transform","map":{json.dumps(chart)},"mappings":{json.dumps(str(mappings))},"resource":{one_line(text)}}}\n'
             for _, chart, text in jobs]
    done = subprocess.run([ORACLE], input="".join(lines), capture_output=True, text=True, check=False)
    answers = [read(line) for line in done.stdout.splitlines()]
    if len(answers) != len(jobs):
        sys.exit(f"the oracle ended early: {done.stderr}")
    return answers


def one_line(text):
    """Line ends of JSON text are white space: inside of strings they are escaped."""
    return text.replace("\r", " ").replace("\n", " ")


def run(ketlink, mappings, chart, text):
    """(result, nothing) or (None, why not)."""
    done = subprocess.run([ketlink, "map", "run", "-q", "--mappings", mappings, chart, "-"], input=text, capture_output=True,
                          text=True, check=False)
    if done.returncode == BAD_CONFIGURATION:
        sys.exit(done.stderr.strip())
    return (read(done.stdout), "") if done.stdout else (None, done.stderr.strip())


def refusals(trouble, answer):
    """When both engines refuse, that is the same result; the words are free."""
    if trouble and not answer["ok"]:
        return []
    return [("", trouble or "a result", answer.get("error", "a result"))]


def walk(ours, theirs, path):
    """(path, ours, theirs) of each difference; None where there is nothing."""
    if type(ours) is not type(theirs):
        yield path, ours, theirs
    elif isinstance(ours, dict):
        for key in list(ours) + [key for key in theirs if key not in ours]:
            if key == "display" and key not in theirs and "code" in ours:
                yield f"{path}.{key}", (ours.get("system"), ours["code"], ours[key]), None
            else:
                yield from walk(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list):
        for i in range(max(len(ours), len(theirs))):
            yield from walk(ours[i] if i < len(ours) else None, theirs[i] if i < len(theirs) else None, f"{path}[{i}]")
    elif ours != theirs:
        yield path, ours, theirs


def known(difference, displays):
    """translate() to a Coding: HL7's engine leaves out the display of the ConceptMap's row, ketlink gives it. The specification says
    only what comes out ("a Coding"); R4's $translate answers with a Coding that may have a display, and readers need one.
    Narrative: HL7's engine reads and writes XHTML anew, so that a quotation mark loses its escape; the text is the same."""
    path, ours, theirs = difference
    if path.endswith(".text.div") and isinstance(ours, str) and isinstance(theirs, str):
        return ours.replace("&#39;", "'").replace("&quot;", '"') == theirs.replace("&#39;", "'").replace("&quot;", '"')
    return theirs is None and isinstance(ours, tuple) and ours in displays


def rows_of_concept_maps(mappings):
    rows = set()
    for file in mappings.glob("**/*.json"):
        chart = json.loads(file.read_text())
        for group in chart.get("group", []) if chart.get("resourceType") == "ConceptMap" else []:
            for element in group["element"]:
                rows.update((group.get("target"), t.get("code"), t.get("display")) for t in element.get("target", []))
    return rows


def report(name, differences):
    print(name)
    for path, ours, theirs in differences[:MOST_SHOWN]:
        print(f"  {path}: ketlink {short(ours)}, reference {short(theirs)}")


def short(value):
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) < 200 else text[:197] + "..."


if __name__ == "__main__":
    main(sys.argv[1:])
