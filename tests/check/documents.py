#!/usr/bin/env python3
"""What documents refer to exists: the files of their links, the headings behind a #, and the names,
or texts in quotes, that are links to files. Every page is listed in docs/README.md, every program
that a page shows is built from it, and what is an excerpt stands in the program.
"""
import re

import tree

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)


def pages(root):
    # What is not ours, such as a build directory, has no business here.
    for folder in (".", "docs", "container", "template", *tree.FOLDERS):
        for path in sorted((root / folder).glob("*.md" if folder == "." else "**/*.md")):
            yield path


def anchors(text):
    for heading in HEADING.findall(FENCED.sub("", text)):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def dead_links(root, path, text):
    for found in LINK.finditer(text):
        label, target = found[1], found[2]
        if re.match(r"[a-z]+:", target):
            continue
        line = text.count("\n", 0, found.start()) + 1
        place = f"{path.relative_to(root)}:{line}"
        file_name, _, anchor = target.partition("#")
        file = path.parent / file_name if file_name else path
        if not file.exists():
            yield f"{place}: there is no {target}"
            continue
        if anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{place}: {file_name or path.name} has no heading #{anchor}"
        if label.startswith("`") and file.is_file():
            source = file.read_text(encoding="utf-8")
            sought = [re.escape(label.strip('`"'))] if '"' in label else \
                [rf"\b{name}\b" for name in re.findall(r"\w+", label)]
            for pattern in sought:
                if not re.search(pattern, source):
                    yield f"{place}: {target} does not know {label}"


def excerpts(root, path, text):
    """Code without a name is an excerpt of the source file that the text behind it links to first."""
    for found in re.finditer(r"^```cpp\n(.*?)^```$(.*)", text, re.M | re.S):
        link = re.search(r"\]\(([^)]+\.(?:cc|hh))\)", found[2])
        source = (path.parent / link[1]).read_text(encoding="utf-8") if link else ""
        for part in found[1].split("\n\n"):
            if part.rstrip() not in source:
                line = text.count("\n", 0, found.start()) + 1
                yield f"{path.relative_to(root)}:{line}: that is no excerpt of {link and link[1]}"


def unlisted(root):
    index = root / "docs/README.md"
    listed = index.read_text(encoding="utf-8") if index.exists() else ""
    build = root / "docs/meson.build"
    built = build.read_text(encoding="utf-8") if build.exists() else ""
    for path in sorted((root / "docs").glob("*.md")):
        if path != index and f"]({path.name})" not in listed:
            yield f"docs/{path.name}:1: docs/README.md does not list it"
        if "\n```cpp " in path.read_text(encoding="utf-8") and f"'{path.stem}':" not in built:
            yield f"docs/{path.name}:1: docs/meson.build does not build what it shows"


def check(root):
    for path in pages(root):
        text = path.read_text(encoding="utf-8")
        yield from dead_links(root, path, FENCED.sub("", text))
        yield from excerpts(root, path, text)
    yield from unlisted(root)


if __name__ == "__main__":
    tree.main(check)
