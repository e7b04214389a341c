#!/usr/bin/env python3
"""Includes point downwards only: core <- timer <- {smp, net} <- apps; smp and net are strangers.

Nor may files include each other in a circle, and in core neither futures nor I/O backends may
know of the other.
"""
import tree

BELOW = {
    "core": [],
    "timer": ["core"],
    "smp": ["core", "timer"],
    "net": ["core", "timer"],
    "apps": ["core", "timer", "smp", "net"],
    "tests": ["core", "timer", "smp", "net", "apps"],
    "bench": ["core", "timer", "smp", "net", "apps", "tests"],
}

# Whatever the first includes, however far down, the second is not among it.
STRANGERS = [
    ("core/future.hh", "core/io_backend.hh"),
    ("core/future.hh", "core/reactor.hh"),
    ("core/io_backend.hh", "core/promise.hh"),
]


def wrong_layers(sources):
    for source in sources:
        for number, target in source.own_includes():
            folder = target.split("/")[0]
            if folder != source.folder and folder not in BELOW[source.folder]:
                yield f"{source.name}:{number}: {source.folder}/ must not include {folder}/"


def wrong_spelling(sources):
    names = {source.name for source in sources}
    for source in sources:
        for number, what in source.includes():
            if what.startswith('"'):
                yield f"{source.name}:{number}: write <miniss/...> instead of {what}"
            elif what.startswith("<miniss/") and what[len("<miniss/"):-1] not in names:
                yield f"{source.name}:{number}: there is no {what}"


def cycles(graph):
    """Yields a line for each include that closes a circle."""
    done, path = set(), []

    def visit(name):
        path.append(name)
        for number, target in graph[name]:
            if target in path:
                circle = path[path.index(target):] + [target]
                yield f"{name}:{number}: includes in a circle: " + " -> ".join(circle)
            elif target in graph and target not in done:
                yield from visit(target)
        done.add(path.pop())

    for name in graph:
        if name not in done:
            yield from visit(name)


def meetings_of_strangers(graph):
    for top, stranger in STRANGERS:
        pending, reached = [top], {top}
        while pending:
            name = pending.pop()
            for number, target in graph.get(name, []):
                if target == stranger:
                    yield f"{name}:{number}: {top} must not know of {stranger}"
                if target not in reached:
                    reached.add(target)
                    pending.append(target)


def check(root):
    sources = tree.files(root)
    graph = {source.name: list(source.own_includes()) for source in sources}
    yield from wrong_spelling(sources)
    yield from wrong_layers(sources)
    yield from cycles(graph)
    yield from meetings_of_strangers(graph)


if __name__ == "__main__":
    tree.main(check)
