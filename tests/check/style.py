#!/usr/bin/env python3
"""The house rules that clang-format does not know, and that every file is part of the build."""
import re

import tree

BANNED = [
    (re.compile(r"\[=[\],]"), "capture by name, never [=]"),
    (re.compile(r"\busing namespace std;"), "no using namespace std"),
]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
LINE_LENGTH_MAX = 100


def openings(sources):
    """What the .cc of a header is, the header says."""
    for source in sources:
        own_header = f"#include <miniss/{source.name.removesuffix('.cc')}.hh>\n"
        if not source.text.startswith(("// ", own_header)):
            yield f"{source.name}:1: a file opens with a sentence: what it is"
        if source.is_header and "\n#pragma once\n" not in source.text:
            yield f"{source.name}:1: no #pragma once"


def lines(sources):
    for source in sources:
        for number, (line, code) in enumerate(zip(source.lines, source.code_lines), 1):
            if len(line) > LINE_LENGTH_MAX:
                yield f"{source.name}:{number}: over {LINE_LENGTH_MAX} columns"
            if UNFINISHED.search(line):
                yield f"{source.name}:{number}: finish it, or open an issue"
            for pattern, what in BANNED:
                if pattern.search(code):
                    yield f"{source.name}:{number}: {what}"


def twin_tests(sources):
    """Catch2 runs none of an executable's tests if two have the same name."""
    first = {}
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            if found := re.search(r'TEST_CASE\((".*?[^\\]")', line):
                key = source.name.rsplit("/", 1)[0], found[1]
                if key in first:
                    yield f"{source.name}:{number}: {first[key]} has a test of the same name"
                first.setdefault(key, f"{source.name}:{number}")


def unbuilt(root, sources):
    """A file that the meson.build above it does not name is neither compiled nor installed."""
    for source in sources:
        if source.is_header and source.folder not in tree.LIBRARY:
            continue
        path = root / source.name
        build = next((above / "meson.build" for above in path.parents
                      if (above / "meson.build").exists() or above == root))
        named = build.read_text(encoding="utf-8") if build.exists() else ""
        if f"'{path.relative_to(build.parent).as_posix()}'" not in named:
            yield f"{source.name}:1: {build.relative_to(root)} does not name it"


def check(root):
    sources = tree.files(root)
    yield from openings(sources)
    yield from lines(sources)
    yield from twin_tests(sources)
    yield from unbuilt(root, sources)


if __name__ == "__main__":
    tree.main(check)
