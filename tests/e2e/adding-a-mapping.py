#!/usr/bin/env python3
"""Does what docs/adding-a-mapping.md tells its reader to do, and compares what comes out with what the page shows.

Usage: adding-a-mapping.py [--page FILE] [--update]      KETLINK names the program; 77 = skipped

The page's fenced blocks are its steps, in order, in a scratch copy of the project:

  ```LANGUAGE file=PATH   the file, whole; it must not be there yet
  ```diff                 changes of files that are there: the old lines must stand in the file exactly once; the line
                          that a hunk begins with may have moved, as it may for patch(1)
  ```sh                   commands, run by bash in one go, in the folder where the block before ended
  ```text [exit=N]        what the commands before print (stdout and stderr) and their exit status, 0 when not said;
                          commands without such a block print nothing

In the output a line `…` stands for any lines, and `…` within a line for any characters. Any other block is a fault.
--update writes what comes out into the page, where the page's output has no `…`: read the diff before you commit it.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/adding-a-mapping.md"
FENCE = re.compile(r"^```(.*)$")
HUNK = re.compile(r"^@@ -\d+,(\d+) \+\d+,(\d+) @@")
SHELL = r"""
set +e
[ -e "$STATE/environment" ] && . "$STATE/environment"
cd "$(cat "$STATE/folder")" || exit 99
eval "$STEP"
status=$?
pwd > "$STATE/folder"
unset STEP
export -p > "$STATE/environment"
exit $status
"""


class Fault(Exception):
    pass


class Block:
    def __init__(self, info, line, end, text):
        self.words = info.split()
        self.kind = self.words[0] if self.words else ""
        self.line, self.end, self.text = line, end, text  # lines of the opening and the closing fence, from 1

    def option(self, name):
        return next((w.split("=", 1)[1] for w in self.words[1:] if w.startswith(name + "=")), None)


def blocks_of(lines):
    blocks, opened = [], None
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if match and opened is None:
            opened = (match.group(1), number)
        elif match:
            blocks.append(Block(*opened, number, "".join(text + "\n" for text in lines[opened[1]:number - 1])))
            opened = None
    if opened:
        raise Fault(f"line {opened[1]}: this block has no end")
    return blocks


def matches(shown, got):
    """Whether the output is what the page shows, with its `…`."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.split("…")) + r"\n"
    return re.fullmatch(pattern, got) is not None


class Walk:
    def __init__(self, scratch, program):
        self.scratch, self.project, self.state = scratch, scratch / "project", scratch / "state"
        self.state.mkdir()
        (self.project / "build/release").mkdir(parents=True)
        (self.project / "build/release/ketlink").symlink_to(program)
        for folder in ("mappings", "fixtures"):
            shutil.copytree(ROOT / folder, self.project / folder)
        (self.state / "folder").write_text(f"{self.project}\n")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "LC_ALL": "C.UTF-8",
                            "STATE": str(self.state)}
        if "KETLINK_DEFINITIONS" in os.environ:
            self.environment["KETLINK_DEFINITIONS"] = os.environ["KETLINK_DEFINITIONS"]

    def path(self, name):
        path = pathlib.Path((self.state / "folder").read_text().rstrip("\n")) / name
        if not path.resolve().is_relative_to(self.scratch.resolve()):
            raise Fault(f"{name} lies outside the scratch folder")
        return path

    def create(self, block):
        path = self.path(block.option("file"))
        if path.exists():
            raise Fault(f"{block.option('file')} is there already")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)

    def patch(self, block):
        name, hunks = None, []
        for line in block.text.splitlines():
            if line.startswith("+++ "):
                name = line[4:].removeprefix("b/")
            elif line.startswith("@@"):
                hunks.append((name, [], [], HUNK.match(line)))
            elif not line.startswith("--- "):
                if not hunks or line[:1] not in (" ", "+", "-"):
                    raise Fault(f"this is no line of a diff: {line}")
                hunks[-1][1].extend([line[1:]] * (line[0] in " -"))
                hunks[-1][2].extend([line[1:]] * (line[0] in " +"))
        for name, old, new, head in hunks:
            if not head or (int(head[1]), int(head[2])) != (len(old), len(new)):
                raise Fault(f"a hunk of {name} takes {len(old)} lines and gives {len(new)}; its head says otherwise")
            path = self.path(name)
            text = path.read_text()
            old, new = ("".join(line + "\n" for line in part) for part in (old, new))
            if text.count(old) != 1:
                raise Fault(f"the old lines stand in {name} {text.count(old)} times:\n{old}")
            path.write_text(text.replace(old, new))

    def run(self, block):
        done = subprocess.run(["bash", "-c", SHELL], env=self.environment | {"STEP": block.text}, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode()


def difference(shown, got):
    lines = difflib.unified_diff(shown.splitlines(), got.splitlines(), "the page", "what comes out", lineterm="")
    return "\n".join(lines)


def check_links(page):
    """Files and headings that the page leads to."""
    for target in re.findall(r"\]\(([^):]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            raise Fault(f"{page.name}: a link to {target} leads nowhere")
        heads = [re.sub(r"[^\w -]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
                 for line in path.read_text().splitlines() if line.startswith("#")] if anchor else []
        if anchor and anchor not in heads:
            raise Fault(f"{page.name}: no heading for the link to {target}")


class Runner:
    def __init__(self, page, walk, update):
        self.page, self.walk, self.update = page, walk, update
        self.lines = page.read_text().splitlines()
        self.counts = {"file": 0, "diff": 0, "sh": 0, "text": 0}
        self.updates = []  # (line of the opening fence, line of the closing one, new text)

    def output(self, block, shown):
        """Runs commands; `shown` is the block of their output or None."""
        status, got = self.walk.run(block)
        wanted = int(shown.option("exit") or 0) if shown else 0
        if status != wanted:
            raise Fault(f"exit status {status} instead of {wanted}:\n{block.text}{got}")
        text = shown.text if shown else ""
        if matches(text, got):
            return
        if not self.update or not shown or "…" in text:
            raise Fault(f"the output differs:\n{block.text}{difference(text, got)}")
        self.updates.append((shown.line, shown.end, got))

    def step(self, block, following):
        if block.kind == "sh":
            shown = following if following and following.kind == "text" else None
            self.output(block, shown)
        elif block.kind == "diff":
            self.walk.patch(block)
        elif block.option("file"):
            self.walk.create(block)
            self.counts["file"] += 1
            return
        elif block.kind != "text":
            raise Fault("this block is neither a file, a diff, commands nor their output")
        self.counts[block.kind] += 1

    def run(self):
        blocks = blocks_of(self.lines)
        for index, block in enumerate(blocks):
            before = blocks[index - 1] if index else None
            following = blocks[index + 1] if index + 1 < len(blocks) else None
            try:
                if block.kind == "text" and (not before or before.kind != "sh"):
                    raise Fault("output without commands before it")
                self.step(block, following)
            except (Fault, OSError, subprocess.TimeoutExpired) as fault:
                raise Fault(f"{self.page.name}:{block.line}: {fault}") from None
        for first, last, text in reversed(self.updates):
            self.lines[first:last - 1] = text.splitlines()
        if self.updates:
            self.page.write_text("\n".join(self.lines) + "\n")


def main():
    program = pathlib.Path(os.environ.get("KETLINK", ROOT / "build/release/ketlink")).absolute()
    arguments = sys.argv[1:]
    page = pathlib.Path(arguments[arguments.index("--page") + 1]) if "--page" in arguments else PAGE
    if not os.access(program, os.X_OK):
        print(f"skipped: {program} is not built")
        return 77
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ketlink-page."))
    try:
        runner = Runner(page, Walk(scratch, program), "--update" in arguments)
        runner.run()
        check_links(page)
    except Fault as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch)
    c = runner.counts
    print(f"{page.name}: {c['file']} files made, {c['diff']} diffs applied, {c['sh']} blocks of commands run, "
          f"{c['text']} outputs compared" + (f", {len(runner.updates)} rewritten" if runner.updates else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
