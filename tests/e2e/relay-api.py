#!/usr/bin/env python3
"""Sends the requests that docs/relay-api.md shows, in order, and compares the answers with what the page shows.

Usage: relay-api.py [--update]      KETLINK names the program, QUEUE_DRIVER the stand-in for the relay; 77 = skipped

The blocks of the page are run as those of docs/adding-a-mapping.md are (adding-a-mapping.py), before the console of a
relay whose store holds five records and whose clock stands still. $SOCKET, $PORT and $TOKEN lead there; $RELAY is the
socket of a real relay, for what is posted.
"""
import importlib.util
import json
import os
import pathlib
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
                                    "[post]\nto = hospital\n[destination hospital]\n")
    relay = subprocess.Popen([program, "relay", "--config", home / "relay.ini"], stderr=subprocess.PIPE, text=True)
    if not relay.stderr.readline().startswith("started"):
        sys.exit("FAILED: the relay does not start")
    return relay, {"RELAY": str(home / "relay.sock")}


def start_stand_in(driver, scratch):
    store = scratch / "store"
    store.mkdir(mode=0o700)
    token, socket = "token-of-the-page", scratch / "relay.sock"
    relay = subprocess.Popen([driver, store, socket, token], stdout=subprocess.PIPE, text=True)
    line = relay.stdout.readline().split()
    if line[:1] != ["ready"]:
        sys.exit("FAILED: the stand-in does not start")
    return relay, {"SOCKET": str(socket), "PORT": line[1], "TOKEN": token}


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
        pages.check_links(PAGE)
    except pages.Fault as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        return 1
    finally:
        for process in (relay, stand_in):
            process.terminate()
            process.communicate()
        shutil.rmtree(scratch)
    print(f"{PAGE.name}: {runner.counts['sh']} blocks of requests sent, {runner.counts['text']} answers compared"
          + (f", {len(runner.updates)} rewritten" if runner.updates else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
