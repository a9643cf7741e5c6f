#!/usr/bin/env python3
"""Through the relay, messages that are not about the patient leave the patient alone, whatever the ledger knows; a merge keeps its place
among the messages of each record that goes, also when it was parked and is mapped again; and a death that was told stays told.

    mentioned.py                KETLINK names the program; ketlink-relay stands beside it
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))
import bed  # noqa: E402
import ehr  # noqa: E402
from bed import expect  # noqa: E402

KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
RELAY = KETLINK.with_name("ketlink-relay")
PACK = ROOT / "build/definitions.pack"
PATIENCE = 30
FULL, THIN = "PID|1||{}^^^RIVERSIDE^MR||Doe^Jordan||19840229|F|||{}^^Springfield^IL", "PID|||{}^^^RIVERSIDE^MR||Doe"


class Bench:
    def __init__(self, work, certs, shape):
        self.work, self.number = work, 0
        work.mkdir()
        self.hospital = ehr.Ehr(certs / "server.pem", certs / "server.key", 1, 0)
        bed.prepare(work, PACK, {"hospital": self.hospital}, shape, folder=f"[http]\nsocket = {work}/socket\n[post]\nto = hospital\n")
        self.relay = bed.Relay(RELAY, work)
        self.start()

    def start(self):
        self.relay.start()
        self.until((self.work / "socket").exists, "no socket")

    def post(self, event, pid, *segments, charset=""):
        self.number += 1
        text = "\r".join([f"MSH|^~\\&|EHR|RIVERSIDE|||20260311100500-0500||{event}|M{self.number}|P|2.5.1{charset and '||||||' + charset}", pid, *segments, ""])
        subprocess.run(["curl", "-sS", "--fail", "--unix-socket", self.work / "socket", "-H", "Content-Type: application/hl7-v2", "--data-binary",
                        "@-", "http://localhost/records"],
                       input=text.encode("latin-1" if charset else "utf-8"), stdout=subprocess.DEVNULL, check=True)

    def adt(self, event, mrn, street):
        self.post(f"ADT^{event}", FULL.format(mrn, street), "PV1|1|O")

    def results(self, mrn):
        """-> that their Observation has arrived"""
        number = f"FO-{self.number}"
        self.post("ORU^R01", THIN.format(mrn), f"OBR|1||{number}|VS^Vital signs|||20260311100000-0500",
                  "OBX|1|NM|8867-4^Heart rate^LN||71|/min^^UCUM|||||F|||20260311100000-0500")
        self.until(lambda: any(number in (identity or "") for kind, identity, _ in list(self.hospital.commits) if kind == "Observation"), number)

    def until(self, what, *words):
        expect(bed.wait_for(what, PATIENCE), *words, (self.work / "log").read_text()[-2000:])

    def patients(self, mrn):
        """What was written of the patient, in order: street, or None of a thin one."""
        return [resource.get("address", [{"line": [None]}])[0]["line"][0] for kind, identity, resource in list(self.hospital.commits)
                if kind == "Patient" and identity.endswith(f"/{mrn}")]

    def deaths(self, mrn):
        """What was written of the patient's life, in order."""
        return [resource.get("deceasedDateTime", resource.get("deceasedBoolean")) for kind, identity, resource in list(self.hospital.commits)
                if kind == "Patient" and identity.endswith(f"/{mrn}")]

    def session(self, number, revision, mrn, **patient):
        """-> that it has arrived"""
        made = json.loads((ROOT / "fixtures/clinic/minimal/record.json").read_text())
        made["session"].update(id=f"S-{number}", revision=revision, room=f"Room {revision}")
        made["patient"].update(mrn=mrn, **patient)
        subprocess.run(["curl", "-sS", "--fail", "--unix-socket", self.work / "socket", "-H", "Content-Type: application/json", "--data-binary", "@-",
                        "http://localhost/records"], input=json.dumps(made).encode(), stdout=subprocess.DEVNULL, check=True)
        self.arrived(f"S-{number}/session", revision)

    def arrived(self, key, count):
        self.until(lambda: sum((identity or "").endswith(key) for kind, identity, _ in list(self.hospital.commits) if kind == "Encounter") >= count, key)


def try_shape(work, certs, shape):
    bench = Bench(work / shape, certs, shape)
    try:
        keep_deaths(bench, shape)
        leave_whole(bench, shape)
    finally:
        if not bench.relay.ended():
            bench.relay.kill()


def keep_deaths(bench, shape):
    """What says nothing of a death leaves it; what says that the patient lives takes it back, and so does the next revision of the session that told it."""
    dead, lives = "|" * 18 + "20260401|Y", "|" * 19 + "N"
    for number, (said, wanted) in enumerate([(dead, ["2026-04-01"]), ("", ["2026-04-01"]), (lives, ["2026-04-01", False]), ("", ["2026-04-01", False, None])]):
        bench.post("ADT^A04", FULL.format("D1", f"{number} Elm St") + said, f"PV1|1|O|||||||||||||||||D1-{number}")
        bench.arrived(f"visit/D1-{number}", 1)
        bench.until(lambda: bench.deaths("D1") == wanted, shape, number, wanted)
    bench.session(1, 1, "D2", deceasedOn="2026-04-01")
    bench.session(2, 1, "D2", phone="+1-555-555-0177")
    bench.until(lambda: bench.deaths("D2") == ["2026-04-01"], shape, "another session")
    bench.until(lambda: b" death-kept destination=hospital" in (bench.work / "log").read_bytes(), "death-kept")
    bench.session(1, 2, "D2", phone="+1-555-555-0178")
    bench.until(lambda: bench.deaths("D2") == ["2026-04-01", None], shape, "the same session")


def leave_whole(bench, shape):
    bench.adt("A04", "M1", "12 Elm St")
    bench.results("M1")
    bench.adt("A08", "M1", "7 Oak St")
    bench.results("M1")
    bench.results("M2")  # first, the results; then what is known of the patient; results again; the same ADT again
    bench.adt("A04", "M2", "1 Ash St")
    bench.results("M2")
    bench.adt("A04", "M2", "1 Ash St")
    bench.results("M2")
    expect(bench.patients("M1") == ["12 Elm St", "7 Oak St"], shape, bench.patients("M1"))
    expect(bench.patients("M2") == [None, "1 Ash St"], shape, bench.patients("M2"))
    expect(not [key for key, places in bench.hospital.identities().items() if len(places) > 1], shape, "made twice")
    expect(bench.relay.stop() == 0, (bench.work / "log").read_text())
    # a store that knows nothing of what the server holds
    for path in bench.work.glob("state/*"):
        path.unlink()
    (bench.work / "marker").unlink(missing_ok=True)
    bench.start()
    bench.results("M1")
    expect(bench.patients("M1") == ["12 Elm St", "7 Oak St"], shape, "without a ledger", bench.patients("M1"))
    expect(bench.relay.stop() == 0, (bench.work / "log").read_text())
    expect(b" parked destination=" not in (bench.work / "log").read_bytes(), (bench.work / "log").read_text())
    bench.hospital.stop()


def keep_order(work, certs):
    """What was told of a record that goes waits for somebody; its merge that came after it waits too, the record that stays does not, nor does
    another that goes by the same message."""
    bench = Bench(work / "merge", certs, "update")
    try:
        bench.hospital.refuse = lambda resource: "7 Oak St" in str(resource)
        bench.adt("A04", "OLD", "7 Oak St")
        bench.until(lambda: bed.holds(bench.work / "log", b" parked destination="), "was not refused")
        bench.adt("A04", "FORMER", "3 Fir St")
        bench.post("ADT^A40", THIN.format("NEW"), "MRG|OLD^^^RIVERSIDE^MR~FORMER^^^RIVERSIDE^MR||||||Doe")
        bench.until(lambda: bench.patients("FORMER") == ["3 Fir St", None], "the other did not go")
        bench.adt("A04", "NEW", "1 Ash St")
        bench.until(lambda: bench.patients("NEW") == [None, "1 Ash St"], "the record that stays did not go on")
        expect(bench.patients("OLD") == [], "the merge went first", bench.patients("OLD"))
        bench.hospital.refuse = None
        subprocess.run([KETLINK, "queue", "retry", "--config", bench.work / "relay.ini", "1"], check=True, stdout=subprocess.DEVNULL)
        bench.until(lambda: bench.patients("OLD") == ["7 Oak St", None], "not in order", bench.patients("OLD"))
        expect(bench.patients("NEW") == [None, "1 Ash St"], "the merge changed the record that stays", bench.patients("NEW"))
        for mrn in ("OLD", "FORMER"):
            merged = [resource for kind, identity, resource in bench.hospital.commits if kind == "Patient" and identity.endswith(f"/{mrn}")][-1]
            expect(merged["active"] is False and merged["link"][0]["type"] == "replaced-by", merged)
        expect(bench.relay.stop() == 0, (bench.work / "log").read_text())
    finally:
        if not bench.relay.ended():
            bench.relay.kill()
    bench.hospital.stop()


def park_and_mend(work, certs):
    """A message of two merges, in another charset, that the destination's profile does not take: each part waits, and is mapped alone when the
    file is mended."""
    bench = Bench(work / "mend", certs, "update")
    path = bench.work / "mappings/destinations/hospital.json"
    good = json.loads(path.read_text())
    package, profile = bench.work / "package", "http://hospital.example/StructureDefinition/with-photo"
    package.mkdir()
    (package / "with-photo.json").write_text(json.dumps({
        "resourceType": "StructureDefinition", "url": profile, "name": "WithPhoto", "status": "active", "fhirVersion": "4.0.1", "kind": "resource",
        "abstract": False, "type": "Patient", "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient", "derivation": "constraint",
        "differential": {"element": [{"id": "Patient", "path": "Patient"}, {"id": "Patient.photo", "path": "Patient.photo", "min": 1}]}}))
    wanted = {"validation": "park", "profiles": [profile], "packages": [str(package)]}
    try:
        for given, reloaded in ((good | wanted, 1), (good, 2)):
            if reloaded == 2:
                bench.post("ADT^A40", THIN.format("NEW"), "MRG|OLD^^^RIVERSIDE^MR~FORMER^^^RIVERSIDE^MR||||||J\u00fcrgens", charset="8859/1")
            path.write_text(json.dumps(given))
            bench.relay.process.send_signal(signal.SIGHUP)
            bench.until(lambda: (bench.work / "log").read_text().count(" reloaded destinations=") == reloaded, "not reloaded")
        for number, mrn in (("1", "OLD"), ("2", "FORMER")):
            expect(bench.patients(mrn) == [], "it was not parked", mrn, (bench.work / "log").read_text()[-2000:])
            subprocess.run([KETLINK, "queue", "retry", "--config", bench.work / "relay.ini", number], check=True, stdout=subprocess.DEVNULL)
            bench.until(lambda: bench.patients(mrn) == [None], "was not mapped again", mrn)
            expect("J\u00fcrgens" in str(bench.hospital.commits), "its letters")
        expect(bench.relay.stop() == 0, (bench.work / "log").read_text())
    finally:
        if not bench.relay.ended():
            bench.relay.kill()
    bench.hospital.stop()


def main():
    if not RELAY.exists() or not PACK.exists():
        print(f"skipped: {RELAY} or {PACK} is not there")
        return 77
    shapes = ("update", "create", "single")
    with tempfile.TemporaryDirectory(prefix="ketlink-mentioned-") as folder:
        certs = pathlib.Path(folder) / "certs"
        subprocess.run([ROOT / "tests/servers/certs.sh", certs], check=True, stdout=subprocess.DEVNULL)
        for shape in shapes:
            try_shape(pathlib.Path(folder), certs, shape)
        keep_order(pathlib.Path(folder), certs)
        park_and_mend(pathlib.Path(folder), certs)
    print(f"mentioned: in {len(shapes)} shapes, results left the patient as ADT told it; a merge kept its place")
    return 0


if __name__ == "__main__":
    sys.exit(main())
