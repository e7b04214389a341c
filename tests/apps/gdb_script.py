#!/usr/bin/env python3
"""The gdb script sees in a live process and in its core dump where what waits was attached.

Usage: gdb_script.py PROGRAM
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "gdb" / "miniss.py"
SOURCE = pathlib.Path(__file__).with_name("hanging.cc")


def gdb(*commands, program, core=None):
    words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off"]
    for command in commands:
        words += ["-ex", command]
    words += [str(program)] + ([str(core)] if core else [])
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def lines_of(text):
    """The lines of a dump that count something."""
    return sorted(line.strip() for line in text.splitlines() if re.match(r" *\d+ x ", line))


def line_with(comment):
    lines = SOURCE.read_text().splitlines()
    return 1 + next(i for i, line in enumerate(lines) if f"// {comment}." in line)


def main():
    program = sys.argv[1]
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="miniss-") as folder:
        core = pathlib.Path(folder) / "core"
        os.environ["LC_ALL"] = "C"
        live = gdb("run", f"source {SCRIPT}", "miniss tasks", "miniss shards",
                   f"generate-core-file {core}", "kill", program=program)
        if "ptrace" in live and "not permitted" in live:
            print("skipped: no process may be traced here")
            return SKIPPED
        dead = gdb(f"source {SCRIPT}", "miniss tasks", program=program, core=core)
    seen = lines_of(live.split("SIGABRT", 1)[-1])
    problems = []
    for count, comment in ((7, "The chain"), (1, "The coroutine")):
        wanted = f"{count} x tests/apps/hanging.cc:{line_with(comment)}"
        if wanted not in seen:
            problems.append(f"gdb does not see in the live process: {wanted}")
    if lines_of(dead) != seen:
        problems.append("gdb sees something else in the core dump")
    if "shard 0: thread 1, runs tests/apps/hanging.cc:" not in live:
        problems.append("gdb does not see what runs")
    for problem in problems:
        print(problem)
    if problems:
        print(f"-- live\n{live}\n-- dead\n{dead}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
