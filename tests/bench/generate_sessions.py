#!/usr/bin/env python3
"""generate_sessions.py [--seed N] COUNT FOLDER: made-up sessions, the same on each run, as FOLDER/set (CSV) and FOLDER/sessions.ndjson.

Each is one of a few good fixtures with a date, a patient, weights, doses, readings and answers of its own; a patient comes eight
times. Nobody is real. A fixture is turned into rows and a line once, with tokens where sessions differ, and these are filled in."""
import argparse
import copy
import csv
import datetime
import decimal
import io
import json
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/csv"))
import csv_set  # noqa: E402

TEMPLATES = [("iv-trd", 70), ("esketamine-56mg-rems", 15), ("telehealth-consult", 10), ("follow-up-integration", 5)]
FAMILIES = "Sample Example Placeholder Fiction Specimen Template Invented Nobody Pattern Model".split()
GIVEN = "Alex Robin Sam Kim Jamie Taylor Casey Morgan Riley Quinn".split()
DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(T.*)?$")
TOKEN = re.compile(r"<<([^>]*)>>")
RANGES = {"systolic": (105, 138), "diastolic": (62, 88), "heartRate": (58, 96), "respiratoryRate": (12, 18), "spo2": (95, 100)}
Number = csv_set.Number


def dump(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dump(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def date_tokens(value, day):
    """All whole dates and times, as days after the session's."""
    if isinstance(value, dict):
        return {k: v if k in ("birthDate", "id") else date_tokens(v, day) for k, v in value.items()}
    if isinstance(value, list):
        return [date_tokens(v, day) for v in value]
    match = DATE.match(value) if isinstance(value, str) and not isinstance(value, Number) else None
    if not match:
        return value
    return f"<<d{(datetime.date.fromisoformat(match[1]) - day).days}>>" + (match[2] or "")


def reading_tokens(record):
    for index, row in enumerate(record.get("vitals", [])):
        for name, (low, high) in RANGES.items():
            if name in row:
                row[name] = Number(f"<<n{index}{name}:{low}:{high}>>")
        if "temperatureC" in row:
            row["temperatureC"] = Number(f"36.<<n{index}t:2:9>>")
    for scale in record.get("scales", []):
        if scale["scale"] == "phq-9" and "items" in scale:
            for index, item in enumerate(scale["items"]):
                item["score"] = Number(f"<<q{index}>>")
            scale["total"] = Number("<<qsum>>")


def weight_tokens(record):
    """The infusion by weight: half a milligram a kilogram, 2.50 mg wasted."""
    record["order"].update(weightKg=Number("<<kg>>"), calculatedMg=Number("<<mg>>"))
    record["doses"][0].update(plannedMg=Number("<<mg>>"), givenMg=Number("<<mg>>"), givenMl=Number("<<ml>>"))
    record["waste"][0]["drawnMg"] = Number("<<drawn>>")
    for row in record["vitals"]:
        if "weightKg" in row:
            row["weightKg"] = Number("<<kg>>")


def tokens_of(record, clinic, staff):
    day = datetime.date.fromisoformat(record["session"]["start"][:10])
    record = date_tokens(copy.deepcopy(record), day)
    record["clinic"] = clinic
    record["session"].update(id="<<sid>>", number=Number("<<number>>"))
    record["patient"] = {"mrn": "<<mrn>>", "family": "<<family>>", "given": ["<<given>>"], "birthDate": "<<birth>>", "sex": "<<sex>>",
                         "phone": "<<phone>>", "contacts": [{"id": "R1", "role": "escort", "name": "<<escort>>",
                                                             "relationship": "spouse", "phone": "<<escortphone>>"}]}
    record["staff"] = [person for key, person in staff.items() if any(p["id"] == key for p in record["staff"])]
    reading_tokens(record)
    if "waste" in record and record["waste"][0]["drawnMg"] == "40.00":
        weight_tokens(record)
    return record


class Template:
    """A line of JSON, and the rows of each file, with tokens."""

    def __init__(self, record, description):
        writer = csv_set.Writer(description)
        writer.add(record)
        self.rows = {name: self.text(description, name, rows) for name, rows in writer.rows.items() if rows}
        self.names = [name for name in self.rows if not csv_set.is_table(description, name)]
        self.whole = "\x1e".join([dump(record) + "\n"] + [self.rows[name] for name in self.names])

    @staticmethod
    def text(description, name, rows):
        out = io.StringIO()
        headings = list(description["files"][name]["columns"])
        csv.writer(out, lineterminator="\n").writerows([row.get(h, "") for h in headings] for row in rows.values())
        return out.getvalue()


class Values:
    """What stands for the tokens of one session."""

    def __init__(self, generator, index):
        self.random = generator.random
        self.day = datetime.date(2024, 1, 2) + datetime.timedelta(index // 150)
        self.known = {"sid": f"S-{index:07d}", "number": str(index % 8 + 1)}
        self.known.update(generator.patient(index // 8))
        weight = decimal.Decimal(self.random.randint(100, 220)) / 2
        mg = (weight / 2).quantize(decimal.Decimal("0.01"))
        self.known.update(kg=f"{weight:.1f}", mg=str(mg), ml=str(mg / 50), drawn=str(mg + decimal.Decimal("2.50")))
        scores = [self.random.randint(0, 3) for _ in range(9)]
        self.known.update({f"q{i}": str(score) for i, score in enumerate(scores)}, qsum=str(sum(scores)))

    def __call__(self, match):
        name = match[1]
        if name not in self.known:
            if name[0] == "d":
                self.known[name] = (self.day + datetime.timedelta(int(name[1:]))).isoformat()
            else:
                _, low, high = name.split(":")
                self.known[name] = str(self.random.randint(int(low), int(high)))
        return self.known[name]


class Generator:
    def __init__(self, seed, description):
        self.random = random.Random(seed)
        self.description = description
        records = [csv_set.load(ROOT / f"fixtures/clinic/{name}/record.json") for name, _ in TEMPLATES]
        staff = {}
        for record in records:
            for person in record["staff"]:
                staff.setdefault(person["id"], person)
        self.templates = [Template(tokens_of(r, records[0]["clinic"], staff), description) for r in records]

    @staticmethod
    def patient(number):
        mine = random.Random(number)
        choose, between = mine.choice, mine.randint
        return {"mrn": f"MRN-{number:06d}", "family": choose(FAMILIES), "given": choose(GIVEN),
                "birth": f"{between(1945, 2004)}-{between(1, 12):02d}-{between(1, 28):02d}", "sex": choose(["female", "male"]),
                "phone": f"+1-555-555-{between(100, 199):04d}", "escort": f"{choose(GIVEN)} {choose(FAMILIES)}",
                "escortphone": f"+1-555-555-{between(100, 199):04d}"}

    def write(self, count, folder):
        (folder / "set").mkdir(parents=True, exist_ok=True)
        weights = [weight for _, weight in TEMPLATES]
        files = {}
        for name, file in self.description["files"].items():
            if any(name in template.rows for template in self.templates):
                files[name] = open(folder / "set" / name, "w", encoding="utf-8")
                files[name].write(",".join(file["columns"]) + "\n")
        for name in ("clinic.csv", "staff.csv"):
            rows = {row: None for template in self.templates for row in template.rows[name].splitlines(keepends=True)}
            files[name].writelines(rows)
        with open(folder / "sessions.ndjson", "w", encoding="utf-8") as lines:
            for index in range(count):
                template, values = self.random.choices(self.templates, weights)[0], Values(self, index)
                line, *rows = TOKEN.sub(values, template.whole).split("\x1e")
                lines.write(line)
                for name, text in zip(template.names, rows):
                    files[name].write(text)
                if index % 8 == 0:
                    for name in ("patients.csv", "contacts.csv"):
                        files[name].write(TOKEN.sub(values, template.rows[name]))
        for file in files.values():
            file.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    description = json.loads((ROOT / "mappings/csv/session-record.json").read_text(encoding="utf-8"))
    Generator(options.seed, description).write(options.count, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
