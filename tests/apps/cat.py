#!/usr/bin/env python3
"""What cat prints, and what it says about files that it cannot print."""
import pathlib
import subprocess
import tempfile
import unittest

import program

CAT = program.HTTPD.parent / "cat"


def cat(*arguments, stdin=b"", stdout=subprocess.PIPE):
    """Gives the exit status, the output, and the errors."""
    done = subprocess.run([CAT, "--backend", program.BACKEND, *arguments], input=stdin,
                          stdout=stdout, stderr=subprocess.PIPE, timeout=program.PATIENCE,
                          check=False)
    return done.returncode, done.stdout, done.stderr.decode()


class Cat(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.long = bytes(i * 31 + i // 251 & 255 for i in range(300_000))
        self.long_file = self.write("long", self.long)

    def write(self, name, content):
        path = pathlib.Path(self.folder.name) / name
        path.write_bytes(content)
        return str(path)

    def test_files_come_one_after_the_other(self):
        first, empty = self.write("first", b"first\n"), self.write("empty", b"")
        self.assertEqual(cat(first, empty, self.long_file, first),
                         (0, b"first\n" + self.long + b"first\n", ""))

    def test_standard_input_is_printed_without_a_name_and_for_a_dash(self):
        self.assertEqual(cat(stdin=self.long), (0, self.long, ""))
        first = self.write("first", b"first\n")
        self.assertEqual(cat(first, "-", first, stdin=b"in between\n"),
                         (0, b"first\nin between\nfirst\n", ""))

    def test_what_cannot_be_read_is_named_and_the_rest_is_printed(self):
        missing = self.folder.name + "/missing"
        status, output, errors = cat(missing, self.folder.name, self.long_file)
        self.assertEqual((status, output), (1, self.long))
        self.assertEqual(errors.splitlines(), [
            f"cat: {missing}: No such file or directory",
            f"cat: {self.folder.name}: Is a directory"])

    def test_output_may_be_a_file_that_has_a_beginning(self):
        path = self.write("output", b"before ")
        with open(path, "ab") as output:
            self.assertEqual(cat(self.long_file, stdout=output)[0], 0)
        self.assertEqual(pathlib.Path(path).read_bytes(), b"before " + self.long)

    def test_a_full_disk_is_told_and_fails(self):
        with open("/dev/full", "wb") as full:
            status, _, errors = cat(self.long_file, stdout=full)
        self.assertEqual((status, errors), (1, "cat: standard output: No space left on device\n"))


if __name__ == "__main__":
    program.main()
