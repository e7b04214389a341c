#!/usr/bin/env python3
"""The gdb script sees in a live process and in its core dump the chains that dump_tasks() sees.

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
    told, seen = (lines_of(part) for part in live.split("SIGABRT", 1))
    problems = []
    if seen != told:
        problems.append("gdb sees something else in the live process than that itself does")
    if lines_of(dead) != told:
        problems.append("gdb sees something else in the core dump")
    coroutine, pair, chain, fiber = (
        f"tests/apps/hanging.cc:{line_with(comment)}"
        for comment in ("The coroutine", "The pair", "The chain", "The fiber"))
    wanted = [f"sleep <- {coroutine} <- {pair}", f"<- {chain}", "7 x "]
    if "Operation not supported" not in live:  # Built without fibers.
        wanted.append(f"sleep <- {fiber}")
    for part in wanted:
        if not any(part in line for line in told):
            problems.append(f"nobody sees: {part}")
    if "shard 0: thread 1, runs tests/apps/hanging.cc:" not in live:
        problems.append("gdb does not see what runs")
    for problem in problems:
        print(problem)
    if problems:
        print(f"-- live\n{live}\n-- dead\n{dead}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
