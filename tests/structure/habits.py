#!/usr/bin/env python3
"""Habits that a compiler does not check: banned functions, prefixes of external symbols, no mutable globals, file roles,
no words of unfinished work, no machine paths."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BANNED = r"\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|system|popen|gmtime|localtime|asctime|ctime|tmpnam|mktemp)\s*\("
UNFINISHED = r"\b(TODO|FIXME|XXX|HACK|not implemented|unimplemented)\b"
PREFIXES = {
    "base": "arena_ buf_ str_ status_ source_ diag_ decimal_ datetime_ utf8_ map_ host_ file_ uuid_ sha256_ config_ destination_ base_",
    "tree": "tree_", "definitions": "definitions_ def_ pack_", "fhirpath": "fhirpath_ fp_",
    "mapping": "mapping_ map_ fml_ conceptmap_", "validation": "validation_", "intake": "intake_", "bundle": "bundle_", "report": "report_",
    "outbox": "outbox_", "delivery": "delivery_", "exchange": "exchange_", "pipeline": "pipeline_", "console": "console_", "relay": "relay_",
    "cli": "cli_ send_ main", "mllp": "mllp_", "hl7v2": "hl7v2_", "simulate": "simulate_",
}


def source_faults(path):
    text = path.read_text()
    where = path.relative_to(ROOT)
    code = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    faults = []
    for number, line in enumerate(code.splitlines(), 1):
        match = re.search(BANNED, line)
        if match:
            faults.append(f"{where}:{number}: banned function {match.group(1)}")
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(UNFINISHED, line):
            faults.append(f"{where}:{number}: unfinished work")
    if not text.startswith("/*"):
        faults.append(f"{where}: does not open with a comment of its role")
    if text.count("\n") > 1000:
        faults.append(f"{where}: more than 1000 lines")
    return faults


def symbol_faults(build):
    faults = []
    for library in sorted(build.glob("gateway/*/libketlink_*.a")):
        stage = library.parent.name
        output = subprocess.run(["objdump", "-t", str(library)], check=True, capture_output=True, text=True).stdout
        for line in output.splitlines():
            match = re.match(r"[0-9a-f]{16} (\S)\S?\s+\S*\s*([FO])\s+(\S+)\s+[0-9a-f]+\s+(?:\.\w+ )?(\S+)$", line)
            if not match or match[4].startswith(("__", ".")):
                continue
            scope, section, name = match[1], match[3], match[4]
            if scope in "gw" and not name.startswith(tuple(PREFIXES[stage].split())):
                faults.append(f"{stage}: external symbol {name} lacks the stage's prefix")
            if section in (".data", ".bss", "*COM*"):
                faults.append(f"{stage}: {name} is a mutable global")
    return faults


def path_faults():
    faults = []
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".png", ".tgz"} or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if re.search(r"(^|[\s\"'=:(])/(work|root|home)/\w", text) and "structure" not in name:
            faults.append(f"{name}: a path of one machine")
        if re.search(r"registry\.npmjs\.org|repo1?\.maven|deb\.debian\.org|pypi\.org|\"resolved\": *\"http", text) and "structure" not in name:
            faults.append(f"{name}: names a registry host")
    return faults


def main():
    faults = []
    for path in sorted((ROOT / "gateway").rglob("*.[ch]")):
        faults += source_faults(path)
    if len(sys.argv) > 1:
        faults += symbol_faults(pathlib.Path(sys.argv[1]))
    faults += path_faults()
    print("\n".join(faults) if faults else "habits: kept")
    return 1 if faults else 0


sys.exit(main())
