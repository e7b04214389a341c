#!/usr/bin/env python3
"""What the programs are told by their options, what they tell in return, and how they refuse."""
import contextlib
import ctypes
import errno
import functools
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest
import unittest.mock

import program
from http_client import Connection, ask

HELLO = program.HTTPD.with_name("hello")
ECHO = program.HTTPD.with_name("echo")


def keep_from_low_ports():
    """To be called before exec: root does without CAP_NET_BIND_SERVICE."""
    drop_from_bounding_set, net_bind_service = 24, 10
    if os.geteuid() == 0 and \
            ctypes.CDLL(None).prctl(drop_from_bounding_set, net_bind_service, 0, 0, 0):
        raise OSError("prctl")


class Options(unittest.TestCase):
    def check_serves(self, server):
        reply = ask(server, "GET", "/")
        self.assertEqual((reply.status, reply.body), (200, b"Hello, World!"))

    def check_refused(self, *options, hint, executable=program.HTTPD, before_exec=None):
        """One line on stderr with the program's name and `hint`, nothing on stdout, status 1."""
        with self.subTest(" ".join(options)), \
                program.Program(executable, *options, before_exec=before_exec) as refused:
            self.assertEqual(refused.read_line(), "")
            status, output, errors = refused.wait()
            self.assertEqual((status, output), (1, ""), errors)
            self.assertRegex(errors, rf"\A{executable.name}: [^\n]*{hint}[^\n]*\n\Z")


class Sources(Options):
    """Where an option comes from: the command line, the environment, a file."""

    def hello(self, *options, file=None, **environment):
        """How many shards say hello."""
        with tempfile.NamedTemporaryFile("w") as config, \
                unittest.mock.patch.dict(os.environ, environment):
            config.write(file or "")
            config.flush()
            given = ["--config", config.name] if file else []
            status, output, errors = program.run(HELLO, *given, *options)
            self.assertEqual((status, errors), (0, ""))
            return len(output.splitlines())

    def test_precedence(self):
        """The command line beats the environment, which beats the file."""
        self.assertEqual(self.hello(file="smp = 3\n"), 3)
        self.assertEqual(self.hello(file="smp = 3\n", MINISS_SMP="2"), 2)
        self.assertEqual(self.hello("--smp", "1", file="smp = 3\n", MINISS_SMP="2"), 1)

    def test_environment(self):
        """The program's own options are under its name; a file can be named there too."""
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("smp = 2\n")
            config.flush()
            self.assertEqual(self.hello(MINISS_CONFIG=config.name), 2)
        with unittest.mock.patch.dict(os.environ, {"HTTPD_LISTEN": "nonsense"}):
            self.check_refused(hint="nonsense")

    def test_refused(self):
        """What is wrong is told with the place that it comes from."""
        with unittest.mock.patch.dict(os.environ, {"MINISS_SMP": "0"}):
            self.check_refused(hint="environment.*--smp")
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("smpp = 2\n")
            config.flush()
            self.check_refused("--config", config.name, hint=f"{config.name}.*smpp")
        self.check_refused("--config", "/nonexistent.ini", hint="nonexistent")
        for text, hint in [("smp = 0", "smp"), ("smp = -1", "smp"), ("smp = 99999999999", "smp"),
                           ("smp = 1\nno-pin = true\nsmp = 2", "smp is given twice"),
                           ("log-level = info\ndefault-log-level = info", "given twice"),
                           ("header-bytes = -1", "header-bytes"), ("config = x", "config"),
                           ("help = true", "help"), ("[section]\nsmp = 1", "section")]:
            with tempfile.NamedTemporaryFile("w") as config:
                config.write(text + "\n")
                config.flush()
                self.check_refused("--config", config.name, hint=f"{config.name}.*{hint}")

    def test_unknown_variables(self):
        """Variables that look like options and are none are left alone: others set them."""
        self.assertEqual(self.hello("--smp", "1", HELLO_SERVICE_HOST="10.0.0.1",
                                    MINISS_SERVICE_HOST="10.0.0.2"), 1)

    def test_numbers(self):
        """A number is refused that is negative or too large for its option, or no number."""
        for number in ["-1", "18446744073709551616", "99999999999999999999999", "1x", "0x10", "",
                       "1.5", " 1", "+1"]:
            self.check_refused("--header-bytes=" + number, hint="--header-bytes")
        for option in ["--smp", "--blocked-reactor-notify-ms", "--idle-poll-time-us"]:
            for number in ["-1", "99999999999999999999999", "x"]:
                self.check_refused(f"{option}={number}", hint=option)
        self.check_refused("--idle-time", "-1s", hint="--idle-time")
        self.check_refused("--idle-time", "99999999999999999h", hint="--idle-time")
        self.check_refused("--header-bytes=1\n2", hint="1 2")  # Still one line.

    def test_twice(self):
        """An option that is given twice is refused: one of the two is a mistake."""
        self.check_refused("--smp", "3", "--smp", "1", hint="--smp")
        self.check_refused("-c", "3", "--smp=3", hint="--smp")
        self.check_refused("--header-bytes", "3000", "--header-bytes", "3000",
                           hint="--header-bytes")
        self.check_refused("--idle-time", "3s", "--idle-time", "3s", hint="--idle-time")

    def test_repeated(self):
        """Lists may be spread over the lines of a file, and a flag may be there more than once."""
        self.assertEqual(self.hello("--no-pin", "--smp", "1", "--no-pin"), 1)
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("logger-log-level = first=warn\nno-pin = true\nsmp = 1\n"
                         "logger-log-level = second=warn\nno-pin = true\n")
            config.flush()
            status, output, errors = program.run(ECHO, "--config", config.name, "--help-loggers")
        self.assertEqual((status, output), (0, "echo\nminiss\n"))
        for name in ["first", "second"]:
            self.assertIn(f"no logger is called {name} yet", errors)

    def test_log_levels(self):
        """Levels and names are checked, and the loggers there are can be listed."""
        self.check_refused("--log-level", "loud", hint="loud")
        self.check_refused("--logger-log-level", "miniss", hint="NAME=LEVEL")
        self.check_refused("--logger-log-level", "miniss=loud", hint="loud")
        status, output, errors = program.run(
            ECHO, "--default-log-level", "debug", "--logger-log-level", "echo=trace,miniss=warn",
            "--help-loggers")
        self.assertEqual((status, output, errors), (0, "echo\nminiss\n", ""))
        status, output, errors = program.run(ECHO, "--logger-log-level", "ecco=warn",
                                             "--help-loggers")
        self.assertEqual((status, output), (0, "echo\nminiss\n"))
        self.assertRegex(errors, r"\AWARN .* - [^\n]*ecco [^\n]*echo, miniss\n\Z")


class Start(Options):
    def test_help(self):
        """--help names every option and starts nothing."""
        for executable in [program.HTTPD, ECHO, HELLO]:
            with self.subTest(executable.name):
                status, output, errors = program.run(executable, "--help")
                self.assertEqual((status, errors), (0, ""))
                own = [] if executable == HELLO else ["--listen"]
                for option in ["--smp", "--cpuset", "--backend", "--log-level", "--config",
                               "--help", "--version", *own]:
                    self.assertIn(option, output)

    def test_version(self):
        """--version is one line: name and number."""
        for executable in [program.HTTPD, ECHO, HELLO]:
            with self.subTest(executable.name):
                status, output, errors = program.run(executable, "--version")
                self.assertEqual((status, errors), (0, ""))
                self.assertRegex(output, rf"\A{executable.name} [^\n]*\d+\.\d+\.\d+[^\n]*\n\Z")

    def test_listen_ipv4(self):
        """--listen 127.0.0.1:0 lets the kernel choose a port, and the line names it."""
        with program.Server("--smp", "1") as server:
            self.assertEqual((server.name, server.address[0]), ("httpd", "127.0.0.1"))
            self.assertGreater(server.address[1], 0)
            self.check_serves(server)
            server.stop()

    def test_listen_ipv6(self):
        """--listen [::1]:0 takes an IPv6 address in brackets."""
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        for smp in ["1", "2"]:
            with self.subTest(smp=smp), program.Server("--smp", smp, listen="[::1]:0") as server:
                self.assertRegex(server.listen, r"\A\[::1\]:\d+\Z")
                self.check_serves(server)
                server.stop()

    def test_smp(self):
        """--smp sets the number of shards; each has a thread of its own, and all serve."""
        for count in [1, 2]:
            with self.subTest(count), program.Server("--smp", str(count)) as server:
                self.assertEqual(server.shard_count, count)
                self.assertIn(f", {count} shard{'s' if count > 1 else ''}, ", server.line)
                tasks = pathlib.Path(f"/proc/{server.pid}/task").iterdir()
                names = sorted((task / "comm").read_text().strip() for task in tasks)
                self.assertEqual([name for name in names if name.startswith("miniss/")],
                                 [f"miniss/{shard}" for shard in range(count)])
                for _ in range(20):
                    self.check_serves(server)
                server.stop()

    def test_cpuset(self):
        """--cpuset puts a shard on each of these CPUs, and nowhere else."""
        with program.Server("--cpuset", program.ONE_CPU) as server:
            self.assertEqual(server.shard_count, 1)
            self.assertEqual(os.sched_getaffinity(server.pid), {int(program.ONE_CPU)})
            self.check_serves(server)
            server.stop()

    def test_backend(self):
        """--backend decides what the shards run on, and the line names it."""
        with program.Server("--smp", "1", backend=program.BACKEND) as server:
            self.assertEqual((server.backend, server.why_not_io_uring), (program.BACKEND, None))
            self.check_serves(server)
            has_ring = any("io_uring" in what for what in server.descriptors())
            self.assertEqual(has_ring, program.BACKEND == "io_uring")
            server.stop()

    def test_malloc_is_left_alone(self):
        """No program of ours brings another malloc or operator new."""
        if program.SANITIZED:
            self.skipTest("sanitizers bring one")
        listed = subprocess.run(["nm", "--defined-only", program.HTTPD], stdout=subprocess.PIPE,
                                check=True, text=True).stdout
        defined = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
        self.assertIn("main", defined)
        self.assertFalse(defined & {"malloc", "free", "_Znwm", "_Znam", "_ZdlPv", "_ZdaPv"})

    def test_line_stands_alone(self):
        """The line comes when connections are let in, and nothing is printed after it."""
        with program.Server("--smp", "2") as server:
            with Connection(server) as connection:
                self.assertEqual(connection.ask("GET", "/").status, 200)
            server.stop()  # Also checks that there was no further output.


class UnixSockets(Options):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="miniss-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "socket"
        self.listen = f"unix:{self.path}"

    @staticmethod
    def is_refused(server):
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def test_made_and_removed(self):
        """--listen unix:/path makes a socket there, and removes it in the end."""
        for smp in ["1", "2"]:
            with self.subTest(smp=smp), \
                    program.Server("--smp", smp, listen=self.listen) as server:
                self.assertEqual(server.listen, self.listen)
                self.assertTrue(stat.S_ISSOCK(self.path.stat().st_mode))
                for _ in range(20):
                    self.check_serves(server)
                server.stop()
                self.assertEqual(list(self.folder.iterdir()), [])

    def test_stale_is_replaced(self):
        """A socket that nobody listens to any more is replaced."""
        with program.Server("--smp", "1", listen=self.listen) as server:
            server.send_signal(signal.SIGKILL)
            server.wait()
            # The kernel takes rings, and what is armed on them, apart in the background.
            program.wait_until(lambda: self.is_refused(server), "the killed one's socket closes")
        self.assertTrue(self.path.exists())
        with program.Server("--smp", "1", listen=self.listen) as server:
            self.check_serves(server)
            server.stop()

    def test_live_is_refused(self):
        """A socket that somebody listens to is left to him."""
        with program.Server("--smp", "1", listen=self.listen) as server:
            self.check_refused("--listen", self.listen, hint="in use")
            self.check_serves(server)
            server.stop()

    def test_file_is_refused(self):
        """A file that is no socket is left alone."""
        self.path.write_text("precious")
        self.check_refused("--listen", self.listen, hint="in use|not a socket")
        self.assertEqual(self.path.read_text(), "precious")

    def test_no_place(self):
        """A path that cannot be is refused."""
        self.check_refused("--listen", f"unix:{self.folder}/missing/socket", hint="No such file")
        self.check_refused("--listen", "unix:", hint="bad address")
        self.check_refused("--listen", "unix:/" + "x" * 200, hint="bad address")


class Refused(Options):
    def test_port_in_use(self):
        """A port on which somebody else listens is not shared with him."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.check_refused("--listen", f"127.0.0.1:{other.getsockname()[1]}", hint="in use")

    def test_port_of_another_httpd(self):
        """Nor with another httpd, however many shards either has."""
        for other_smp in ["1", "2"]:
            with program.Server("--smp", other_smp) as other:
                for smp in ["1", "2"]:
                    self.check_refused("--smp", smp, "--listen", other.listen, hint="in use")
                self.check_serves(other)
                other.stop()

    def test_bad_options(self):
        """What is no option, or has no such value, is refused by name."""
        self.check_refused("--unknown", hint="--unknown")
        self.check_refused("stray", hint="stray")
        self.check_refused("--listen", hint="--listen")
        self.check_refused("--smp", "0", hint="")
        self.check_refused("--smp", "-1", hint="")
        self.check_refused("--smp", "x", hint="x")
        self.check_refused("--smp", "1000000", hint="")
        self.check_refused("--backend", "magic", hint="magic")
        self.check_refused("--cpuset", "x", hint="x")
        self.check_refused("--cpuset", "", hint="")
        self.check_refused("--cpuset", "1-0", hint="1-0")

    def test_bad_addresses(self):
        """What is no address is refused by name."""
        for address in ["", "127.0.0.1", "localhost:8080", "127.0.0.1:x", "127.0.0.1:65536",
                        "127.0.0.1:", ":8080", "300.0.0.1:80", "::1:80", "[::1]", "[::1:80",
                        "[127.0.0.1]:80"]:
            self.check_refused("--listen", address, hint="bad address")
        self.check_refused("--listen", "192.0.2.1:0", hint="192.0.2.1")  # Not on this machine.

    def test_missing_cpu(self):
        """A CPU that does not exist is refused by number."""
        self.check_refused("--cpuset", "1000", hint="1000")
        self.check_refused("--cpuset", f"{program.ONE_CPU},1000", hint="1000")
        self.check_refused("--cpuset", "99999999999", hint="99999999999")

    def test_forbidden_cpu(self):
        """A CPU that the process may not use is refused by number."""
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("only one CPU")
        self.check_refused("--cpuset", str(cpus[1]), hint=str(cpus[1]),
                           before_exec=lambda: os.sched_setaffinity(0, cpus[:1]))

    def test_low_port(self):
        """A port that takes a privilege is refused without it."""
        first = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        if first.exists() and int(first.read_text()) <= 1:
            self.skipTest("here every port is open to everybody")
        self.check_refused("--listen", "127.0.0.1:1", hint="Permission denied",
                           before_exec=keep_from_low_ports)

    def test_too_few_descriptors(self):
        """Where it may open too few files to start, it says so; else it starts and stops."""
        program.skip_if_sanitized(self)
        started_count = 0
        for limit in range(8, 32):
            with self.subTest(limit), program.Program(
                    program.HTTPD, "--smp", "2", "--listen", "127.0.0.1:0",
                    "--backend", program.BACKEND, before_exec=lambda: resource.setrlimit(
                        resource.RLIMIT_NOFILE, (limit, limit))) as server:
                if server.read_line():
                    started_count += 1
                    server.stop()
                else:
                    status, _, errors = server.wait()
                    self.assertEqual(status, 1)
                    self.assertRegex(errors, r"\Ahttpd: [^\n]*Too many open files[^\n]*\n\Z")
        self.assertIn(started_count, range(1, 24))

    def test_other_programs(self):
        """echo and hello refuse in the same way."""
        for executable in [ECHO, HELLO]:
            self.check_refused("--unknown", hint="--unknown", executable=executable)
            self.check_refused("--smp", "0", hint="", executable=executable)
        with program.Server("--smp", "1", executable=ECHO) as other:
            self.check_refused("--listen", other.listen, hint="in use", executable=ECHO)
            other.stop()


class WithoutUring(Options):
    """Where the kernel, or the container around us, forbids io_uring."""

    def setUp(self):
        status, _, errors = program.run("/bin/true", before_exec=self.try_to_forbid)
        if status != 0:
            self.skipTest(f"cannot forbid io_uring here: {errors}")

    @staticmethod
    def try_to_forbid():
        with contextlib.suppress(OSError):
            return program.forbid_io_uring()
        os._exit(77)

    def test_falls_back(self):
        """The server says so in its line, and serves by epoll."""
        for error in [errno.EPERM, errno.ENOSYS]:
            with self.subTest(error), \
                    program.Server("--smp", "2", backend=None, before_exec=functools.partial(
                        program.forbid_io_uring, error)) as server:
                self.assertEqual(server.backend, "epoll")
                self.assertIn(os.strerror(error), server.why_not_io_uring)
                for _ in range(20):
                    self.check_serves(server)
                server.stop()

    def test_insisting(self):
        """--backend io_uring is then refused."""
        self.check_refused("--backend", "io_uring", "--listen", "127.0.0.1:0",
                           hint="Operation not permitted", before_exec=program.forbid_io_uring)

    def test_epoll_is_epoll(self):
        """--backend epoll does not try io_uring, so that there is nothing to say."""
        with program.Server("--smp", "1", backend="epoll",
                            before_exec=program.forbid_io_uring) as server:
            self.assertEqual((server.backend, server.why_not_io_uring), ("epoll", None))
            server.stop()


def receive(peer, size):
    """Exactly `size` bytes, or less where the stream ends before."""
    received = b""
    while len(received) < size and (piece := peer.recv(size - len(received))):
        received += piece
    return received


class OtherPrograms(Options):
    def test_hello(self):
        """hello says hello from every shard, and ends."""
        for count in [1, 2, 3]:
            status, output, errors = program.run(HELLO, "--smp", count,
                                                 "--backend", program.BACKEND)
            self.assertEqual((status, errors), (0, ""))
            self.assertEqual(sorted(output.splitlines()),
                             [f"hello from shard {shard} of {count}" for shard in range(count)])

    def test_echo(self):
        """echo sends back what it gets, to many peers at once, until it is told to end."""
        for number in [signal.SIGTERM, signal.SIGINT]:
            with program.Server("--smp", "2", executable=ECHO) as server, \
                    contextlib.ExitStack() as peers_open:
                peers = [peers_open.enter_context(server.connect()) for _ in range(20)]
                for round_number in range(3):
                    for at, peer in enumerate(peers):
                        peer.sendall(b"%d to %d " % (round_number, at))
                    for at, peer in enumerate(peers):
                        expected = b"%d to %d " % (round_number, at)
                        self.assertEqual(receive(peer, len(expected)), expected)
                peers[0].sendall(b"last words")
                peers[0].shutdown(socket.SHUT_WR)
                self.assertEqual(receive(peers[0], 100), b"last words")
                server.stop(number)

    def test_echo_much(self):
        """echo sends back a megabyte, byte for byte."""
        sent = os.urandom(1 << 20)
        with program.Server("--smp", "1", executable=ECHO) as server, server.connect() as peer:
            received = b""
            for at in range(0, len(sent), 1 << 14):
                peer.sendall(sent[at:at + (1 << 14)])
                received += receive(peer, min(1 << 14, len(sent) - at))
            self.assertTrue(received == sent)
            server.stop()


if __name__ == "__main__":
    program.main()
