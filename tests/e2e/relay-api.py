#!/usr/bin/env python3
"""Sends the requests that docs/relay-api.md shows, in order, and compares the answers with what the page shows.

Usage: relay-api.py [--update]      KETLINK names the program, QUEUE_DRIVER the stand-in for the relay; 77 = skipped

The blocks of the page are run as those of docs/adding-a-mapping.md are (adding-a-mapping.py), before the console of a
relay whose store holds five records and whose clock stands still. $SOCKET, $PORT and $TOKEN lead there; $RELAY is the
socket of a real relay, for what is posted. Of both the metrics are read line by line, as Prometheus does.
"""
import atexit
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFINITIONS = pathlib.Path(os.environ.get("KETLINK_DEFINITIONS", ROOT / "build/definitions.pack")).absolute()
PAGE = ROOT / "docs/relay-api.md"


def load_pages():
    spec = importlib.util.spec_from_file_location("pages", pathlib.Path(__file__).with_name("adding-a-mapping.py"))
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    return pages


def start_real_relay(program, scratch):
    """One destination, where nobody listens."""
    home = scratch / "relay"
    (home / "state").mkdir(mode=0o700, parents=True)
    shutil.copytree(ROOT / "mappings", home / "mappings")
    destination = {"preset": "hapi", "base": "https://127.0.0.1:1/fhir", "auth": {"type": "none"}}
    (home / "mappings/destinations/hospital.json").write_text(json.dumps(destination))
    (home / "store.key").touch(0o600)
    (home / "store.key").write_text(f"1 {7:064}\n")
    (home / "relay.ini").write_text("[relay]\nstate = state\nkey = store.key\nmappings = mappings\n"
                                    f"definitions = {DEFINITIONS}\n[http]\nsocket = relay.sock\n"
                                    f"[post]\nto = hospital\n[destination hospital]\n[store]\nbackup = {home}/copy.db\n"
                                    + "".join(f"[mllp {name}]\nlisten = {home}/{name}.sock\nto = hospital\n" for name in ("ward", "desk")))
    relay = subprocess.Popen([program, "relay", "--config", home / "relay.ini"], stderr=subprocess.PIPE, text=True)
    atexit.register(relay.kill)  # whatever becomes of the test
    said = iter(relay.stderr.readline, "")  # of its listeners first
    if not any(" started " in line for line in said):
        sys.exit("FAILED: the relay does not start")
    return relay, {"RELAY": str(home / "relay.sock")}


def start_stand_in(driver, scratch):
    store = scratch / "store"
    store.mkdir(mode=0o700)
    token, socket = "token-of-the-page", scratch / "relay.sock"
    relay = subprocess.Popen([driver, store, socket, token], stdout=subprocess.PIPE, text=True)
    atexit.register(relay.kill)
    line = relay.stdout.readline().split()
    if line[:1] != ["ready"]:
        sys.exit("FAILED: the stand-in does not start")
    return relay, {"SOCKET": str(socket), "PORT": line[1], "TOKEN": token}


def read_metrics(socket):
    """Text format 0.0.4 -> name -> its samples. Each name has HELP and TYPE, once, and its samples in one place behind them."""
    text = subprocess.run(["curl", "-sS", "--unix-socket", socket, "http://localhost/metrics"], capture_output=True, check=True, text=True).stdout
    sample = re.compile(r'([a-z_:]+)(?:{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+})? ([0-9]+|\+Inf)')
    families, name, kind = {}, None, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, kind = line.split()[2], None
            if name in families or not line.split(None, 3)[3].endswith("."):
                sys.exit(f"FAILED: metrics: {line}")
            families[name] = []
        elif line.startswith("# TYPE "):
            kind = line.split()[3]
            if line != f"# TYPE {name} {kind}" or (kind == "counter") != name.endswith("_total") or families[name]:
                sys.exit(f"FAILED: metrics: {line}")
        else:
            found = sample.fullmatch(line)
            if not found or found[1] != name or not kind:
                sys.exit(f"FAILED: metrics: {line} behind HELP {name} TYPE {kind}")
            families[name].append(line)
    empty = [name for name, samples in families.items() if not samples]
    if empty or not families:
        sys.exit(f"FAILED: metrics: no sample of {empty}")
    return families


def check_metrics(ways, real):
    stand_in, relay = read_metrics(ways["SOCKET"]), read_metrics(real["RELAY"])
    missing = sorted(set(stand_in) - set(relay))
    listeners = [line for line in relay["ketlink_mllp_answers_total"] if "ward" in line], relay["ketlink_mllp_connections"]
    for fault in ([f"{missing} not of a real relay"] if missing else []) + ([] if [*map(len, listeners)] == [6, 2] else [f"{listeners}"]):
        sys.exit(f"FAILED: metrics: {fault}")
    return len(relay)


def main():
    pages = load_pages()
    program = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).absolute()
    driver = pathlib.Path(os.environ.get("QUEUE_DRIVER", "none")).absolute()
    if not DEFINITIONS.exists():
        print(f"skipped: no {DEFINITIONS.name}")
        return 77
    needed = [driver, program] + [pathlib.Path(shutil.which(name) or name) for name in ("curl", "jq")]
    for path in needed:
        if not os.access(path, os.X_OK):
            print(f"skipped: no {path.name}")
            return 77
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ketlink-api."))
    stand_in, ways = start_stand_in(driver, scratch)
    relay, real = start_real_relay(program, scratch)
    try:
        walk = pages.Walk(scratch, program)
        walk.environment |= ways | real
        runner = pages.Runner(PAGE, walk, "--update" in sys.argv[1:])
        runner.run()
        metrics = check_metrics(ways, real)
        pages.check_links(PAGE)
    except pages.Fault as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        return 1
    finally:
        for process in (relay, stand_in):
            process.terminate()
            process.communicate()
        shutil.rmtree(scratch)
    print(f"{PAGE.name}: {runner.counts['sh']} blocks of requests sent, {runner.counts['text']} answers compared, {metrics} metrics read"
          + (f", {len(runner.updates)} rewritten" if runner.updates else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
