#!/usr/bin/env python3
"""simulate.py: `ketlink simulate`, both sides against each other: in clear and by TLS, in original and enhanced mode, each fault."""
import atexit
import collections
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KETLINK = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).resolve()
MESSAGE = ROOT / "tests/bench/data/hl7v2/message.hl7"
ASKS = {"original": "", "accept": "|||AL|NE", "both": "|||AL|AL", "application": "|||NE|AL"}

# fault -> options of the listener, what `send` says, its exit status
FAULTS = {
    "late": (["--late", "3"], "none settle", 69),
    "none": ([], "none settle", 69),
    "cut": ([], "none settle", 69),
    "AE": ([], "AE park", 1),
    "AR": ([], "AR park", 1),
    "wrong-id": ([], "none settle", 69),
    "two": ([], "AA done", 0),
    "slow": (["--slow", "2"], "AA done", 0),
    "garbage": ([], "none settle", 69),
}


def fail(what):
    sys.exit(f"FAILED: {what}")


def same(got, wanted, what):
    if got != wanted:
        fail(f"{what}: {got!r} is not {wanted!r}")


class Listener:
    def __init__(self, *options, address="127.0.0.1:0"):
        self.process = subprocess.Popen([KETLINK, "simulate", "listen", address, *map(str, options)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)  # whatever becomes of the test
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if line.startswith("listening on "):
                self.port = int(line.rpartition(":")[2])
                return
        fail(f"it does not listen: {self.said}")

    def lines(self, end=signal.SIGTERM):
        """Ends it, unless it ends by itself. Connections are told of side by side, so lines come by their numbers."""
        if end:
            self.process.send_signal(end)
        out, err = self.process.communicate(timeout=60)
        self.said += err
        same(self.process.returncode, 0, f"exit status of the listener ({self.said})")
        return sorted(out.splitlines(), key=lambda line: int(re.search(r"\d+", line)[0]))


def send(address, *options, status=0):
    done = subprocess.run([KETLINK, "simulate", "send", *map(str, options[:-1]), str(address), str(options[-1])], capture_output=True,
                          text=True, timeout=120, check=False)
    same(done.returncode, status, f"exit status of send {options} ({done.stdout}{done.stderr})")
    return done


def variant(work, name):
    path = work / f"{name}.hl7"
    path.write_bytes(MESSAGE.read_bytes().replace(b"|P|2.5\r", f"|P|2.5{ASKS[name]}\r".encode(), 1))
    return path


def test_modes(work):
    listener = Listener()
    for name, code in (("original", "AA"), ("accept", "CA"), ("application", "AA")):
        done = send(f"127.0.0.1:{listener.port}", variant(work, name))
        if f" ORU^R01 {code} done " not in done.stdout:
            fail(f"{name}: {done.stdout}")
    send(f"127.0.0.1:{listener.port}", variant(work, "both"))  # CA comes first, and is enough for who asks no more
    same([line.split()[2:] for line in listener.lines()], [["ORU^R01", "AA"], ["ORU^R01", "CA"], ["ORU^R01", "AA"], ["ORU^R01", "AA"]],
         "what the listener says")


def test_ids(_work):
    listener = Listener("--count", 5)
    address = f"127.0.0.1:{listener.port}"
    send(address, "--same-ids", "--repeat", 2, MESSAGE)
    done = send(address, "--repeat", 9, "-n", 3, MESSAGE)
    same(len(done.stdout.splitlines()), 3, "messages that were sent")
    if "3 sent in" not in done.stderr or "3 accepted" not in done.stderr:
        fail(done.stderr)
    ids = [line.split()[1] for line in listener.lines(end=None)]  # it ends by its count
    same(ids[:2], ["V2-000042"] * 2, "ids of the file")
    if len(set(ids[2:])) != 3 or any(not re.fullmatch(r"K[0-9A-F]{10}\d{7}", name) for name in ids[2:]):
        fail(f"fresh ids: {ids[2:]}")


def test_faults(_work):
    for fault, (options, said, status) in FAULTS.items():
        listener = Listener("--fault", fault, *options)
        done = send(f"127.0.0.1:{listener.port}", "--timeout", 1, MESSAGE, status=status) if said.startswith("none") \
            else send(f"127.0.0.1:{listener.port}", MESSAGE, status=status)
        if f" ORU^R01 {said} " not in done.stdout:
            fail(f"{fault}: {done.stdout}")
        if fault == "wrong-id" and "answers to other messages: 1" not in done.stdout:
            fail(done.stdout)
        line = listener.lines()[0]
        if not line.endswith(f" {fault}") or not re.search(r"^seed \d+$", listener.said, re.M):
            fail(f"{fault}: the listener says '{line}', {listener.said}")


def test_turns(_work):
    """Every third, and by chance: the same seed, the same run."""
    runs = []
    for _ in range(2):
        listener = Listener("--fault", "AE:3", "--fault", "AR:40%", "--seed", 11, "--json", "--count", 30)
        send(f"127.0.0.1:{listener.port}", "--repeat", 30, MESSAGE, status=1)
        runs.append([json.loads(line)["fault"] for line in listener.lines(end=None)])
    same(runs[0], runs[1], "a run by its seed")
    found = collections.Counter(runs[0])
    if runs[0][2::3] != ["AE"] * 10 or not 3 <= found["AR"] <= 15:
        fail(f"faults: {found}")


def test_keep(work):
    folder = work / "kept"
    listener = Listener("--keep", folder)
    send(f"127.0.0.1:{listener.port}", "--same-ids", MESSAGE)
    listener.lines()
    names = list(folder.iterdir())
    same(stat.S_IMODE(folder.stat().st_mode), 0o700, "mode of the folder")
    same([stat.S_IMODE(name.stat().st_mode) for name in names], [0o600], "modes of the files")
    same(names[0].read_bytes(), MESSAGE.read_bytes(), "the message that was kept")
    folder.chmod(0o755)
    done = subprocess.run([KETLINK, "simulate", "listen", "127.0.0.1:0", "--keep", folder], capture_output=True, text=True, check=False)
    same(done.returncode, 74, "exit status for a folder that others can read")


def test_tls(work):
    subprocess.run([ROOT / "tests/servers/certs.sh", work / "certs"], check=True, stdout=subprocess.DEVNULL)
    certs = work / "certs"
    listener = Listener("--certificate", certs / "server.pem", "--key", certs / "server.key", "--client-ca", certs / "ca.pem")
    given = {"protocol": "mllp", "address": f"localhost:{listener.port}", "caFile": str(certs / "ca.pem")}
    shown = {"clientCertFile": str(certs / "client.pem"), "clientKeyFile": str(certs / "client.key")}
    for name, more in (("known", shown), ("stranger", {}), ("fooled", shown | {"caFile": str(certs / "unknown-ca.pem")})):
        path = work / f"{name}.json"
        path.write_text(json.dumps(given | more))
        done = send(path, MESSAGE, status=0 if name == "known" else 69)
        if name == "known" and " AA done " not in done.stdout:
            fail(done.stdout)
    same(len(listener.lines()), 1, "messages from who is known")


def test_hostile_sender(_work):
    """What a sender says of itself does not steer the terminal that it is shown on."""
    listener = Listener("--count", 1)
    text = MESSAGE.read_bytes().split(b"\r", 1)
    fields = text[0].split(b"|")
    fields[9] = b"A\x1b]0;owned\x07"
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as peer:
        peer.sendall(b"\x0b" + b"|".join(fields) + b"\r" + text[1] + b"\x1c\r")
        peer.recv(1000)
    same(listener.lines(end=None), ["1 A\\u001b]0;owned\\u0007 ORU^R01 AA"], "a control id with escapes")


def test_refusals(work):
    done = send("127.0.0.1:1", MESSAGE, status=69)
    if " none retry " not in done.stdout:
        fail(done.stdout)
    send("192.0.2.1:2575", MESSAGE, status=2)  # in clear to another machine
    bad = work / "bad.hl7"
    bad.write_text("PID|1\r")
    send("127.0.0.1:1", bad, status=65)
    (work / "empty").mkdir()
    same("no file .hl7 in it" in send("127.0.0.1:1", work / "empty", status=74).stderr, True, "a folder without messages is told")
    half = [["127.0.0.1:0", option, MESSAGE] for option in ("--certificate", "--key", "--client-ca")]
    for words in (["0.0.0.0:0"], ["nowhere"], *half):
        done = subprocess.run([KETLINK, "simulate", "listen", *words], capture_output=True, text=True, timeout=60, check=False)
        same(done.returncode, 78, f"exit status of listen {words} ({done.stderr})")
        same("TLS needs a certificate and its key" in done.stderr, words in half, f"what listen {words} tells: {done.stderr}")
    for fault in ("later", "AE:0", "AE:101%"):
        done = subprocess.run([KETLINK, "simulate", "listen", "127.0.0.1:0", "--fault", fault], capture_output=True, text=True,
                              timeout=60, check=False)
        same(done.returncode, 2, f"exit status of --fault {fault}")


def main():
    if not KETLINK.exists():
        print(f"skipped: {KETLINK} is not built")
        sys.exit(77)
    for test in (test_modes, test_ids, test_faults, test_turns, test_keep, test_tls, test_hostile_sender, test_refusals):
        with tempfile.TemporaryDirectory(prefix="ketlink-simulate-") as name:
            test(pathlib.Path(name))
            print(f"ok {test.__name__.removeprefix('test_')}")


if __name__ == "__main__":
    main()
