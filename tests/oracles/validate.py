#!/usr/bin/env python3
"""Compares the verdicts of ketlink and of HAPI's validator on the R4 example instances (npm hl7.fhir.r4.examples) and on fixtures/.

usage: validate.py KETLINK                what ketlink says against HAPI's recorded answers, all examples
       validate.py KETLINK --live STEP    HAPI itself judges each STEP-th example, one of each type, and the Bundles of fixtures/
       validate.py KETLINK --record       asks HAPI about all examples and writes data/r4-examples.tsv again (half an hour)

HAPI takes long, so its answers are recorded; the live run proves that they are still its answers. A verdict is invalid when there is an
error. At least 98 % of the verdicts must agree, and each one that does not must stand in data/r4-examples-known.tsv with its reason.
Exit status: 0 so it is, 1 not, 77 skipped: no examples, no Java, no Maven or no definition pack.
"""
import argparse
import collections
import hashlib
import sys

import verdicts

RECORD = verdicts.HERE / "data" / "r4-examples.tsv"
KNOWN = verdicts.HERE / "data" / "r4-examples-known.tsv"
FIXTURES = verdicts.ROOT / "fixtures" / "clinic"
REQUIRED_SHARE = 0.98
HAPI_BYTES_MAX = 2_000_000  # above, HAPI takes minutes for each
LIVE_BYTES_MAX = 100_000

Record = collections.namedtuple("Record", "errors unjudged identity")


def identity(files):
    """Names and contents of the examples, so that a record of other ones is noticed."""
    digest = hashlib.sha256()
    for name, file in files.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def read_record():
    """Places of HAPI's errors by file: files that are not named have none."""
    errors, unjudged, known_identity = {}, set(), ""
    for line in RECORD.read_text().splitlines():
        if line.startswith("#"):
            continue
        word, name, *paths = line.split("\t")
        if word == "error":
            errors[name] = set(paths)
        elif word == "unjudged":
            unjudged.add(name)
        elif word == "examples":
            known_identity = name
    return Record(errors, unjudged, known_identity)


def read_known():
    rows = (line.split("\t") for line in KNOWN.read_text().splitlines() if not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


# --- record ---


def record():
    files = verdicts.examples()
    small = {name: file for name, file in files.items() if file.stat().st_size <= HAPI_BYTES_MAX}
    lines = ["# HAPI's answers on the R4 examples, written by `validate.py KETLINK --record`: errors by file; files not named have none",
             f"examples\t{identity(files)}"]
    for number, (name, found) in enumerate(zip(small, verdicts.hapi([{"file": str(f)} for f in small.values()]))):
        if found is None:
            lines.append(f"unjudged\t{name}\tHAPI fails")
        elif found:
            lines.append("\t".join(["error", name, *sorted(verdicts.places(found))]))
        print(f"\r{number + 1} of {len(small)}", end="", file=sys.stderr)
    lines += [f"unjudged\t{name}\ttoo large for HAPI" for name in files if name not in small]
    RECORD.write_text("\n".join(lines) + "\n")


# --- comparing ---


class Score:
    def __init__(self):
        self.same = self.same_places = self.both_invalid = 0
        self.different = []

    def add(self, name, ours, theirs, texts):
        if bool(ours) != bool(theirs):
            self.different.append((name, ours, theirs, texts))
            return
        self.same += 1
        if ours:
            self.both_invalid += 1
            self.same_places += ours == theirs

    def count(self):
        return self.same + len(self.different)

    def share(self):
        return self.same / max(1, self.count())


def against_record(ketlink):
    files, recorded = verdicts.examples(), read_record()
    if not files:
        verdicts.skip("no R4 examples: npm ci in tests/oracles/examples")
    if identity(files) != recorded.identity:
        sys.exit("the record is of other examples: validate.py KETLINK --record")
    score = Score()
    judged = {name: file for name, file in files.items() if name not in recorded.unjudged}
    for name, found in zip(judged, verdicts.ketlink(ketlink, list(judged.values()))):
        score.add(name, verdicts.places(found), recorded.errors.get(name, set()), found)
    return report(score, read_known(), len(files) - len(judged))


def report(score, known, unjudged):
    unexplained = [row for row in score.different if row[0] not in known]
    print(f"{score.same} of {score.count()} verdicts agree ({score.share():.2%}), {unjudged} examples HAPI has not judged; "
          f"{score.both_invalid} invalid for both, {score.same_places} of them at the same places")
    for reason, count in collections.Counter(known[row[0]] for row in score.different if row[0] in known).most_common():
        print(f"  {count} known: {reason}")
    for name, ours, theirs, texts in unexplained:
        print(f"  {name}: ketlink {' '.join(sorted(ours)) or 'valid'}, HAPI {' '.join(sorted(theirs)) or 'valid'}"
              + (f": {texts[0].text[:150]}" if texts else ""))
    for name in known.keys() - {row[0] for row in score.different}:
        print(f"  {name} agrees now: take it out of {KNOWN.name}")
    return score.share() >= REQUIRED_SHARE and not unexplained


# --- live ---


def live_sample(files, step, recorded):
    chosen, types = {}, set()
    for number, (name, file) in enumerate(files.items()):
        kind = name.partition("-")[0]
        if name in recorded.unjudged or file.stat().st_size > LIVE_BYTES_MAX:
            continue
        if number % step == 0 or kind not in types:
            chosen[name] = file
            types.add(kind)
    return chosen


def live(ketlink, step):
    recorded, files = read_record(), verdicts.examples()
    if not files:
        verdicts.skip("no R4 examples: npm ci in tests/oracles/examples")
    verdicts.build_oracle()
    sample = live_sample(files, step, recorded)
    bundles = {f"fixtures/{f.parent.name}": f for f in sorted(FIXTURES.glob("*/expected.json"))}
    answers = list(verdicts.hapi([{"file": str(f)} for f in [*sample.values(), *bundles.values()]]))
    rotten = [name for name, found in zip(sample, answers) if verdicts.places(found or []) != recorded.errors.get(name, set())]
    score = Score()
    for name, found, theirs in zip(bundles, verdicts.ketlink(ketlink, list(bundles.values())), answers[len(sample):]):
        score.add(name, verdicts.places(found), verdicts.places(theirs or []), (found or []) + (theirs or []))
    print(f"HAPI judged {len(sample)} examples: {len(sample) - len(rotten)} as recorded{''.join(' ' + name for name in rotten)}")
    print("fixtures:", end=" ")
    return report(score, {}, 0) and not rotten


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("ketlink")
    parser.add_argument("--live", type=int)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if options.record:
        verdicts.build_oracle()
        record()
        return
    good = live(options.ketlink, options.live) if options.live else against_record(options.ketlink)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
