#!/usr/bin/env python3
"""What is written beside a rejected file names places, rules and what is expected, and nothing of the record: each word, number and name
of the fixtures is a canary in its turn.

    rejected-files.py       KETLINK names the program; ketlink-relay stands beside it
"""
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed  # noqa: E402
import ehr  # noqa: E402

RELAY = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve().with_name("ketlink-relay")
PACK = ROOT / "build/definitions.pack"
CANARIES = ("Kanarienvogel", "4711471147")


def leaves(value, path=()):
    """-> where each word or number of a record stands, and each member."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name), True
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, False


def changed(record, path, is_member):
    record = copy.deepcopy(record)
    at = record
    for step in path[:-1]:
        at = at[step]
    if is_member:
        at[CANARIES[0]] = at.pop(path[-1])
    else:
        at[path[-1]] = int(CANARIES[1]) if isinstance(at[path[-1]], (int, float)) else CANARIES[0]
    return record


def mutants():
    """Of each place in the model one, whatever record has it."""
    seen = set()
    for path in sorted((ROOT / "fixtures/clinic").glob("*/record.json")):
        try:
            record = json.loads(path.read_text())
        except ValueError:
            continue
        for where, is_member in leaves(record):
            shape = (tuple(step for step in where if isinstance(step, str)), is_member)
            if shape not in seen:
                seen.add(shape)
                yield json.dumps(changed(record, where, is_member))


def message_mutants():
    """Each component of each message, and each name of a segment."""
    for path in sorted((ROOT / "fixtures/hl7v2").glob("*/message.hl7")):
        lines = path.read_bytes().decode("latin-1").replace("\n", "\r").split("\r")
        for number, line in enumerate(lines):
            fields = line.split("|")
            for place in range(1, len(fields)):
                if fields[place] and not (number == 0 and place < 3):
                    other = "|".join([*fields[:place], "^".join(CANARIES[0] for _ in fields[place].split("^")), *fields[place + 1:]])
                    yield "\r".join([*lines[:number], other, *lines[number + 1:]])


def pieces(texts, end):
    """Files with so many records each."""
    texts = list(texts)
    return [end.join(texts[at:at + 60]) + end for at in range(0, len(texts), 60)]


def main():
    if not RELAY.exists() or not PACK.exists():
        print(f"skipped: {RELAY} or {PACK} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="ketlink-rejected-") as folder:
        work = pathlib.Path(folder) / "relay"
        work.mkdir()
        certs = pathlib.Path(folder) / "certs"
        subprocess.run([ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        server = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        bed.prepare(work, PACK, {"hospital": server})
        files = {f"r{number:03}.ndjson": text for number, text in enumerate(pieces(mutants(), "\n"))}
        files |= {f"m{number:03}.hl7": text for number, text in enumerate(pieces(message_mutants(), "\r"))}
        for name, text in files.items():
            (work / "drop" / name).write_text(text, encoding="latin-1", newline="")
        relay = bed.Relay(RELAY, work)
        relay.start()
        try:
            bed.wait_for(lambda: not [path for path in (work / "drop").iterdir() if path.is_file()], 60)
        finally:
            status = relay.stop()
        server.stop()
        written = list((work / "drop/rejected").glob("*.diagnostics.json"))
        findings = [finding for path in written for finding in json.loads(path.read_text())]
        bad = [finding for finding in findings if any(canary in json.dumps(finding) for canary in CANARIES)]
        for finding in {finding["code"]: finding for finding in bad}.values():
            print("a canary:", json.dumps(finding))
        bare = [finding for finding in findings if "…" in finding["message"]]
        print(f"rejected-files: {len(written)} of {len(files)} files rejected, {len(findings)} findings, {len(bare)} without their value, {len(bad)} canaries")
        log = (work / "log").read_text()
        return 1 if bad or status or not bare or not written or any(canary in log for canary in CANARIES) else 0


if __name__ == "__main__":
    sys.exit(main())
