#!/usr/bin/env python3
"""Sends the requests that docs/relay-api.md shows, in order, and compares the answers with what the page shows.

Usage: relay-api.py [--update]      KETLINK names the program, QUEUE_DRIVER the stand-in for the relay; 77 = skipped

The blocks of the page are run as those of docs/adding-a-mapping.md are (adding-a-mapping.py), before the console of a
relay whose store holds five records and whose clock stands still. $SOCKET, $PORT and $TOKEN lead there.
"""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/relay-api.md"


def load_pages():
    spec = importlib.util.spec_from_file_location("pages", pathlib.Path(__file__).with_name("adding-a-mapping.py"))
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    return pages


def start_relay(driver, scratch):
    """To run the page against the real relay, start it here."""
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
    needed = [driver, program] + [pathlib.Path(shutil.which(name) or name) for name in ("curl", "jq")]
    for path in needed:
        if not os.access(path, os.X_OK):
            print(f"skipped: no {path.name}")
            return 77
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ketlink-api."))
    relay, ways = start_relay(driver, scratch)
    try:
        walk = pages.Walk(scratch, program)
        walk.environment |= ways
        runner = pages.Runner(PAGE, walk, "--update" in sys.argv[1:])
        runner.run()
        pages.check_links(PAGE)
    except pages.Fault as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        return 1
    finally:
        relay.terminate()
        relay.wait()
        shutil.rmtree(scratch)
    print(f"{PAGE.name}: {runner.counts['sh']} blocks of requests sent, {runner.counts['text']} answers compared"
          + (f", {len(runner.updates)} rewritten" if runner.updates else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
