#!/usr/bin/env python3
"""The image of container/Containerfile, as far as that goes without an engine: httpd in a root that
holds only what it needs, where io_uring is forbidden; and the script that cleans up."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import http_client
import program

CONTAINER = pathlib.Path(__file__).resolve().parents[2] / "container"
ROOTLESS = os.geteuid() != 0

# What podman would do, as far as the script can tell. It notes what it was told to remove.
FAKE_ENGINE = """#!/bin/sh
case "$*" in
    "system df") echo "usage" ;;
    "ps -a -q "*) echo c1; echo c2 ;;
    "ps -a "*) echo "c1 stopped"; echo "c2 stopped" ;;
    "images -q "*) ;;
    "volume ls -q "*) echo v1 ;;
    "volume ls "*) echo "v1 local" ;;
    *) echo "$*" >>"$(dirname "$0")/removed" ;;
esac
case "$*" in *-a*|images*|*ls*) case "$*" in *"label=miniss"*) ;; *) exit 1 ;; esac ;; esac
"""


class Image(unittest.TestCase):
    def setUp(self):
        if ROOTLESS or program.SANITIZED:
            self.skipTest("needs chroot(2), and a program that is not sanitized")
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        os.chmod(self.root, 0o755)
        subprocess.run([CONTAINER / "collect", program.HTTPD, self.root], check=True)

    def enter(self):
        os.chroot(self.root)
        os.chdir("/")
        os.setgid(65534)
        os.setuid(65534)
        os.environ["HWLOC_HIDE_ERRORS"] = "2"  # An engine would mount /sys.
        program.forbid_io_uring()

    def test_the_image_holds_all_that_it_needs(self):
        """As the Containerfile runs it: another root, nobody's rights, and no io_uring."""
        with program.Server("--smp", "2", executable="/bin/httpd", backend=None,
                            before_exec=self.enter) as server:
            self.assertEqual(server.backend, "epoll")
            self.assertIn("Operation not permitted", server.why_not_io_uring)
            self.assertEqual(http_client.ask(server, "GET", "/").body, b"Hello, World!")
            server.stop()

    def test_the_image_is_small(self):
        """It is said to hold nothing else."""
        size = sum(file.stat().st_size for file in pathlib.Path(self.root).rglob("*"))
        self.assertLess(size, 16 * 1024 * 1024)


class Clean(unittest.TestCase):
    def run_clean(self, answers):
        """Gives what it printed, and what it has removed."""
        with tempfile.TemporaryDirectory() as folder:
            engine = pathlib.Path(folder, "podman")
            engine.write_text(FAKE_ENGINE, encoding="ascii")
            engine.chmod(0o755)
            done = subprocess.run([CONTAINER / "clean"], input=answers, capture_output=True,
                                  env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
                                  text=True, check=True)
            removed = pathlib.Path(folder, "removed")
            return done.stdout, removed.read_text("ascii") if removed.exists() else ""

    def test_it_shows_and_asks(self):
        """What is shown stays if the answer is anything but yes."""
        for answers in ["", "\n\n", "n\nno\n"]:
            printed, removed = self.run_clean(answers)
            self.assertIn("c1 stopped\nc2 stopped\n", printed)
            self.assertIn("No images without a name.", printed)
            self.assertIn("v1 local\n", printed)
            self.assertEqual(removed, "")

    def test_it_removes_what_it_has_shown(self):
        """Volumes are asked for apart."""
        self.assertEqual(self.run_clean("y\nn\n")[1], "rm c1 c2\n")
        self.assertEqual(self.run_clean("n\ny\n")[1], "volume rm v1\n")


if __name__ == "__main__":
    program.main()
