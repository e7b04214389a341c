#!/usr/bin/env python3
"""The files that httpd serves, the requests that it logs, and the limits that it is told."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import unittest

import program
from http_client import Connection, ask, request


class Served(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        self.root = self.scratch / "root"
        self.root.mkdir()

    def start(self, *options):
        server = program.Server("--smp", "1", *options)
        self.addCleanup(server.__exit__)
        return server


class Files(Served):
    def test_files(self):
        """--root serves what is in the directory, whole and in parts, and nothing else."""
        picture = os.urandom(3_000_000)
        (self.root / "picture.png").write_bytes(picture)
        (self.root / "index.html").write_bytes(b"<p>hello")
        (self.scratch / "secret").write_bytes(b"secret")
        (self.root / "link").symlink_to("../secret")
        server = self.start("--root", self.root)
        whole = ask(server, "GET", "/picture.png")
        self.assertEqual((whole.status, whole.fields["content-type"]), (200, "image/png"))
        self.assertTrue(whole.body == picture)
        part = ask(server, "GET", "/picture.png", fields=["Range: bytes=1000000-1999999"])
        self.assertEqual((part.status, part.body == picture[1000000:2000000]), (206, True))
        tag = f"If-None-Match: {whole.fields['etag']}"
        self.assertEqual(ask(server, "GET", "/picture.png", fields=[tag]).status, 304)
        self.assertEqual(ask(server, "GET", "/").body, b"<p>hello")
        self.assertEqual(ask(server, "POST", "/", b"x").fields["allow"], "GET, HEAD, OPTIONS")
        for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/link", "/nowhere"]:
            with self.subTest(path):
                self.assertEqual(ask(server, "GET", path).status, 404)
        server.stop()

    def test_descriptors(self):
        """However a request for a file ends, its descriptor is closed."""
        (self.root / "large").write_bytes(bytes(20_000_000))
        server = self.start("--root", self.root)
        # A connection of its own asks before and after: that of ask() may still be closing.
        with Connection(server) as other:
            self.assertEqual(other.ask("GET", "/nowhere").status, 404)
            before = server.descriptor_count()
            for _ in range(20):
                with Connection(server, receive_buffer_bytes=4096) as peer:
                    peer.send(request("GET", "/large"))
                    peer.socket.recv(100)
                    peer.reset()
            self.assertEqual(other.ask("HEAD", "/large").status, 200)
            program.wait_until(lambda: server.descriptor_count() == before,
                               "descriptors are closed")

    def test_shrinking_file(self):
        """A file that becomes shorter while it is sent ends the connection."""
        file = self.root / "large"
        file.write_bytes(bytes(20_000_000))
        server = self.start("--root", self.root)
        with Connection(server, receive_buffer_bytes=4096) as peer:
            peer.send(request("GET", "/large"))
            received = len(peer.socket.recv(100))
            os.truncate(file, 1000)
            try:
                while piece := peer.socket.recv(1 << 18):
                    received += len(piece)
            except ConnectionResetError:
                pass
            self.assertLess(received, 20_000_000)
        self.assertEqual(len(ask(server, "GET", "/large").body), 1000)

    def test_no_directory(self):
        """A root that is no directory is refused at the start."""
        for path in [self.scratch / "nowhere", __file__]:
            status, output, errors = program.run(program.HTTPD, "--listen", "127.0.0.1:0",
                                                 "--root", path)
            self.assertEqual((status, output), (1, ""))
            self.assertRegex(errors, r"\Ahttpd: [^\n]*(No such file|Not a directory)[^\n]*\n\Z")


class AccessLog(Served):
    LINE = re.compile(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                      r'"(GET|HEAD) (\S+) HTTP/1\.1" (\d{3}) (\d+|-)')

    def test_lines(self):
        """--access-log appends a line for each request, all of them by the end of a stop."""
        log = self.scratch / "log"
        log.write_text("before\n", encoding="ascii")
        server = self.start("--access-log", log)
        with Connection(server) as peer:
            for number in range(200):
                peer.send(request("GET", f"/json?{number}"))
                peer.read_reply()
            peer.ask("HEAD", "/nowhere")
        server.stop()
        first, *lines = log.read_text(encoding="ascii").splitlines()
        self.assertEqual(first, "before")
        found = [self.LINE.fullmatch(line).groups() for line in lines]
        expected = [("GET", f"/json?{number}", "200", "27") for number in range(200)]
        self.assertEqual(found, [*expected, ("HEAD", "/nowhere", "404", "-")])

    def test_files(self):
        """What was sent of a file is counted, whichever way it went out."""
        (self.root / "large").write_bytes(bytes(300_000))
        (self.root / "small").write_bytes(bytes(1000))
        log = self.scratch / "log"
        server = self.start("--access-log", log, "--root", self.root)
        with Connection(server) as peer:
            tag = peer.ask("GET", "/large").fields["etag"]
            peer.ask("GET", "/large", fields=["Range: bytes=100000-299998"])
            peer.ask("GET", "/large", fields=[f"If-None-Match: {tag}"])
            peer.ask("HEAD", "/large")
            peer.ask("GET", "/small")
        server.stop()
        lines = log.read_text(encoding="ascii").splitlines()
        self.assertEqual([self.LINE.fullmatch(line).groups()[2:] for line in lines],
                         [("200", "300000"), ("206", "199999"), ("304", "-"), ("200", "-"),
                          ("200", "1000")])

    def test_rotation(self):
        """SIGHUP opens the log anew; no line is lost, while requests come, or at any other time."""
        log = self.scratch / "log"
        server = self.start("--access-log", log)
        moved = []
        count = 0
        with Connection(server) as peer:
            while len(moved) < 5:
                # So many at a time that some are still being written.
                peer.send(b"".join(request("GET", f"/json?{count + i}") for i in range(50)))
                moved.append(log.rename(self.scratch / f"log.{len(moved)}"))
                server.send_signal(signal.SIGHUP)
                for _ in range(50):
                    peer.read_reply()
                count += 50
                program.wait_until(log.exists, "there is a new log")
            peer.ask("GET", "/json?last")
        server.stop()
        self.assertRegex(log.read_text(encoding="ascii"), r"/json\?last ")
        lines = [line for file in [*moved, log]
                 for line in file.read_text(encoding="ascii").splitlines()]
        targets = [self.LINE.fullmatch(line)[2] for line in lines]
        self.assertEqual(sorted(targets), sorted([f"/json?{i}" for i in range(count)]
                                                 + ["/json?last"]))

    def test_rotation_that_fails(self):
        """If the log cannot be opened anew, that is told, and the old one is gone on with."""
        before, after = self.scratch / "before", self.scratch / "after"
        before.mkdir()
        server = self.start("--access-log", before / "log")
        before.rename(after)
        server.send_signal(signal.SIGHUP)
        program.wait_until(lambda: re.search(r"access log.*No such file", server.read_errors()),
                           "it says that the log cannot be opened")
        self.assertEqual(ask(server, "GET", "/json").status, 200)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait()[0], 0)
        self.assertEqual(len((after / "log").read_text(encoding="ascii").splitlines()), 1)

    def test_full_disk(self):
        """A log that cannot be written holds nobody up, and is told of."""
        server = self.start("--access-log", "/dev/full")
        for _ in range(3):
            self.assertEqual(ask(server, "GET", "/json").status, 200)
        program.wait_until(lambda: re.search(r"access log.*No space left", server.read_errors()),
                           "it says that the log cannot be written")
        server.send_signal(15)
        self.assertEqual(server.wait()[0], 0)

    def test_no_log(self):
        """A log that cannot be opened is refused at the start."""
        status, output, errors = program.run(program.HTTPD, "--listen", "127.0.0.1:0",
                                             "--access-log", self.scratch / "no/log")
        self.assertEqual((status, output), (1, ""))
        self.assertRegex(errors, r"\Ahttpd: [^\n]*No such file[^\n]*\n\Z")


class Limits(Served):
    def test_sizes(self):
        """Every limit in bytes or in number is an option with its status."""
        server = self.start("--request-line-bytes", "100", "--header-bytes", "1000",
                            "--header-count", "5", "--body-bytes", "10", "--trailer-bytes", "50",
                            "--chunk-extension-bytes", "20")
        chunked = "Transfer-Encoding: chunked"
        for code, sent in [
                (414, request("GET", "/" + "x" * 100)),
                (431, request("GET", "/", fields=["X: " + "x" * 1000])),
                (431, request("GET", "/", fields=["X: x"] * 5)),
                (413, request("POST", "/echo", b"x" * 11)),
                (413, request("POST", "/echo", b"x" * 11, chunk_bytes=4)),
                (431, request("POST", "/echo", fields=[chunked]) + b"0\r\nA: " + b"x" * 50),
                (413, request("POST", "/echo", fields=[chunked]) + b"1;a=" + b"x" * 20)]:
            with self.subTest(sent), Connection(server) as peer:
                peer.send(sent)
                reply = peer.read_reply()
                self.assertEqual((reply.status, reply.closes()), (code, True))
                self.assertTrue(peer.has_ended())
        self.assertEqual(ask(server, "POST", "/echo", b"x" * 10).body, b"x" * 10)
        server.stop()

    def test_times(self):
        """So is every limit in time; who says nothing is just closed."""
        server = self.start("--head-time", "150ms", "--content-gap-time", "150ms",
                            "--idle-time", "150ms", "--linger-time", "50ms")
        for sent in [b"GET / HTTP/1.1\r\n", request("POST", "/echo", b"abc")[:-1]]:
            with self.subTest(sent), Connection(server) as peer:
                peer.send(sent)
                reply = peer.read_reply()
                self.assertEqual((reply.status, reply.closes()), (408, True))
                self.assertTrue(peer.has_ended())
        with Connection(server) as peer:
            self.assertTrue(peer.has_ended())
        server.stop()

    def test_counts(self):
        """Connections end after so many requests, and only so many are let in at once."""
        server = self.start("--requests-per-connection", "2", "--connections-per-shard", "1")
        with Connection(server) as first:
            self.assertFalse(first.ask("GET", "/").closes())
            with Connection(server) as second:
                second.send(request("GET", "/"))
                second.socket.settimeout(0.1)
                with self.assertRaises(socket.timeout):
                    second.read_reply()
                self.assertTrue(first.ask("GET", "/").closes())
                first.socket.close()
                second.socket.settimeout(program.PATIENCE)
                self.assertEqual(second.read_reply().status, 200)
        server.stop()

    def test_refused(self):
        """What cannot be is refused at the start, in a line."""
        for options in [("--header-bytes", "65536"), ("--header-bytes", "0"),
                        ("--request-line-bytes", "0"), ("--connections-per-shard", "0"),
                        ("--idle-time", "1")]:
            with self.subTest(options):
                status, output, errors = program.run(program.HTTPD, "--listen", "127.0.0.1:0",
                                                     *options)
                self.assertEqual((status, output), (1, ""))
                self.assertRegex(errors, rf"\Ahttpd: [^\n]*{options[0]}[^\n]*\n\Z")

    def test_help(self):
        """--help names them all with their defaults."""
        output = subprocess.run([program.HTTPD, "--help"], capture_output=True, check=True,
                                text=True).stdout
        for option in ["--root", "--access-log", "--request-line-bytes", "--header-bytes",
                       "--header-count", "--body-bytes", "--chunk-extension-bytes",
                       "--trailer-bytes", "--head-time", "--content-gap-time", "--idle-time",
                       "--send-time", "--linger-time", "--drain-time", "--unread-content-bytes",
                       "--requests-per-connection", "--connections-per-shard"]:
            self.assertIn(option, output)


if __name__ == "__main__":
    program.main()
