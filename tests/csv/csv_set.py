#!/usr/bin/env python3
"""Session records in JSON -> a set of CSV files, by the description in mappings/csv (or another one).

    csv_set.py [--description FILE] [--own-tables] -o FOLDER record.json…

Writes what a clinic's software would: a row for each item, keys first. Numbers keep their text. A record that has
something no column takes is refused, so that nothing is left out unsaid. --own-tables writes clinic, patient and staff a row
for each session, and beside the set, as FOLDER.json, the description that says so: records that disagree about a table can
then stand in one set."""
import argparse
import csv
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Number(str):
    """A number as it was written."""


def load(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Number, parse_int=Number)


def cell(value):
    if value is True or value is False:
        return str(value).lower()
    return value


def column_path(column):
    return column if isinstance(column, str) else (column or {}).get("element")


def is_table(description, name):
    files = description["files"]
    while "of" in files[name]:
        name = next(iter(files[name]["of"]))
    return name != next(iter(files))


class Writer:
    def __init__(self, description):
        self.files = description["files"]
        self.rows = {name: {} for name in self.files}  # by key: tables have a row once
        self.root = next(iter(self.files))
        self.taken = set()

    def elements(self, name):
        """Word of the choice -> path of the item."""
        element = self.files[name].get("element")
        return element if isinstance(element, dict) else {None: element}

    def below(self, name):
        return [child for child, file in self.files.items() if name in file.get("of", {})]

    def put(self, name, item, item_path, keys):
        """A row of an item; what stands in it is taken."""
        file, row = self.files[name], dict(keys)
        lists = {}
        for heading, column in file["columns"].items():
            path = column_path(column)
            if heading in row or path is None:
                continue
            value, where = item, item_path
            for step in [] if path == "." else path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
                where += (step,)
            if isinstance(value, list):
                index = lists.setdefault(path, 0)
                lists[path] += 1
                where += (index,)
                value = value[index] if index < len(value) else None
            if value is None:
                continue
            self.taken.add(where)
            row[heading] = cell(value)
        key = tuple(row.get(k, "") for k in file["key"])
        before = self.rows[name].setdefault(key, row)
        if before != row:
            raise SystemExit(f"{name}: two rows of the key {key} differ")
        return row

    def items(self, record, path):
        """What stands at a path of the record, with the path to each."""
        found = [(record, ())]
        for step in path.split("."):
            after = []
            for value, where in found:
                inner = value.get(step)
                if isinstance(inner, list):
                    after += [(item, where + (step, index)) for index, item in enumerate(inner)]
                elif inner is not None:
                    after.append((inner, where + (step,)))
            found = after
        return found

    def put_below(self, record, name, parent_row, parent_path):
        """All files whose rows hang below one row."""
        for child in self.below(name):
            file = self.files[child]
            by = file["of"][name]
            keys = {mine: parent_row[theirs] for mine, theirs in zip(by, self.files[name]["key"])}
            for word, path in self.elements(child).items():
                if path is None:
                    continue
                for item, where in self.items(record, path):
                    if where[: len(parent_path)] != parent_path:
                        continue
                    mine = dict(keys)
                    if word is not None:
                        mine[file["choose"]] = word
                    if not isinstance(item, dict) and word == "cpt" and not item[0].isdigit():
                        continue
                    if word == "hcpcs" and item[0].isdigit():
                        continue
                    row = self.put(child, item, where, mine)
                    self.put_below(record, child, row, where)

    def add(self, record):
        self.taken = {("format",)}
        session = record["session"]
        references = {}
        for heading, column in self.files[self.root]["columns"].items():
            if isinstance(column, dict) and "refers" in column and "element" not in column:
                table = self.files[column["refers"]]
                references[heading] = record[table["element"]][table["columns"][table["key"][0]]]
        row = self.put(self.root, session, ("session",), references)
        for name, file in self.files.items():
            if name == self.root or "of" in file:
                continue
            for item, where in self.items(record, file["element"]):
                self.put_below(record, name, self.put(name, item, where, {}), where)
        self.put_below(record, self.root, row, ())
        self.add_staff(record, row)
        self.check(record)

    def add_staff(self, record, row):
        """Staff whom no cell names."""
        for name, file in self.files.items():
            if "element" in file:
                continue
            named = json.dumps({k: v for k, v in record.items() if k != "staff"})
            for person in record.get("staff", []):
                if f'"{person["id"]}"' not in named:
                    self.put(name, {}, (), {file["key"][0]: row[file["key"][0]], file["key"][1]: person["id"]})

    def check(self, record):
        def walk(value, where):
            if isinstance(value, dict):
                for name, inner in value.items():
                    yield from walk(inner, where + (name,))
            elif isinstance(value, list):
                for index, inner in enumerate(value):
                    yield from walk(inner, where + (index,))
            else:
                yield where
        left = [where for where in walk(record, ()) if where not in self.taken]
        if left:
            raise SystemExit(f"no column takes {left}")

    def write(self, folder, description):
        folder.mkdir(parents=True, exist_ok=True)
        encoding = description.get("charset", "UTF-8")
        for name, rows in self.rows.items():
            if not rows and name != self.root:
                continue
            headings = list(self.files[name]["columns"])
            with open(folder / name, "w", encoding=encoding, newline="") as out:
                writer = csv.writer(out, delimiter=description.get("delimiter", ","), lineterminator="\n")
                writer.writerow(headings)
                writer.writerows([row.get(h, "") for h in headings] for row in rows.values())


def own_tables(description):
    """clinic, patient, contacts and staff of each session by itself."""
    files = description["files"]
    root = next(iter(files))
    key = files[root]["key"][0]
    changed = {}
    tables = {name for name in files if is_table(description, name)}
    for name, file in files.items():
        if name in tables:
            file["columns"] = {key: None, **file["columns"]}
            file["of"] = {parent: [key] + by for parent, by in file["of"].items()} if "of" in file else {root: [key]}
            file["key"] = [key] + file["key"]
        for heading in list(file["columns"]):
            column = file["columns"][heading]
            if isinstance(column, dict) and "refers" in column:
                del column["refers"]
                if "element" not in column:
                    del file["columns"][heading]
        if "element" in file:
            changed[name] = file
    # the key of a file below another one is all of that one's: contacts hang below patients by both columns
    for file in changed.values():
        for parent in file.get("of", {}):
            wanted = len(changed[parent]["key"])
            file["of"][parent] = file["of"][parent][:wanted]
    description["files"] = changed
    return description


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--description", type=pathlib.Path, default=ROOT / "mappings/csv/session-record.json")
    parser.add_argument("--own-tables", action="store_true")
    parser.add_argument("--sort", action="store_true", help="all files by the session's key, in the order of bytes")
    parser.add_argument("-o", dest="folder", type=pathlib.Path, required=True)
    parser.add_argument("records", type=pathlib.Path, nargs="+")
    options = parser.parse_args(arguments)
    description = json.loads(options.description.read_text(encoding="utf-8"))
    if options.own_tables:
        description = own_tables(description)
        options.folder.with_suffix(".json").write_text(json.dumps(description), encoding="utf-8")
    writer = Writer(description)
    records = [load(path) for path in options.records]
    if options.sort:
        records.sort(key=lambda record: record["session"]["id"].encode())
    for record in records:
        writer.add(record)
    writer.write(options.folder, description)


if __name__ == "__main__":
    sys.exit(main())
