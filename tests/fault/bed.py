"""The test bed of relay.py and troubles.py: numbered records, the real relay in a folder of its own, and the judge."""
import atexit
import datetime
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CANARY = "Kanarienvogel"
SKIPPED = 77  # ctest: SKIP_RETURN_CODE
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
SHAPES = {
    "update": {"submit": "transaction", "idempotency": "conditional-update"},
    "create": {"submit": "transaction", "idempotency": "conditional-create"},
    "batch": {"submit": "batch", "idempotency": "conditional-update"},
    "single": {"submit": "single", "idempotency": "search-first", "maxEntries": 1},
}


class Relay:
    all = []

    def __init__(self, program, work, before=(), environment=None):
        self.program, self.work, self.process, self.starts = program, work, None, 0
        self.before, self.environment = list(before), environment or {}
        atexit.register(self.leave_none)
        self.all.append(self)

    def leave_none(self):
        """Whatever becomes of the test."""
        if self.process and not self.ended():
            self.kill()

    def start(self):
        self.log = open(self.work / "log", "a+b")
        self.process = subprocess.Popen([*self.before, self.program, "relay", "--config", self.work / "relay.ini"], stderr=self.log,
                                        env={"PATH": os.environ["PATH"], "SSLKEYLOGFILE": str(self.work / "tls.keys"), **sanitizer_options(), **self.environment})
        self.starts += 1

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def ended(self):
        return self.process.poll() is not None

    def resident(self):
        """Bytes of the machine's memory that it has."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def traces(self):
        """What other processes of this host could read of it."""
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        found = b""
        for name in ("cmdline", "environ"):
            try:
                found += (folder / name).read_bytes()
            except OSError:
                pass
        return found


def tell(kind, fault, trace):
    """Of a test that broke off: what the relays said last, although their folders are gone by now."""
    for relay in [relay for relay in Relay.all if relay.starts][-3:]:
        os.lseek(relay.log.fileno(), 0, os.SEEK_SET)
        said = relay.log.read().decode(errors="replace")
        print(f"--- the log in {relay.work}:", *said.splitlines()[-10:], sep="\n", flush=True)
    sys.__excepthook__(kind, fault, trace)


sys.excepthook = tell


def hold_port(port=0):
    """A port that no other process is given by chance as long as this socket is open, whether somebody listens there or nobody."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held, held.getsockname()[1]


def sanitizer_options():
    return {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}


def prepare(work, definitions, servers, shape="update", relay="", folder="", destination="", timeout=5000, settle=2000, in_flight=6):
    """`servers`: name -> Ehr. Further lines of the sections."""
    for name in ("state", "drop"):
        (work / name).mkdir(mode=0o700)
    subprocess.run(["cp", "-r", ROOT / "mappings", work / "mappings"], check=True)
    sections = ""
    for name, server in servers.items():
        given = {"preset": "hapi", "base": server.base, "caFile": str(server.certificate.parent / "ca.pem"),
                 "auth": getattr(server, "auth", {"type": "none"}), "settleMs": settle, "connectTimeoutMs": 2000,
                 "totalTimeoutMs": timeout, **SHAPES[shape]}
        (work / f"mappings/destinations/{name}.json").write_text(json.dumps(given))
        sections += f"[destination {name}]\nin-flight = {in_flight}\nretry-seconds = 1\nretry-max-seconds = 1\n{destination}\n"
    key = work / "store.key"
    key.touch(0o600)
    key.write_text("1 " + os.urandom(32).hex() + "\n")
    (work / "relay.ini").write_text(f"""[relay]
state = {work}/state
key = {key}
marker = {work}/marker
mappings = {work}/mappings
definitions = {definitions}
{relay}
[folder drop]
path = {work}/drop
to = {", ".join(servers)}
{folder}
{sections}""")


def record(serial, session, patient, revision=1):
    """The patient's name and the session's start tell which record wrote them last."""
    made = json.loads((ROOT / "fixtures/clinic/minimal/record.json").read_text())
    made["session"].update(id=f"S-{session:06}", revision=revision, start=(START + datetime.timedelta(seconds=serial)).isoformat())
    made["patient"] = {"mrn": f"{CANARY}-{patient}", "family": f"{CANARY}{serial}", "birthDate": "1980", "sex": "unknown"}
    return json.dumps(made)


def drop(work, serial, text):
    beside = work / f"next-{serial}"
    beside.write_text(text)
    beside.rename(work / f"drop/{serial:06}.json")


def acknowledged(work):
    return {int(name.stem) for name in (work / "drop/done").glob("*.json")}


def session_of(identity):
    return int(identity.rpartition("|")[2].split("/")[0].removeprefix("S-"))


def serial_of(resource):
    if resource["resourceType"] == "Patient":
        return int(resource["name"][0]["family"].removeprefix(CANARY))
    start = datetime.datetime.fromisoformat(resource["period"]["start"])
    return round((start - START).total_seconds())


def commits_of(server, kinds=("Patient", "Encounter")):
    return [(kind, identity, serial_of(resource)) for kind, identity, resource in list(server.commits) if kind in kinds]


def newest(server):
    """Session -> the serial that its Encounter was last written by."""
    return {session_of(identity): serial for kind, identity, serial in commits_of(server, ("Encounter",))}


def inversions(server):
    """Of each patient and session: by the order of their commits, never back."""
    last, bad = {}, 0
    for kind, identity, serial in commits_of(server):
        bad += serial < last.get((kind, identity), -1)
        last[kind, identity] = max(serial, last.get((kind, identity), -1))
    return bad


PATIENCE = 3  # that a machine may be slower on which other tests run too


def wait_for(what, seconds):
    """Of a machine that does nothing else; what is as it should be comes long before."""
    return comes_within(what, seconds * PATIENCE)


def comes_within(what, seconds):
    """For what may as well not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def expect(what, *words):
    if not what:
        raise AssertionError(" ".join(str(word) for word in words))


def holds(path, text):
    try:
        return text in path.read_bytes()
    except OSError:
        return False


def told(work, relay):
    """Where a patient's data stands in the clear, or what it was sent by can be read with."""
    places = [work / "log", *work.glob("state/*"), *work.glob("core*"), *work.glob("mappings/*")]
    places += [path for path in pathlib.Path("/dev/shm").glob("*") if path.is_file()]
    found = [str(path) for path in places if path.is_file() and holds(path, CANARY.encode())]
    found += ["keys of TLS"] if (work / "tls.keys").exists() else []
    return found + (["process"] if CANARY.encode() in relay.traces() else [])


def judge(name, server, wanted, relay, work):
    """`wanted`: session -> serial that must be the last at the server -> faults."""
    held = newest(server)
    lost = sorted(session for session, serial in wanted.items() if held.get(session) != serial)
    doubled = [key for key, places in server.identities().items() if len(places) > 1]
    canaries, turned = told(work, relay), inversions(server)
    print(f"{name}: sessions {len(wanted)}, lost or stale {len(lost)}, doubled {len(doubled)}, collisions {len(server.collisions)}, "
          f"inversions {turned}, canaries {len(canaries)}, requests {server.requests}, faults {sum(server.injected.values())}, "
          f"starts {relay.starts}", flush=True)
    faults = [f"{name}: {what}: {found[:5]}" for what, found in
              (("lost or stale", lost), ("doubled", doubled), ("two at once", server.collisions), ("canary in", canaries),
               ("core", [str(core) for core in [*work.glob("core*"), *work.glob("state/core*")]])) if found]
    if turned:
        faults.append(f"{name}: {turned} arrived before what came earlier")
    return faults


def end(given, server, relay, work, faults, taken=None):
    """Of an oracle's run, after its judge: what was acknowledged (`taken`, else what was moved to done/), that the run proves
    something, how the relay ended."""
    missing = set(range(given.records)) - (acknowledged(work) if taken is None else taken)
    if missing:
        faults.append(f"not taken: {sorted(missing)[:10]}")
    if given.rate and not server.injected:
        faults.append("no fault was injected: this run proves nothing")
    status = relay.stop()
    if status != 0:
        faults.append(f"the relay ended with {status}")
    if faults:
        print("\n".join(faults), (work / "log").read_text()[-3000:], sep="\n")
    return faults


def lacks(definitions):
    """Without them nothing can be tried: said."""
    there = definitions.exists()
    if not there:
        print(f"skipped: {definitions} is not there")
    return not there


def has_allocator(program):
    """Of the sanitizers, beside which there can be none of ours: said."""
    has = b"__asan_init" in pathlib.Path(program).read_bytes()
    if has:
        print("skipped: an allocator of our own does not go with the sanitizers'")
    return has


def main(given, run):
    """Runs `run(given, work)` -> faults, in a folder of its own -> exit status."""
    if lacks(given.definitions):
        return SKIPPED
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ketlink-fault-") as name:
        return 1 if run(given, pathlib.Path(name)) else 0
