#!/usr/bin/env python3
"""ketlink queue park and drop of more records than the relay takes at a time, before a stand-in for it that refuses, fails or ends in
the middle: what was decided before is told, and of the rest whether it is as it was.

Usage: queue-portions.py      KETLINK names the program
"""
import http.server
import json
import os
import pathlib
import socketserver
import subprocess
import sys
import tempfile
import threading

COUNTED = [{"matched": 1000, "last": 1000, "after": 1000}, {"matched": 500, "last": 1500, "after": None}]
FIRST = {"matched": 1000, "changed": 999, "last": 1000, "after": 1000}
BEFORE = "before that 999 records were"
AS_IT_WAS, NOT_KNOWN = "the others that match are as they were", "what became of the next, up to a thousand, is not known"

# verb, answers after the count (a number: that status; None: the connection ends), exit status, what is said, what is not
CASES = [
    ("drop", [FIRST, {"matched": 500, "changed": 500, "after": None}], 0, [], [BEFORE, AS_IT_WAS, NOT_KNOWN]),
    ("drop", [FIRST, 409], 1, [BEFORE + " dropped", AS_IT_WAS], [NOT_KNOWN]),
    ("drop", [FIRST, 503], 75, [BEFORE + " dropped", NOT_KNOWN], [AS_IT_WAS]),
    ("drop", [FIRST, None], 75, [BEFORE + " dropped", NOT_KNOWN], [AS_IT_WAS]),
    ("drop", [409], 1, [], [BEFORE, AS_IT_WAS, NOT_KNOWN]),
    ("drop", [None], 75, [NOT_KNOWN], [BEFORE, AS_IT_WAS]),
    ("park", [FIRST, None], 75, [BEFORE + " parked", NOT_KNOWN], [AS_IT_WAS]),
]


class Relay(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answers = self.server.counts if body["dryRun"] else self.server.answers
        self.server.asked.append(body)
        answer = answers.pop(0) if answers else None
        self.close_connection = answer is None
        if answer is None:
            return
        status = answer if isinstance(answer, int) else 200
        text = json.dumps({"detail": "no"} if status != 200 else {"dryRun": body["dryRun"], "changed": 0, "missing": 0, **answer}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


def faults_of(program, folder, case):
    verb, answers, status, said, not_said = case
    path = folder / "socket"
    path.unlink(missing_ok=True)
    with Relay(str(path), Handler) as relay:
        relay.counts, relay.answers, relay.asked = list(COUNTED), list(answers), []
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        arguments = [program, "queue", verb, "--socket", path, "--where", "state=queued", "--reason", "test", "--json"]
        result = subprocess.run(arguments + (["--confirm=1500"] if verb == "drop" else []), capture_output=True, text=True, timeout=60)
        relay.shutdown()
    asked = [body for body in relay.asked if not body["dryRun"]]
    faults = [f"it asks {len(asked)} times"] if len(asked) != len(answers) else []  # once more would tell of none of those that went
    faults += [f"it ended with {result.returncode}"] if result.returncode != status else []
    faults += [f"it does not say: {text}" for text in said if text not in result.stderr]
    faults += [f"it says: {text}" for text in not_said if text in result.stderr]
    told = json.loads(result.stdout) if result.stdout else {"complete": False, "changed": 0}
    changed = sum(answer["changed"] for answer in answers if isinstance(answer, dict))
    if told["complete"] != (status == 0) or told["changed"] != changed:
        faults.append(f"it tells {told}")
    return faults


def main():
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ketlink-portions-") as name:
        for case in CASES:
            faults = faults_of(os.environ["KETLINK"], pathlib.Path(name), case)
            bad += bool(faults)
            print(f"{case[0]} {case[1]}:", "; ".join(faults) or "told as it is")
    return 1 if bad else 0


sys.exit(main())
