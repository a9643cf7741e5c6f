#!/usr/bin/env python3
"""Each value of a record stands on its page as a text: numbers and texts to the letter, words by their letters and digits.
usage: report-complete.py FIXTURES PAGES"""
import html.parser
import json
import pathlib
import re
import sys

# Not for a page about a session: what identifies the format, where people live, numbers of prescribers and of the clinic.
LEFT_OUT = {"format", "clinic.id", "clinic.npi", "clinic.phone", "clinic.address", "patient.phone", "patient.address",
            "patient.language", "patient.race", "patient.ethnicity", "staff.dea"}
# Said in other words: weightKg is "weight", [degF] is "°F".
IN_OTHER_WORDS = re.compile(r"\w+\.converted\.(field|unit)")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?.*")


class Texts(html.parser.HTMLParser):
    """All texts outside the picture and the head."""

    def __init__(self):
        super().__init__()
        self.texts, self.hidden = [], 0

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("svg", "style", "head")
        if tag in ("td", "th", "dd", "p", "div"):
            self.texts.append(" | ")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("svg", "style", "head")

    def handle_data(self, data):
        if not self.hidden:
            self.texts.append(data)


def leaves(node, path=()):
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, path + (name,))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield ".".join(path), node


def letters(text):
    return re.sub(r"[\W_]+", "", text.lower())


def is_there(value, text, plain, record, ids):
    if isinstance(value, bool):
        return True  # yes and no: test_page.c
    value = str(value)
    if value in ids:
        return True  # a reference: shown by name
    match = TIME.fullmatch(value)
    if match:
        return match[2] in text
    if re.fullmatch(r"[a-z0-9-]+", value):
        return letters(value) in plain
    return value in text


def main():
    fixtures, pages = map(pathlib.Path, sys.argv[1:])
    faults, count = [], 0
    for page in sorted(pages.glob("*.html")):
        record = json.loads((fixtures / page.stem / "record.json").read_text(), parse_float=str, parse_int=str)
        parser = Texts()
        parser.feed(page.read_text())
        text = "".join(parser.texts)
        plain = letters(text)
        ids = {value for path, value in leaves(record) if path.endswith(".id") and not path.startswith(("session", "clinic"))}
        for path, value in leaves(record):
            if IN_OTHER_WORDS.fullmatch(path) or path in LEFT_OUT or any(path.startswith(f"{left}.") for left in LEFT_OUT):
                continue
            count += 1
            if not is_there(value, text, plain, record, ids):
                faults.append(f"{page.stem}: {path}: {value} is not on the page")
    print("\n".join(faults))
    print(f"{count} values of {len(list(pages.glob('*.html')))} records, {len(faults)} not on their page")
    return 1 if faults or not count else 0


sys.exit(main())
