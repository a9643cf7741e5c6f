#!/usr/bin/env python3
"""Reads HL7 v2 messages with ketlink, HAPI HL7 v2 and hl7apy: the same values at all places?

usage: hl7v2.py VALUES PACK [--python PYTHON]

VALUES is the program hl7v2_values. Messages: the open ones ($KETLINK_CONFORMANCE or ../shared/conformance, if there) and generated ones (delimiters, escapes, repetitions, parts that types do not have). A difference needs a reason that
is written down here; any other fails. Exit status: 0 the same, 1 differences, 77 skipped: none of the other
engines is there.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
MOST_SHOWN = 20
GENERATED = 250
SHARE_OF_HL7APY = 4  # it takes 30 ms a message


# --- messages

def open_messages():
    data = pathlib.Path(os.environ.get("KETLINK_CONFORMANCE") or ROOT / "../shared/conformance") / "hl7v2"
    for path in sorted(data.rglob("*.hl7")):
        text = path.read_bytes()
        try:
            yield from split(text.decode("utf-8-sig"))
        except UnicodeDecodeError:
            yield from split(text.decode("latin-1"))


def split(text):
    """Messages of a file, one line end for all; what is no message is left to tests of ours."""
    message = []
    for line in re.split(r"\r\n|\r|\n", text):
        if re.match(r"(MSH|FHS|BHS|BTS|FTS)(\W|$)", line) and message:
            yield "\r".join(message) + "\r"
            message = []
        if line.startswith("MSH") or (message and line.strip()):
            message.append(line)
    if message:
        yield "\r".join(message) + "\r"


def generated():
    dice = random.Random(20)
    segments = ["PID", "NK1", "PV1", "OBX", "AL1", "DG1", "ZPI"]
    for _ in range(GENERATED):
        usual = dice.random() < 0.4
        field, component, repetition, escape, part = "|^~\\&" if usual else dice.sample("|^~\\&$%*!@+;:", 5)
        words = ["a", "b c", "12.5", "é", "X", "", '""', "2024", f"{escape}F{escape}", f"{escape}S{escape}x", f"{escape}T{escape}",
                 f"{escape}R{escape}", f"y{escape}E{escape}z"]

        def value():
            return part.join(dice.choice(words) for _ in range(dice.choice([1, 1, 1, 2, 3])))

        def one():
            return component.join(value() for _ in range(dice.choice([1, 1, 2, 3, 8])))

        lines = [f"MSH{field}{component}{repetition}{escape}{part}{field * 7}ADT{component}A01{field}1{field}P{field}2.5"]
        for name in segments:
            if name != "PID" and dice.random() < 0.4:
                continue
            fields = [repetition.join(one() for _ in range(dice.choice([1, 1, 1, 2, 4]))) for _ in range(dice.randrange(1, 12))]
            if name == "OBX":
                fields = [*fields, "", "", "", ""][:4] + [dice.choice(words[:5])]  # engines part on components of a text
                fields[1] = dice.choice(["ST", "NM", "CE", "TX"])
            lines.append(name + field + field.join(fields))
        yield "\r".join(lines) + "\r"


# --- engines

def answers(command, names=None, environment=None):
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=names, env={**os.environ, **(environment or {})})
    if done.returncode == SKIPPED:
        return None
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr[-2000:]}")
    read = (json.loads(line) for line in done.stdout.splitlines())
    return {answer["file"]: answer for answer in read}


# --- differences with a reason

# What one of the engines says of a message that the other reads: (engine, beginning of what it says, reason).
REFUSED = [
    ("hapi", "ca.uhn.hl7v2.parser.EncodingNotSupportedException", "HAPI knows ER7 by MSH| alone or wants four delimiters"),
    ("hapi", "ca.uhn.hl7v2.HL7Exception: Invalid or incomplete encoding characters", "HAPI wants four delimiters in MSH-2"),
    ("hapi", "ca.uhn.hl7v2.HL7Exception: Can't find version ID", "HAPI wants a version in MSH-12"),
    ("hapi", "ca.uhn.hl7v2.HL7Exception: Can't determine message structure", "HAPI wants MSH-9"),
    ("hapi", "ca.uhn.hl7v2.HL7Exception: The HL7 version", "HAPI knows the version's name only without more behind it"),
    ("hl7apy", "InvalidEncodingChars: Invalid encoding chars: Found 5", "hl7apy takes a truncation character from 2.7 on only"),
    ("hl7apy", "InvalidEncodingChars: Invalid encoding chars: Missing", "hl7apy wants four delimiters in MSH-2"),
    ("hl7apy", "InvalidName", "hl7apy refuses a segment that it does not know"),
    ("hl7apy", "UnsupportedVersion", "hl7apy knows the version's name only without more behind it"),
]
OURS = "two delimiters are the same character"  # HAPI guesses, hl7apy refuses too


def why_refused(engine, ours, theirs):
    if ours == OURS:
        return f"refused by ours: {ours}"
    return next((reason for who, said, reason in REFUSED if who == engine and not ours and theirs and theirs.startswith(said)), None)


def resolved(text):
    """What HAPI leaves as it stands."""
    def hexadecimal(match):
        return bytes.fromhex(match[1]).decode("utf-8", "replace")
    return re.sub(r"\\X((?:[0-9A-Fa-f]{2})+)\\", hexadecimal, re.sub(r"\\[HN]\\", "", text.replace("\\.br\\", "\n")))


def is_number(text):
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text)


def why_hapi(text, _raw, said):
    if text is not None and (said or "") == text.lstrip():
        return "HAPI takes away blanks before a value"
    if text and said and resolved(said) == text:
        return "HAPI leaves \\.br\\, \\H\\, \\N\\ and \\X..\\ as they stand"
    return None


def why_hl7apy(_text, raw, said):
    if raw is not None and (said or "").strip() == raw.strip():
        return "hl7apy takes away blanks"
    if raw and said and said.replace("\\E\\", "\\") == raw:
        return "hl7apy writes escapes anew that it does not know"
    if raw and said and is_number(raw) and is_number(said) and float(raw) == float(said):
        return "hl7apy writes numbers anew"
    return None


WHY = {"hapi": why_hapi, "hl7apy": why_hl7apy}


# --- comparing

def by_repetition(values):
    """Repetitions with their places and texts, in order."""
    found = collections.defaultdict(list)
    for place, texts in values.items():
        repetition, component, part = place.rsplit(".", 2)
        found[repetition].append((int(component), int(part), texts))
    return {repetition: sorted(items, key=lambda item: item[:2]) for repetition, items in found.items()}


def compare_repetition(engine, mine, other, unplaced, reasons):
    """None, or what differs."""
    column = 1 if engine == "hl7apy" else 0
    ours, theirs = [texts[column] for *_, texts in mine], [texts[0] for *_, texts in other]
    if [item[:2] for item in mine] == [item[:2] for item in other]:
        for (_, _, (text, raw)), said in zip(mine, theirs):
            reason = "same" if said == (raw if column else text) else WHY[engine](text, raw, said)
            reasons[reason] += 1
            if not reason:
                return f"{text!r} ({raw!r}), theirs {said!r}"
        return None
    if engine == "hapi" and any(part > 1 for _, part, _ in mine) and not collections.Counter(theirs) - collections.Counter(ours):
        reasons["HAPI has no places of their own for subcomponents of a primitive type"] += len(ours)
        return None
    kept = [(text, raw) for *_, (text, raw) in mine if not any(raw in one for one in unplaced)]
    if engine == "hl7apy" and [raw for _, raw in kept] == [text for text in theirs if text in (raw for _, raw in kept)]:
        reasons["hl7apy has no place for what its version does not know"] += len(ours)
        return None
    left = [why for *_, (text, raw) in mine for why in [WHY[engine](text, raw, None)] if why]
    if len(left) == len(ours) and not theirs:
        reasons[left[0]] += len(left)
        return None
    return f"{ours!r}, theirs {theirs!r}"


def compare(engine, ours, theirs, reasons):
    """What differs for no reason that is written down."""
    faults = []
    for file, other in theirs.items():
        mine = ours[file]
        if "error" in mine or "error" in other:
            reason = why_refused(engine, mine.get("error"), other.get("error"))
            reasons[reason] += 1
            if not reason:
                faults.append(f"{engine} {file}: ours {mine.get('error', 'read')}, theirs {other.get('error', 'read')}")
            continue
        ours_by, theirs_by = by_repetition(mine["values"]), by_repetition(other["values"])
        for repetition in sorted(ours_by.keys() | theirs_by.keys()):
            unplaced = other.get("unplaced", {}).get(repetition.split("-")[0], [])
            fault = compare_repetition(engine, ours_by.get(repetition, []), theirs_by.get(repetition, []), unplaced, reasons)
            if fault:
                faults.append(f"{engine} {pathlib.Path(file).name} {repetition}: ours {fault}")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("values")
    parser.add_argument("pack")
    parser.add_argument("--python")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, text in enumerate([*open_messages(), *generated()]):
            files.append(f"{folder}/{number}.hl7")
            pathlib.Path(files[-1]).write_text(text, newline="")
        names = "".join(f"{file}\n" for file in files)
        ours = answers([given.values, given.pack, *files])
        if ours is None:
            sys.exit(SKIPPED)
        engines = {"hapi": answers([ROOT / "tests/servers/hl7v2/run.sh", "values"], names)}
        if given.python:
            usual = [file for file in files if pathlib.Path(file).read_text().startswith("MSH|^~\\&|")]  # else it escapes anew
            some = "".join(f"{file}\n" for file in usual[::SHARE_OF_HL7APY])
            engines["hl7apy"] = answers([given.python, ROOT / "tests/oracles/hl7v2_apy.py"], some)
        faults, compared = [], 0
        for engine, theirs in engines.items():
            if theirs is None:
                print(f"{engine}: skipped")
                continue
            reasons = collections.Counter()
            compared += 1
            faults += compare(engine, ours, theirs, reasons)
            print(f"{engine}: {len(theirs)} messages, {reasons.pop('same', 0)} values the same")
            for reason, count in sorted(reasons.items(), key=str):
                print(f"  {count} {reason or 'DIFFERENT'}")
    print("\n".join(faults[:MOST_SHOWN]))
    if not compared:
        sys.exit(SKIPPED)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
