"""What validators say of resources: runs ketlink and HAPI's validator and makes their findings comparable."""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ORACLE = HERE / "hapi" / "run.sh"
EXAMPLES = HERE / "examples" / "node_modules" / "hl7.fhir.r4.examples"
SKIPPED = 77
BAD_CONFIGURATION = 78
FILES_A_RUN = 1000
NOT_EXAMPLES = {"package.json", "ig-r4.json"}

# Errors that say nothing of FHIR: HAPI makes no snapshots without fetching packages, and knows how HL7 publishes.
OWN_TROUBLE = {"ERROR_GENERATING_SNAPSHOT", "VALIDATION_HL7_PUBLISHER_MISMATCH", "IG_HL7_WG_REQUIRED", "IG_HL7_STANDARDS_STATUS_REQUIRED"}

# valueQuantity and value[x] are one place: names lose a type at their end, on both sides.
TYPE_AT_END = re.compile(r"(?<=[a-z])(?:Base64Binary|Boolean|Canonical|Code|Date|DateTime|Decimal|Id|Instant|Integer|Markdown|Oid|"
                         r"PositiveInt|String|Time|UnsignedInt|Uri|Url|Uuid|Address|Age|Annotation|Attachment|CodeableConcept|"
                         r"Coding|ContactPoint|Count|Distance|Duration|HumanName|Identifier|Money|Period|Quantity|Range|Ratio|"
                         r"Reference|SampledData|Signature|Timing|Expression|Dosage|Meta|UsageContext)(?=\.|$)")

Finding = collections.namedtuple("Finding", "path text")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def examples():
    """The files of the R4 example instances, by name; none when the package is not installed."""
    return {f.name: f for f in sorted(EXAMPLES.glob("*.json")) if f.name not in NOT_EXAMPLES}


# --- ketlink ---


def ketlink(program, files, options=()):
    """Errors of each file, in their order. One process reads many files."""
    pack = os.environ.get("KETLINK_DEFINITIONS")
    if pack and not os.path.exists(pack):
        skip(f"no definition pack: {pack}")
    found = []
    for at in range(0, len(files), FILES_A_RUN):
        some = files[at:at + FILES_A_RUN]
        done = subprocess.run([program, "validate", "-q", "--format", "json", *options, *map(str, some)], capture_output=True,
                              text=True, check=False)
        outcomes = done.stdout.splitlines()
        if done.returncode == BAD_CONFIGURATION or len(outcomes) != len(some):
            sys.exit(f"ketlink: {len(outcomes)} answers of {len(some)}, exit status {done.returncode}: {done.stderr.strip()}")
        found += [errors_of_outcome(json.loads(outcome)) for outcome in outcomes]
    return found


def errors_of_outcome(outcome):
    """Without extensions that nobody has defined: HAPI is told to take them."""
    errors = [Finding((issue.get("expression") or [""])[0], issue["details"]["text"]) for issue in outcome["issue"]
              if issue["severity"] in ("error", "fatal")]
    return [error for error in errors if not error.text.startswith("the definitions have no extension ")]


def ketlink_texts(program, texts, options=()):
    """The same of texts: each becomes a file."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, text in enumerate(texts):
            files.append(pathlib.Path(folder) / f"{i}.json")
            files[-1].write_text(text)
        return ketlink(program, files, options)


# --- HAPI ---


def build_oracle():
    build = subprocess.run([ORACLE, "--build"], capture_output=True, text=True, check=False)
    if build.returncode != 0:
        print(build.stderr.strip())
        sys.exit(build.returncode)


def hapi(jobs):
    """Errors of each job (members of a `validate` job), in their order, as they come. None: HAPI fell over."""
    # A file for the jobs: a pipe that nobody empties would stop both sides.
    with tempfile.TemporaryFile("w+") as lines:
        lines.writelines(json.dumps({"do": "validate", **job}) + "\n" for job in jobs)
        lines.seek(0)
        with subprocess.Popen(["nice", ORACLE], stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
            count = 0
            for line in run.stdout:
                count += 1
                answer = json.loads(line)
                yield errors_of_hapi(answer["issues"]) if answer["ok"] else None
    if count != len(jobs):
        sys.exit(f"the oracle ended early: {count} of {len(jobs)} answers")


def errors_of_hapi(issues):
    return [Finding(issue["path"] or "", f'{issue.get("id") or ""}: {issue["text"]}') for issue in issues
            if issue["severity"] in ("error", "fatal") and issue.get("id") not in OWN_TROUBLE]


# --- places ---


def exact(path):
    """HAPI's path as ketlink writes it: without notes and types of choices."""
    path = re.sub(r"/\*.*?\*/", "", path)
    path = re.sub(r"\.ofType\(([^)]*)\)", "", path)
    return path.split("/")[0]  # what follows a div is XHTML, not FHIR


def loose(path):
    """A place without indices, and with choices by their base name: what the published suites compare."""
    return TYPE_AT_END.sub("", re.sub(r"\[[^\]]*\]", "", exact(path)))


def places(findings):
    return {loose(finding.path) for finding in findings}
