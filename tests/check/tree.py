"""What the checks share: the tree's C++ files, their text without comments, and a main()."""
import pathlib
import re
import sys

LIBRARY = ("core", "timer", "smp", "net")
FOLDERS = LIBRARY + ("apps", "tests", "bench")

# Comments, strings and characters, so that none is taken for the other. A quote between two
# digits or letters separates digits: 1'000.
TOKEN = re.compile(
    r"""//(?:\\\n|[^\n])*|/\*.*?\*/|R"(?P<end>[^()\s\\]{0,16})\(.*?\)(?P=end)"|"""
    r""""(?:\\.|[^"\\\n])*"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'""", re.S)


class File:
    """A source file: its name from the root, its text, and `code`, which has the same lines but
    blank comments and empty strings."""

    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        self.folder = self.name.split("/")[0]
        self.is_header = path.suffix == ".hh"
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.code = TOKEN.sub(self._blank, self.text)
        self.code_lines = self.code.splitlines()

    @staticmethod
    def _blank(match):
        quote = match[0][0] if match[0][0] in "\"'" else '"' if match[0][0] == "R" else ""
        return quote + "\n" * match[0].count("\n") + quote

    def includes(self):
        """Yields (line number, what is included with its brackets or quotes)."""
        for number, line in enumerate(self.lines, 1):
            if found := re.match(r'\s*#\s*include\s*([<"][^>"]+[>"])', line):
                yield number, found[1]

    def own_includes(self):
        """Yields (line number, name from the root) of the files of this tree."""
        for number, what in self.includes():
            if what.startswith("<miniss/"):
                yield number, what[len("<miniss/"):-1]


def files(root, folders=FOLDERS):
    return [File(root, path) for folder in folders for path in sorted((root / folder).rglob("*"))
            if path.suffix in (".hh", ".cc")]


def main(check):
    """Prints what check(root) yields. Fails if that is anything, or if there is nothing to check."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../../..").resolve()
    found = list(check(root)) if files(root) else [f"{root}: no source files"]
    print("\n".join(found) or f"{pathlib.Path(sys.argv[0]).stem}: ok")
    sys.exit(bool(found))
