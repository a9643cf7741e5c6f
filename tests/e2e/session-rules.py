#!/usr/bin/env python3
"""docs/session-rules.md: the rules of care as the logical model has them. The test fails when the page is not what would be made now, when a
rule lacks something, or when mappings/policy.json, as it is shipped, does not name each rule with what the model says.

usage: session-rules.py [--update]
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/session-rules.md"
MODEL = ROOT / "mappings/models/session-record.json"
POLICY = ROOT / "mappings/policy.json"
EXTENSION = "http://ketlink.dev/fhir/StructureDefinition/session-rule"
GROUPS = {
    "before": "Before the dose",
    "dose": "Dose",
    "monitoring": "Monitoring",
    "discharge": "Discharge",
    "waste": "Waste",
    "notes": "Notes",
    "rems": "REMS",
}
HEAD = """# Rules of care

Made by `tests/e2e/session-rules.py --update` from [mappings/models/session-record.json](../mappings/models/session-record.json), where each
rule is a constraint in FHIRPath with the extension `session-rule`; a test sees to it that this page is up to date.

A rule that does not hold is an **error** where the record contradicts itself, lacks what a receiver needs, or would tell what must stay at the
clinic: such a record is neither exported nor sent. It is a **warning** where the record is sound and the care was not as it should be:
what happened is told, and somebody should look. A clinic says otherwise in [mappings/policy.json](../mappings/policy.json): `error`,
`warning` or `off`; `ketlink check` shows what is off, so that nothing disappears in silence. All other constraints of the model are always as it
says: maps rely on them.

What holds for all rules:

- A session that was `entered-in-error` is blamed for nothing, so that it can be withdrawn whatever stands in it. Doses that were refused
  (`not-done`) or entered in error are not doses.
- **Esketamine** is a product whose word begins with `spravato` or `esketamine`, given otherwise than by injection or infusion.
- A rule about a blood pressure goes by the time of the reading, never by its label. Nobody is asked for one where the patient was not with
  the clinic (`session.class` `unsupervised` or `telehealth`).
- A session that is not finished, and that the patient has not left, is not blamed for what is still to come.
- A patient who is handed over to another facility is watched there; what a patient against advice did not wait for is not asked for.
- Where a record has more than 100 assessments, scales or doses, sedation, dissociation and breathing that have not gone, and more than 84 mg, are told once, at the first.
- Times are compared as instants: midnight and changes of the clock make no difference. Days are those of the place, as the record writes them.
"""


def rules(model):
    for element in model["differential"]["element"]:
        for constraint in element.get("constraint", []):
            for extension in constraint.get("extension", []):
                if extension["url"] == EXTENSION:
                    parts = {p["url"]: p.get("valueCode", p.get("valueString")) for p in extension["extension"]}
                    yield element["path"], constraint, parts


def faults(found):
    keys = [constraint["key"] for _, constraint, _ in found]
    for key in {key for key in keys if keys.count(key) > 1}:
        yield f"{key}: two rules have this key"
    for _, constraint, parts in found:
        key = constraint["key"]
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z0-9]+)+", key):
            yield f"{key}: no key of a rule"
        if parts.get("group") not in GROUPS:
            yield f"{key}: no group"
        for name, text in ("applies", parts.get("applies")), ("requirements", constraint.get("requirements")):
            if not text:
                yield f"{key}: no {name}"
        if not constraint["human"].endswith("."):
            yield f"{key}: its words are no sentence"


def in_order(found):
    return sorted(found, key=lambda rule: list(GROUPS).index(rule[2]["group"]))


def cell(text):
    return text.replace("|", "\\|")


def page(found):
    out = [HEAD]
    for group, title in GROUPS.items():
        out.append(f"## {title}\n\n| rule | unless the policy says otherwise | what holds | why |\n|---|---|---|---|")
        for _, constraint, parts in found:
            if parts["group"] == group:
                out.append(
                    f"| `{constraint['key']}` | {constraint['severity']} | {cell(constraint['human'])} | {cell(constraint['requirements'])} |"
                )
        out.append("")
    return "\n".join(out)


def policy(found):
    lines, last = [], None
    for _, constraint, parts in in_order(found):
        if last and parts["group"] != last:
            lines.append("")
        last = parts["group"]
        lines.append(f'    "{constraint["key"]}": "{constraint["severity"]}",')
    lines[-1] = lines[-1].rstrip(",")
    return (
        '{\n  "description": "How grave this clinic takes the rules of care: error, warning or off. docs/session-rules.md says what each of them asks for.",\n'
        '  "rules": {\n' + "\n".join(lines) + "\n  }\n}\n"
    )


def main():
    found = list(rules(json.loads(MODEL.read_text())))
    wrong = list(faults(found))
    wanted = [] if wrong else [(DOCUMENT, page(found)), (POLICY, policy(found))]
    for path, text in wanted:
        if "--update" in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(f"{path.relative_to(ROOT)} is not up to date: tests/e2e/session-rules.py --update, and read what it changed")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(found)} rules of care, {len(wrong)} faults")
    return 1 if wrong or not found else 0


sys.exit(main())
