#!/usr/bin/env python3
"""Sizes stay readable, headers cheap, and each dependency in its one place."""
import re

import tree

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
# What a chain, a turn of a shard, a timer and a call to another shard are made of: what one has to
# read to know how it works. The rest of the library is built on top of it, file by file.
HEART = re.compile(
    r"core/(this_shard|task|future_state|promise|future|continuation|loop|io_backend|reactor|"
    r"uring_(backend|buffer_ring|cancels))\.(hh|cc)|timer/timer\w*\.(hh|cc)|smp/(spsc_queue|doorbell|mailbox|smp)\.(hh|cc)")
HEART_CODE_LINES_MAX = 3120

# These cost every user of a header hundreds of milliseconds, or tie him to a dependency.
BANNED_IN_HEADERS = re.compile(
    r"<(functional|iostream|thread|regex|fmt/.*|liburing.*|hwloc.*|CLI/.*)>")

# A dependency, the files that may include it, and how many may. The benchmark's floor is a bare
# io_uring program on purpose.
HOMES = [
    ("liburing.h", re.compile(r"core/uring_\w+\.(cc|internal)|bench/http/\w+\.cc"), None),
    ("hwloc.h", re.compile(r"smp/\w+\.cc"), 1),
    ("fmt/args.h", re.compile(r"core/\w+\.cc"), 1),
    ("CLI/CLI.hpp", re.compile(r"(core|smp|apps)/[\w/]+\.cc"), 1),
]

THREAD_LOCAL_HOME = "core/this_shard.hh"


def long_files(sources):
    for source in sources:
        if len(source.lines) > FILE_LINES_MAX:
            yield f"{source.name}:{len(source.lines)}: over {FILE_LINES_MAX} lines"


def opens_function(head):
    """Whether `head`, the code between the last ; { or } and a {, is that of a function."""
    head = re.sub(r"\[\[.*?\]\]|alignas\s*\([^)]*\)", " ", head, flags=re.S)
    head = re.sub(r"^\s*template\s*<.*?>\s*(?=\w)", "", head, flags=re.S)
    if re.match(r"\s*((inline|export|typedef)\s+)?(namespace|class|struct|union|enum|extern)\b",
                head):
        return False
    return "(" in head


def opens_initializer(head):
    """Whether the { after `head` gives a member its value: foo() : _bar{1} {}."""
    return re.search(r"\)[^()]*:(?!:).*[\w>]\s*$", head, re.S) is not None


def functions(code):
    """Yields (first line, last line) of every function that is not inside another."""
    line, head, head_line = 1, "", 1
    depth, function_depth, first_line = 0, None, 0
    initializer_depth = None
    for char in code:
        if char == "\n":
            line += 1
        if char == "{":
            if function_depth is None and initializer_depth is None:
                if opens_initializer(head):
                    initializer_depth = depth
                elif opens_function(head):
                    function_depth, first_line = depth, head_line
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == function_depth:
                yield first_line, line
                function_depth = None
            if depth == initializer_depth:
                initializer_depth = None
                continue
        if initializer_depth is not None:
            continue
        if char in "{};":
            head = ""
        elif head or not char.isspace():
            head_line = head_line if head else line
            head += char


def long_functions(sources):
    for source in sources:
        without_directives = re.sub(r"^[ \t]*#(\\\n|.)*", "", source.code, flags=re.M)
        for first, last in functions(without_directives):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield (f"{source.name}:{first}: function of {last - first + 1} lines, "
                       f"over {FUNCTION_LINES_MAX}")


def code_line_count(sources):
    return sum(1 for source in sources for line in source.code_lines if line.strip())


def heart_size(sources):
    size = code_line_count(source for source in sources if HEART.fullmatch(source.name))
    if size > HEART_CODE_LINES_MAX:
        yield f"core:0: the heart holds {size} lines of code, over {HEART_CODE_LINES_MAX}"


def misplaced(sources):
    included_by = {dependency: [] for dependency, _, _ in HOMES}
    for source in sources:
        for number, what in source.includes():
            if source.folder in tree.LIBRARY and source.is_header and \
                    BANNED_IN_HEADERS.fullmatch(what):
                yield f"{source.name}:{number}: {what} is banned in headers"
            for dependency, home, _ in HOMES:
                if what == f"<{dependency}>":
                    included_by[dependency].append(f"{source.name}:{number}")
                    if not home.fullmatch(source.name):
                        yield f"{source.name}:{number}: {what} belongs in {home.pattern}"
        for number, line in enumerate(source.code_lines, 1):
            if re.search(r"\bthread_local\b", line) and source.name != THREAD_LOCAL_HOME:
                yield f"{source.name}:{number}: thread_local belongs in {THREAD_LOCAL_HOME}"
    for dependency, _, most in HOMES:
        for place in included_by[dependency][most:] if most else []:
            yield f"{place}: <{dependency}> is included by {included_by[dependency][0]} already"


def check(root):
    sources = tree.files(root)
    yield from long_files(sources)
    yield from long_functions(sources)
    yield from heart_size(sources)
    yield from misplaced(sources)


if __name__ == "__main__":
    tree.main(check)
