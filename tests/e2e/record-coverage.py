#!/usr/bin/env python3
"""docs/record-coverage.md: each field of the clinic's record, the FHIR elements that it becomes, and a fixture that shows it.

The table is made from the model and from what the maps really do: every good fixture is run with a trace, and each rule that reads a
field tells what it writes. The test fails when the file is not what would be made now, or when a field of the model has an empty row.

usage: record-coverage.py [--update]      KETLINK names the program; exit status 77: it is not built
"""
import collections
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = os.environ.get("KETLINK", str(ROOT / "build/release/ketlink"))
DOCUMENT = ROOT / "docs/record-coverage.md"
MODEL = ROOT / "mappings/models/session-record.json"
RULE = re.compile(r"^( *)rule (\S+) reads (\S+) \([0-9:]+\)  \[(\S+):(\d+):\d+\]$")
WRITE = re.compile(r"^( *)write to Bundle\.entry\[(\d+)\]\.resource(?:\.(\S+))?(?: by (\S+)(?: '(.*)')?)?  \[")
MOST_TARGETS = 4
MOST_TYPES = 8  # a field that reaches more types of resources is a key

HEAD = """# What becomes of each field of a record

Made by `tests/e2e/record-coverage.py --update` from the model and from traces of all fixtures; a test sees to it that it is up to date and
has no empty row. What a field means and which values it may have stands in
[mappings/models/session-record.json](../mappings/models/session-record.json), what the maps do with it in
[mappings/clinic/](../mappings/clinic/).

"Key" means that the field is part of the record key, of which the program makes ids, identifiers and references
([mappings/README.md](../mappings/README.md)). A field may become more than the elements named here; the fixture is one of those that show it.
"""


def plain(path):
    return re.sub(r"\[\d+\]", "", path)


class Rule:
    def __init__(self, depth, path, file, line):
        self.depth, self.path, self.file, self.line = depth, plain(path), file, int(line)
        self.own, self.inner = [], []  # (element, how)


def element(types, urls, entry, path):
    """Type.element of a write, an extension by its name."""
    shown, whole = [], ""
    for part in path.split("."):
        whole = f"{whole}.{part}" if whole else part
        name = plain(part)
        url = urls.get((entry, whole))
        shown.append(f"extension({url.rsplit('/', 1)[-1]})" if name == "extension" and url else name)
    return f"{types[entry]}.{'.'.join(shown)}"


def trace(fixture):
    """The rules that ran on a fixture, each with its writes."""
    with tempfile.NamedTemporaryFile() as bundle:
        run = subprocess.run([KETLINK, "map", "run", "session", str(fixture / "record.json"), "--trace", "-o", bundle.name],
                             capture_output=True, text=True, check=False, cwd=ROOT)
        entries = json.load(open(bundle.name, encoding="utf-8"))["entry"]
    types = [entry["resource"]["resourceType"] for entry in entries]
    lines = run.stderr.splitlines()
    urls = {}
    for line in lines:
        match = WRITE.match(line)
        if match and match[3] and match[3].endswith(".url") and match[4] == "literal":
            urls[int(match[2]), match[3][:-len(".url")]] = match[5]
    rules, stack = [], []
    for line in lines:
        match = RULE.match(line)
        if match:
            depth = len(match[1])
            while stack and stack[-1].depth >= depth:
                stack.pop()
            stack.append(Rule(depth, match[3], match[4], match[5]))
            rules.append(stack[-1])
            continue
        match = WRITE.match(line)
        if not match or not match[3]:
            continue
        while stack and stack[-1].depth >= len(match[1]):
            stack.pop()
        write = (element(types, urls, int(match[2]), match[3]), match[4])
        for place, rule in enumerate(reversed(stack)):
            (rule.inner if place else rule.own).append(write)
    return rules


def below(name, others):
    return [other for other in others if other.startswith(name + ".")]


def homes(field, writes):
    """The elements that carry the field's value, else those that it makes."""
    carried = [name for name, how in writes if how and how not in ("literal", "create")]
    values = [name for name in carried if not re.search(r"\.(reference|id)$", name)]
    if values:
        return values
    if field.endswith(".id"):
        keys = [f"{name.split('.')[0]} (key)" for name in carried if re.match(r"^[A-Za-z]+\.id$", name)]
        if keys or carried:
            return keys or carried
    names = [name for name, _ in writes]
    made = [name for name, how in writes if how in (None, "create")]
    return ([name for name in made if not below(name, names)] or [name for name in made if below(name, carried)] or
            [max(names, key=len)] if names else [])


def neat(name):
    """An element as one speaks of it: the concept, not its coding; the reference, not its text."""
    name = re.sub(r"\.coding(\.(code|display|system))?$", "", name)
    name = re.sub(r"(?<=Quantity)\.value$|(?<=dose)\.value$|(?<=numerator)\.value$|(?<=denominator)\.value$|\.reference$|\.display$", "",
                  name)
    return re.sub(r"\.identifier\.(system|value)$", ".identifier", name)


def neat_all(found):
    """Each element once, with its fixtures; the text of a concept goes with the concept."""
    neatly = collections.defaultdict(set)
    for name, fixtures in found.items():
        neatly[neat(name)] |= fixtures
    for name in [name for name in neatly if name.endswith(".text") and name[:-len(".text")] in neatly]:
        neatly[name[:-len(".text")]] |= neatly.pop(name)
    for name in [name for name in neatly if below(name, neatly)]:
        del neatly[name]  # its parts say more
    told = [name for name in neatly if not re.search(r"^\w+\.id$|\.meta\.profile$", name)]
    return {name: neatly[name] for name in told or neatly}


def comment_above(file, line):
    lines = (ROOT / "mappings/clinic" / file).read_text().splitlines()
    words = []
    for above in reversed(lines[:line - 1]):
        if not above.strip().startswith("//"):
            break
        words.insert(0, above.strip()[2:].strip())
    return " ".join(words)


def condition(rule):
    """The condition of a rule, as the map has it."""
    lines = (ROOT / "mappings/clinic" / rule.file).read_text().splitlines()[rule.line - 1:]
    head = re.split(r"->|\bthen\b|;$", "\n".join(lines[:4]), maxsplit=1, flags=re.M)[0]
    match = re.search(r"\bwhere \((.*)\)", head, flags=re.S)
    return match[1] if match else ""


def collect(fields):
    """What the fixtures show: field -> element -> fixtures, in rising distance from the field; and why a field is not sent."""
    direct, nested, decided = (collections.defaultdict(lambda: collections.defaultdict(set)) for _ in range(3))
    reasons = {}
    for fixture in sorted((ROOT / "fixtures/clinic").iterdir()):
        if not (fixture / "expected.json").exists():
            continue
        for rule in trace(fixture):
            for table, writes in ((direct, rule.own), (nested, rule.inner)):
                for name in homes(rule.path, writes):
                    table[rule.path][name].add(fixture.name)
            if not rule.own and not rule.inner:
                reasons.setdefault(rule.path, (comment_above(rule.file, rule.line), fixture.name))
            for word in set(re.findall(r"[A-Za-z]+", condition(rule))):
                if f"{rule.path}.{word}" in fields:
                    for name in homes(rule.path, rule.own or rule.inner):
                        decided[f"{rule.path}.{word}"][name].add(fixture.name)
    return direct, nested, decided, reasons


def shown_homes(field, tables):
    """The words for the table, and the fixtures to choose from."""
    for table in tables:
        found = table.get(field)
        if not found:
            continue
        if len({name.split(".")[0] for name in found}) > MOST_TYPES:
            return "part of the record keys of all resources", set.union(*found.values())
        found = neat_all(found)
        order = sorted(found, key=lambda one: (-len(found[one]), one.count("."), one))
        words = ", ".join(f"`{one}`" if "(key)" not in one else one for one in order[:MOST_TARGETS])
        more = f" and {len(order) - MOST_TARGETS} more" if len(order) > MOST_TARGETS else ""
        return words + more, found[order[0]]
    return "", set()


def row(field, item, tables, reasons):
    cardinality = f"{item.get('min', 0)}..{item.get('max', '*')}"
    kind = item["type"][0]["code"]
    name = field.split(".", 1)[1]
    shown, fixtures = shown_homes(field, tables)
    if not shown and field in reasons:
        reason, fixture = reasons[field]
        shown, fixtures = f"not sent: {reason}" if reason else "", {fixture}
    # One of them, by lot: the table shows many fixtures, and a new one changes few rows.
    fixture = min(fixtures, key=lambda one: hashlib.sha256(f"{field} {one}".encode()).digest()) if fixtures else ""
    link = f"[{fixture}](../fixtures/clinic/{fixture})" if fixture else ""
    return f"| `{name}` | {kind} {cardinality} | {shown} | {link} |", bool(shown and fixture)


def profiles():
    seen = collections.defaultdict(set)
    for path in sorted((ROOT / "fixtures/clinic").glob("*/expected.json")):
        for entry in json.loads(path.read_text())["entry"]:
            resource = entry["resource"]
            names = [url.rsplit("/", 1)[-1] for url in resource.get("meta", {}).get("profile", [])] or ["base R4"]
            for name in names:
                seen[resource["resourceType"], name].add(path.parent.name)
    lines = ["## Resources", "", "| resource | profile that it claims | fixtures |", "|---|---|---|"]
    lines += [f"| {kind} | {name} | {len(fixtures)} |" for (kind, name), fixtures in sorted(seen.items())]
    return lines


def document():
    elements = json.loads(MODEL.read_text())["differential"]["element"]
    *tables, reasons = collect({item["path"] for item in elements})
    lines, empty, part = HEAD.splitlines(), [], None
    for item in elements[1:]:
        field = item["path"]
        if item["type"][0]["code"] == "Element":
            if field.count(".") == 1:
                lines += ["", f"## {field.split('.')[1]}", "", f"{item.get('short', '')}.", "",
                          "| field | type | becomes | fixture |", "|---|---|---|---|"]
                part = field
            continue
        if part is None:
            lines += ["", "## The record itself", "", "| field | type | becomes | fixture |", "|---|---|---|---|"]
            part = field
        line, full = row(field, item, tables, reasons)
        lines.append(line)
        if not full:
            empty.append(field)
    return "\n".join(lines + [""] + profiles()) + "\n", empty


def main():
    if not os.access(KETLINK, os.X_OK):
        print(f"skipped: {KETLINK} is not built")
        return 77
    text, empty = document()
    for field in empty:
        print(f"{field}: no rule of a fixture reads it")
    if sys.argv[1:] == ["--update"]:
        DOCUMENT.write_text(text)
    if not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        print(f"{DOCUMENT.relative_to(ROOT)} is out of date: tests/e2e/record-coverage.py --update")
        return 1
    rows = text.count("\n| `")
    print(f"{rows} fields, {rows - len(empty)} with a home")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
