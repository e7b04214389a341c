#!/usr/bin/env python3
"""The programs that a page of Markdown shows, and what the page says that they print.

A page names a program behind the word cpp that opens a block of code. Blocks of one name are one
program, in their order. In blocks of the language console, lines that begin with a dollar are
commands, and below each is what it prints, where … stands for anything within a line. Of a command
in the background that is what it has printed before the next command is given; `kill %1` prints
the rest, and has to end it well.

Usage: page.py extract PAGE PROGRAM            prints the source
       page.py run PAGE DIRECTORY PROGRAM...   runs all commands with these programs, which are all
                                               that the page shows, from DIRECTORY
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(cpp|console)\b *(\S*)\n(.*?)^```$", re.M | re.S)
PATIENCE = 60  # Seconds for one command, on the slowest machine.


def blocks(text):
    """Yields (line of its first line, language, name, content)."""
    for found in BLOCK.finditer(text):
        yield text.count("\n", 0, found.start(3)) + 1, found[1], found[2], found[3]


def extract(page, program):
    text = pathlib.Path(page).read_text(encoding="utf-8")
    for line, language, name, content in blocks(text):
        if language == "cpp" and name == program:
            print(f'#line {line} "{page}"\n{content}', end="")


class Session:
    """A shell, as far as a page needs one: commands, some in the background, until kill %1."""

    def __init__(self, directory):
        self.directory = directory
        self.server = None
        self.port = None

    def run(self, command, expected_line_count):
        """Gives what the command printed."""
        if command.endswith("&"):
            return self.start(command.removesuffix("&"), expected_line_count)
        if command == "kill %1":
            return self.stop()
        if self.port:  # Where the page says 8080, the server has taken a free one.
            command = command.replace(":8080", f":{self.port}")
        done = subprocess.run(["bash", "-c", command], cwd=self.directory, timeout=PATIENCE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        return done.stdout

    def start(self, command, line_count):
        self.server = subprocess.Popen(shlex.split(command.replace(":8080", ":0")), text=True,
                                       cwd=self.directory, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
        printed = "".join(self.server.stdout.readline() for _ in range(line_count))
        if found := re.search(r"listening on \S*:(\d+)", printed):
            self.port = found[1]
            printed = printed.replace(f":{self.port}", ":8080")
        return printed

    def stop(self):
        self.server.terminate()
        printed, _ = self.server.communicate(timeout=PATIENCE)
        status = self.server.returncode
        self.server = self.port = None
        return printed + (f"[it ended with {status}]\n" if status else "")


def matches(printed, expected):
    pattern = "[^\n]*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, printed) is not None


def run_block(page, line, content, directory):
    """Yields what a command printed otherwise than the page says."""
    session = Session(directory)
    try:
        for step in re.split(r"^(?=\$ )", content, flags=re.M):
            if not step:
                continue
            command, _, expected = step.removeprefix("$ ").partition("\n")
            printed = session.run(command, expected.count("\n"))
            if not matches(printed, expected):
                yield f"{page}:{line}: $ {command}\n{printed}---- instead of\n{expected}"
            line += step.count("\n")
    finally:
        if session.server:
            session.stop()


def run(page, directory, programs):
    text = pathlib.Path(page).read_text(encoding="utf-8")
    shown = {name for _, language, name, _ in blocks(text) if language == "cpp"}
    if shown != set(programs):
        yield f"{page}: shows {sorted(shown)}, and {sorted(programs)} are built from it"
    with tempfile.TemporaryDirectory() as scratch:
        for name in programs:
            os.symlink(pathlib.Path(directory, name).resolve(), pathlib.Path(scratch, name))
        for line, language, _, content in blocks(text):
            if language == "console":
                yield from run_block(page, line, content, scratch)


def main():
    what, page, *rest = sys.argv[1:]
    if what == "extract":
        extract(page, *rest)
        return
    failures = list(run(page, rest[0], rest[1:]))
    print("\n".join(failures) or "ok")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
