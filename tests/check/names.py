#!/usr/bin/env python3
"""Every public name is explained: a comment stands above each type and each function that a header
offers, or above the group, without an empty line in it, that it belongs to.

The first name of a header may leave that to the sentence that opens the file; members leave it to
their type as far as they speak for themselves.
"""
import re
import typing

import tree

# What is in these is not for users.
PRIVATE_NAMESPACES = {"", "internal", "std"}

TEMPLATE = re.compile(r"template\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>")
ATTRIBUTE = re.compile(r"\[\[.*?\]\]|\balignas\s*\([^()]*\)", re.S)
TYPE = re.compile(r"(class|struct|union|enum(?:\s+class)?)\s+(\w+)\s*(?:$|final\b|:(?!:))")
UNNAMED = re.compile(r"(using\s+(namespace\b|[\w:]+$)|friend\b|static_assert\b|typename\b|extern\b)")


class Scope(typing.NamedTuple):
    type_name: str  # Empty for a namespace.
    is_offered: bool  # Whether it is public itself.
    is_public: bool  # Whether what is declared next in it is.


class Declaration(typing.NamedTuple):
    line: int  # From 0.
    text: str  # Up to its body or semicolon, without template parameters and attributes.
    has_body: bool
    around: str  # The type of which it is a member.


def end_of_block(code, at):
    """Where the block ends that opens at `at`."""
    depth = 0
    for end in range(at, len(code)):
        depth += {"{": 1, "}": -1}.get(code[end], 0)
        if depth == 0:
            return end
    return len(code) - 1


def scope_of(text, around):
    """The scope that opens behind `text`, or none: then it is a function, or a value."""
    if found := re.fullmatch(r"(?:inline\s+)?namespace\b\s*([\w:]*)", text):
        public = around.is_public and not PRIVATE_NAMESPACES & {*found[1].split("::")}
        return Scope("", public, public)
    found = TYPE.match(text)
    if found and not found[1].startswith("enum"):
        return Scope(found[2], around.is_public, around.is_public and found[1] != "class")
    if not found and re.match(r"(class|struct)\b.*<", text, re.S):  # A specialisation.
        return Scope("", False, False)
    return None


def declarations(code):
    """Yields what a header declares in public."""
    code = re.sub(r"^[ \t]*#(?:\\\n|.)*", lambda found: re.sub(r"[^\n]", " ", found[0]), code,
                  flags=re.M)
    scopes = [Scope("", True, True)]
    at = begin = parentheses = 0
    while at < len(code):
        char = code[at]
        head = code[begin:at]
        parentheses += {"(": 1, ")": -1}.get(char, 0)
        text = ATTRIBUTE.sub(" ", TEMPLATE.sub(" ", head)).strip() if char in "{;:" else ""
        if char == "{" and (parentheses != 0 or not text):
            at = end_of_block(code, at)  # A default argument.
        elif parentheses == 0 and char in "{;" and text:
            line = code.count("\n", 0, begin + len(head) - len(head.lstrip()))
            declared = Declaration(line, text, char == "{", scopes[-1].type_name)
            inner = scope_of(text, scopes[-1]) if char == "{" else None
            if char == "{" and re.search(r"\brequires\s*(\([^()]*\))?$", text):
                at = end_of_block(code, at)  # More of the head follows.
            else:
                if scopes[-1].is_public and not text.startswith(("namespace", "inline namespace")):
                    yield declared
                if inner:
                    scopes.append(inner)
                elif char == "{":
                    at = end_of_block(code, at)
                begin = at + 1
        elif char == "}":
            scopes.pop()
            begin = at + 1
        elif char == ";":
            begin = at + 1 if parentheses == 0 else begin
        elif char == ":" and text in ("public", "protected", "private"):
            scopes[-1] = scopes[-1]._replace(
                is_public=scopes[-1].is_offered and text == "public")
            begin = at + 1
        at += 1


def name_of(declared):
    """The name that has to be explained, if any."""
    text = declared.text
    if UNNAMED.match(text) or re.match(r"\w+\s*\(", text):  # The latter: a deduction guide.
        return None
    if found := TYPE.match(text):
        return found[2] if declared.has_body and found[2] != "iterator" else None
    if declared.around:
        return None
    if found := re.match(r"(?:using|concept)\s+(\w+)", text):
        return found[1]
    while text != (shorter := re.sub(r"\((?:[^()]|\(\))+\)", "()", text)):
        text = shorter
    text = re.sub(r"\b(requires|noexcept|decltype|explicit)\s*\(\)", " ", text)
    found = re.match(r"[^=]*?(?<!::)(\b\w+)\s*\(\)", text)
    return found[1] if found and "operator" not in text else None


def is_explained(source, declared):
    for above in reversed(source.lines[:declared.line]):
        above = above.strip()
        if above.startswith("//"):
            return True
        if not above or re.fullmatch(r"(public|protected|private):|.*\bnamespace .*\{", above):
            return False
    return False


def unexplained(source):
    is_first = True
    for declared in declarations(source.code):
        name = name_of(declared)
        if name and not is_first and not is_explained(source, declared):
            yield f"{source.name}:{declared.line + 1}: nothing says what {name} is"
        is_first = is_first and not name


def check(root):
    for source in tree.files(root, tree.LIBRARY):
        if source.is_header:
            yield from unexplained(source)


if __name__ == "__main__":
    tree.main(check)
