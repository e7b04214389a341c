"""Starts the bundled programs, and looks at them from outside.

Every script here is run as `SCRIPT HTTPD [TEST...]`; hello and echo are expected beside httpd. The
environment may name the backend to test: MINISS_TEST_BACKEND=io_uring|epoll.
"""
import contextlib
import ctypes
import errno
import mmap
import os
import pathlib
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

if len(sys.argv) < 2:
    sys.exit(f"usage: {sys.argv[0]} HTTPD [TEST...]")

HTTPD = pathlib.Path(sys.argv[1]).resolve()
BACKEND = os.environ.get("MINISS_TEST_BACKEND", "epoll")
PAGE_BYTES = resource.getpagesize()
ONE_CPU = str(min(os.sched_getaffinity(0)))


def _is_sanitized():
    with HTTPD.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as code:
            return code.find(b"__asan_init") >= 0 or code.find(b"__tsan_init") >= 0


# Sanitizers make a program several times slower, and its memory tells nothing.
SANITIZED = _is_sanitized()
# Seconds. What works takes far less.
PATIENCE = 120 if SANITIZED else 30

LISTENING = re.compile(r"(?:(\w+): )?listening on (\S+)"
                       r"(?:, (\d+) shards?, (\w+)(?: \(no io_uring: (.+)\))?)?\n")


def wait_until(condition, what, patience=PATIENCE):
    """Returns what condition() gives as soon as that is true; fails if it never is."""
    deadline = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {patience} s: {what}")
        time.sleep(0.005)
    return result


def parse_address(text):
    """Gives the family and address for the socket module."""
    if text.startswith("unix:"):
        return socket.AF_UNIX, text[len("unix:"):]
    host, port = text.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


class Program:
    """A running program; killed at the end of a `with` if it has not ended by then."""

    def __init__(self, *command, before_exec=None):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(each) for each in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        preexec_fn=before_exec)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self.process.stdout.closed and (errors := self.read_errors()):
            print(f"(exit status {self.process.returncode}, its errors: {errors.strip()})")
        self.process.stdout.close()
        self.errors.close()

    def read_line(self):
        """The next line of its output with its line break; less if it ends before."""
        line = b""
        deadline = time.monotonic() + PATIENCE
        while not line.endswith(b"\n"):
            left = max(0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no line of output within {PATIENCE} s, only {line!r}")
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                break
            line += byte
        return line.decode()

    def read_errors(self):
        # The program writes where the file's offset is, which is ours as well: not to be moved.
        file = self.errors.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, patience=PATIENCE):
        """Waits for its end. Gives the exit status, the rest of its output, and its errors."""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {patience} s") from None
        with self.process.stdout as output:
            return status, output.read().decode(), self.read_errors()

    def stop(self, number=signal.SIGTERM, patience=PATIENCE):
        """Ends it by a signal, and checks that it ends as it should."""
        self.send_signal(number)
        result = self.wait(patience)
        if result != (0, "", ""):
            raise AssertionError(f"exit status, further output, errors: {result}")

    def cpu_seconds(self):
        """What all its threads have used so far, to the nanosecond (see clock_getcpuclockid)."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * PAGE_BYTES

    def descriptor_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def descriptors(self):
        """What it has open, as the kernel calls it; but what it has just closed."""
        for place in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                yield os.readlink(place)

    def cpu_seconds_over(self, seconds):
        """What it uses from now on."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        return self.cpu_seconds() - before


class Server(Program):
    """One that listens: its line has come, and been taken apart."""

    def __init__(self, *options, executable=HTTPD, listen="127.0.0.1:0", backend=BACKEND,
                 before_exec=None):
        choice = ["--backend", backend] if backend else []
        # On a machine that is busy with other tests a turn may take long without being at fault.
        quiet = ["--blocked-reactor-notify-ms", "0"]
        super().__init__(executable, "--listen", listen, *choice, *quiet, *options,
                         before_exec=before_exec)
        try:
            self.line = self.read_line()
            if not (found := LISTENING.fullmatch(self.line)):
                raise AssertionError(f"expected a line on where it listens, got {self.line!r}, "
                                     f"errors: {self.read_errors()!r}")
        except BaseException:
            self.__exit__()
            raise
        self.name, self.listen, shard_count, self.backend, self.why_not_io_uring = found.groups()
        self.shard_count = int(shard_count or 0)
        self.family, self.address = parse_address(self.listen)

    def connect(self, source=None, receive_buffer_bytes=None):
        """A plain socket that is connected to it."""
        peer = socket.socket(self.family)
        try:
            peer.settimeout(PATIENCE)
            if receive_buffer_bytes:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            if source:
                peer.bind((source, 0))
            peer.connect(self.address)
        except BaseException:
            peer.close()
            raise
        return peer


def run(*command, before_exec=None):
    """Runs a program to its end. Gives the exit status, its output, and its errors."""
    with Program(*command, before_exec=before_exec) as program:
        return program.wait()


def forbid_io_uring(error=errno.EPERM):
    """To be called before exec: has the kernel answer io_uring_setup(2) with this error, as the
    profiles of container engines do."""
    load_number, jump_if_equal, give = 0x20, 0x15, 0x06
    allow, deny = 0x7fff0000, 0x00050000 | error
    io_uring_setup = 425  # On every architecture but Alpha.
    program = b"".join(struct.pack("HBBI", *each) for each in [
        (load_number, 0, 0, 0),
        (jump_if_equal, 0, 1, io_uring_setup),
        (give, 0, 0, deny),
        (give, 0, 0, allow),
    ])
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(code)))
    set_no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(set_no_new_privileges, 1, 0, 0, 0) or prctl(set_seccomp, mode_filter, filter_, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def skip_if_sanitized(test):
    """For tests that run out of descriptors: UBSan looks at objects through a pipe, and if it
    cannot open one, it takes them for invalid."""
    if SANITIZED:
        test.skipTest("sanitizers need descriptors themselves")


def main():
    """Runs the tests of the script; exits with 77, which means skipped, without the backend."""
    if BACKEND == "io_uring":
        try:
            with Server():
                pass
        except AssertionError as error:
            if "io_uring cannot be used" in str(error):
                print(f"skipped: {error}")
                sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
