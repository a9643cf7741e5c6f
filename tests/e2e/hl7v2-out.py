#!/usr/bin/env python3
"""Messages of HL7 v2 from the clinic's fixtures: tests/golden/hl7v2-out/NAME.hl7, a segment a line.

    hl7v2-out.py [--update]          KETLINK names the program

Of each fixture that is a good record: the messages, byte for byte, twice the same; control ids that are a digest, at most 20
characters, each once; what each part of the record says is in some message, or told as an information. Then what a destination changes:
only its messages, its names in MSH, ASCII refused where it does not do, psychotherapy notes only where they are asked for.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
PACK = ROOT / "build/definitions.pack"
faults = []


def expect(what, got, wanted):
    if got != wanted:
        faults.append(f"{what}: {got!r}, expected {wanted!r}")


def export(record, *more):
    return subprocess.run([KETLINK, "export", "--as", "hl7v2", *more, record], capture_output=True, cwd=ROOT, check=False)


def messages_of(text):
    return ["MSH" + part for part in text.split("MSH")[1:]]


def fields(message):
    return message.split("\r")[0].split("|")


def check_told(folder, done, parts):
    """What is told as not carried stands in the table of docs/hl7v2.md."""
    for line in done.stderr.decode().splitlines():
        if "unread-value" not in line:
            continue
        grave = "warning" if ".adverseEvents" in line else "information"
        expect(f"{folder.name}: severity", f" {grave} unread-value: " in line, True)
        path = re.sub(r"\[\d+\]", "", line.rpartition("[SessionRecord.")[2].removesuffix("]"))
        expect(f"{folder.name}: {path} in docs/hl7v2.md", any(path == part or path.startswith(part + ".") for part in parts), True)


def documented():
    table = (ROOT / "docs/hl7v2.md").read_text().partition("### What HL7 v2 does not carry")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {part for row in rows for part in re.findall(r"`([\w.]+)`", row)}


def check_fixture(folder, update):
    done, again = export(folder / "record.json"), export(folder / "record.json")
    text = done.stdout.decode()
    expect(f"{folder.name}: exit status", done.returncode, 0)
    expect(f"{folder.name}: twice", again.stdout, done.stdout)
    check_told(folder, done, documented())
    expect(f"{folder.name}: a line feed", "\n" in text, False)
    ids = [fields(message)[9] for message in messages_of(text)]
    expect(f"{folder.name}: control ids", (len(set(ids)), {len(one) for one in ids} <= {20}), (len(ids), True))
    lines = text.replace("\r", "\n")
    golden = ROOT / f"tests/golden/hl7v2-out/{folder.name}.hl7"
    if update:
        golden.write_text(lines)
    elif not golden.exists() or golden.read_text() != lines:
        wanted = golden.read_text().splitlines() if golden.exists() else []
        differing = [(mine, theirs) for mine, theirs in zip(lines.splitlines(), wanted) if mine != theirs][:3]
        faults.append(f"{folder.name}: not as in {golden.name}: {differing or (len(lines.splitlines()), len(wanted))}")


def check_destination(work):
    record = ROOT / "fixtures/clinic/iv-trd/record.json"
    place = work / "receiver.json"
    given = {"protocol": "mllp", "address": "127.0.0.1:1", "messages": ["ORU_R01", "MDM_T02"], "version": "2.4", "processing": "T",
             "sendingApplication": "GATE", "sendingFacility": "CLINIC^1.2.3^ISO", "receivingApplication": "EHR",
             "receivingFacility": "HOSPITAL", "acknowledge": "application", "charset": "ASCII", "tls": False}
    place.write_text(json.dumps(given))
    done = export(record, "--for", place)
    heads = [fields(message) for message in messages_of(done.stdout.decode())]
    expect("kinds", [head[8] for head in heads], ["ORU^R01^ORU_R01", "MDM^T02^MDM_T02"])
    expect("head", heads[0][2:6] + heads[0][10:12] + heads[0][14:], ["GATE", "CLINIC^1.2.3^ISO", "EHR", "HOSPITAL", "T", "2.4", "AL", "AL"])
    expect("notes", done.stdout.count(b"TXA|"), 1)
    expect("and the psychotherapy note", export(record, "--include", "psychotherapy-notes").stdout.count(b"TXA|"), 2)
    other = json.loads(record.read_text())
    other["patient"]["family"] = "Müller|^&~\\"
    other["notes"][0]["text"] = "one\r\ntwo"
    changed = work / "record.json"
    changed.write_text(json.dumps(other))
    text = export(changed).stdout.decode()
    expect("escapes", "Müller\\F\\\\S\\\\T\\\\R\\\\E\\" in text, True)
    expect("line ends in text", "one\\.br\\two" in text, True)
    quotes = work / "quotes.json"
    quotes.write_text(json.dumps(other | {"patient": other["patient"] | {"given": ['""'], "phone": '""'}}))
    done = export(quotes)
    expect("two quotation marks delete nothing", (done.returncode, '""' in done.stdout.decode(), "^\\X2222\\^" in done.stdout.decode()), (0, False, True))
    quotes.write_bytes(done.stdout)
    expect("and come back", subprocess.run([KETLINK, "export", quotes], capture_output=True, cwd=ROOT, check=False).stdout.count(b'"given":["\\"\\""]') > 0, True)
    over = work / "over.json"
    over.write_text(json.dumps(other | {"diagnoses": [*other["diagnoses"], {"id": "D8", "what": "chronic-pain", "status": "resolved"}]}))
    done = export(over)
    expect("what is over is no diagnosis", re.findall(r"\|(D[0-9])\b", "\n".join(line for line in done.stdout.decode().split("\r") if line.startswith("DG1"))), ["D1", "D2"])
    expect("and is told", b"SessionRecord.diagnoses[2].what" in done.stderr, True)
    exact = work / "exact.json"
    exact.write_text(json.dumps(other).replace('"spo2": 98', '"spo2": 9.8E1', 1).replace("T09:40:00-05:00", "T09:40:00.123456789-05:00"))
    text = export(exact).stdout.decode()
    expect("no exponent", re.findall(r"\|59408-5\^[^|]*\|V1\|([^|]*)\|", text), ["98"])
    expect("four decimals of a second", set(re.findall(r"20260311094000[.][0-9]*", text)), {"20260311094000.1234"})
    restricted = [note for note in other["notes"] if note.get("sensitivity") == "psychotherapy-note"][0]
    del restricted["sensitivity"]
    other["psychotherapy"][0].update({"note": restricted["id"], "sensitivity": "psychotherapy-note"})
    other["notes"][0]["text"] = "x" * 70000
    changed.write_text(json.dumps(other))
    done = export(changed, "--include", "psychotherapy-notes")
    txa = [line.split("|") for line in done.stdout.decode().split("\r") if line.startswith("TXA")]
    expect("very restricted by its session", [line[18] for line in txa if line[12].startswith(f'{other["session"]["id"]}/notes/{restricted["id"]}')], ["V"])
    expect("a text that is too long", "longer than the 65536 characters" in done.stderr.decode(), True)
    expect("ASCII", export(changed, "--for", place).returncode, 65)
    expect("of FHIR", export(record, "--for", "hapi").returncode, 2)
    expect("of HL7 v2", subprocess.run([KETLINK, "export", "--as", "batch", "--for", place, record], capture_output=True, cwd=ROOT,
                                       check=False).returncode, 2)
    # a correction is another message, the same record the same one
    first, second = work / "first.json", work / "second.json"
    for path, revision in ((first, 1), (second, 2)):
        other["session"]["revision"] = revision
        path.write_text(json.dumps(other))
    kinds = [[(fields(message)[8], fields(message)[9]) for message in messages_of(export(path).stdout.decode())] for path in (first, second)]
    expect("register", kinds[0][0][0], "ADT^A04^ADT_A01")
    expect("update", kinds[1][0][0], "ADT^A08^ADT_A01")
    expect("corrected", b"|C|" in export(second).stdout, True)
    oru = [[one[1] for one in side if one[0].startswith("ORU")] for side in kinds]
    expect("its control id", oru[0] != oru[1], True)


def check_taken_back(work):
    """A plan by A38, an arrival by A11: what was seen at the visit says which of them it was."""
    planned = json.loads((ROOT / "fixtures/clinic/minimal/record.json").read_text())
    measured = {"vitals": [{"id": "V1", "at": planned["session"]["start"], "by": planned["session"]["lead"], "heartRate": 72}]}
    rows = [("planned", 1, {}, ["A05"]), ("cancelled", 2, {}, ["A38", "A31"]), ("cancelled", 1, {}, ["A31"]), ("entered-in-error", 2, {}, ["A38"]),
            ("cancelled", 2, measured, ["A11", "A31"]), ("entered-in-error", 2, measured, ["A11"])]
    for status, revision, more, wanted in rows:
        path = work / "taken-back.json"
        path.write_text(json.dumps(planned | more | {"session": planned["session"] | {"status": status, "revision": revision}}))
        sent = [message for message in messages_of(export(path).stdout.decode()) if "|ADT^" in message]
        told = f"{status}, revision {revision}, {sorted(more)}"
        expect(told, [fields(message)[8].split("^")[1] for message in sent], wanted)
        segments = {line[:3]: line.split("|") for line in sent[0].split("\r")}
        expect(f"{told}: expected", len(segments["PV1"]) > 44 or "PV2" not in segments or not segments["PV2"][8], wanted[0] not in ("A05", "A38"))


def main():
    update = "--update" in sys.argv
    if not PACK.exists():
        print(f"skipped: {PACK} is not there")
        return 77
    folders = [path for path in sorted((ROOT / "fixtures/clinic").iterdir()) if (path / "expected.json").exists()]
    for folder in folders:
        check_fixture(folder, update)
    with tempfile.TemporaryDirectory(prefix="ketlink-hl7v2-") as name:
        check_destination(pathlib.Path(name))
        check_taken_back(pathlib.Path(name))
    print("\n".join(faults) if faults else f"{len(folders)} fixtures, all as expected")
    return 1 if faults else 0


sys.exit(main())
