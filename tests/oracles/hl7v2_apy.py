"""All values of HL7 v2 messages as hl7apy reads them: hl7v2_apy.py < names of files. One line of JSON a file: { "file", "values": {
"PID[1]-3[1].1.1": [ text as it stands ] }, "unplaced": { "PID[1]": [ text ] } }, or { "file", "error" }. hl7apy resolves no escapes, and
gives no number to what the version of the message has withdrawn or never had: that is `unplaced`."""
import collections
import json
import sys

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import get_message_info, parse_segment


def number(element, alone=False):
    """From its name: PID_3, CX_1; one that is named by its type, as ST, is the first if there is no other. None: it has none."""
    if not element.name:
        return None
    digits = element.name.rsplit("_", 1)[-1]
    return int(digits) if digits.isdigit() else 1 if alone else None


def leaves(element, place, unplaced):
    """(numbers, text) below a field."""
    if not element.children:
        yield place, element.to_er7()
    for child in element.children:
        at = number(child, len(element.children) == 1)
        if at is None:
            unplaced.append(child.to_er7())
        else:
            yield from leaves(child, (*place, at), unplaced)


def place_of(segment, field, repetition, numbers):
    component, part = (*numbers, 1, 1)[:2]
    return f"{segment}-{field}[{repetition}].{component}.{part}"


def read_segment(line, name, found, unplaced, how):
    segment, repetitions = parse_segment(line, validation_level=VALIDATION_LEVEL.TOLERANT, **how), collections.Counter()
    for field in segment.children:
        at = number(field)
        if at is None:
            unplaced.append(field.to_er7())
            continue
        repetitions[at] += 1
        if line.startswith("MSH") and at < 3:
            continue
        for numbers, text in leaves(field, (), unplaced):
            if text:
                found[place_of(name, at, repetitions[at], numbers)] = [text]


def read(text):
    characters, _, version = get_message_info(text)
    how = {"version": version, "encoding_chars": characters}
    seen, found, unplaced = collections.Counter(), {}, collections.defaultdict(list)
    for line in filter(None, text.split("\r")):
        seen[line[:3]] += 1
        name = f"{line[:3]}[{seen[line[:3]]}]"
        read_segment(line, name, found, unplaced[name], how)
    return {"values": found, "unplaced": unplaced}


def main():
    for path in sys.stdin.read().split():
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        try:
            answer = read(text)
        except (HL7apyException, ValueError, KeyError, IndexError, AttributeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"file": path, **answer}))


main()
