#!/usr/bin/env python3
"""What httpd answers, path by path and method by method."""
import datetime
import email.utils
import re
import time
import unittest

import program
from http_client import Connection, ask, request

BODY_BYTES_MAX = 1024 * 1024
IMF_FIXDATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
                         r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                         r"\d\d:\d\d:\d\d GMT")


class WithServer(unittest.TestCase):
    """One server for all tests of a class; in the end it must stop without a complaint."""

    @classmethod
    def setUpClass(cls):
        cls.server = program.Server("--smp", "2")

    @classmethod
    def tearDownClass(cls):
        with cls.server:
            cls.server.stop()

    def ask(self, *arguments, **options):
        return ask(self.server, *arguments, **options)

    def check_text(self, reply, body, status=200):
        self.assertEqual((reply.status, reply.body), (status, body))
        self.assertEqual(reply.fields["content-type"], "text/plain")

    def check_date(self, reply):
        self.assertRegex(reply.fields["date"], IMF_FIXDATE)
        date = email.utils.parsedate_to_datetime(reply.fields["date"])
        self.assertEqual(email.utils.format_datetime(date, usegmt=True), reply.fields["date"])
        age = datetime.datetime.now(datetime.timezone.utc) - date
        self.assertLess(abs(age.total_seconds()), 3)
        return date


class Paths(WithServer):
    def test_root(self):
        """GET / says hello."""
        reply = self.ask("GET", "/")
        self.check_text(reply, b"Hello, World!")
        self.assertEqual(reply.fields["content-length"], "13")

    def test_root_head(self):
        """HEAD / has the head of GET / and no body."""
        with Connection(self.server) as connection:
            head = connection.ask("HEAD", "/")
            get = connection.ask("GET", "/")
        del head.fields["date"], get.fields["date"]
        self.assertEqual((head.status, head.fields, head.body), (200, get.fields, b""))

    def test_root_without_body(self):
        """Without a body, / takes only GET and HEAD, and says so."""
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]:
            with self.subTest(method):
                reply = self.ask(method, "/")
                self.assertEqual((reply.status, reply.fields["allow"]),
                                 (204 if method == "OPTIONS" else 405, "GET, HEAD, OPTIONS"))

    def test_plaintext(self):
        """/plaintext is what TechEmpower asks for."""
        reply = self.ask("GET", "/plaintext")
        self.check_text(reply, b"Hello, World!")
        self.check_date(reply)
        self.assertEqual(sorted(reply.fields),
                         ["content-length", "content-type", "date", "server"])
        self.assertEqual(reply.fields["content-length"], "13")
        self.assertEqual(reply.fields["server"], "miniss")

    def test_json(self):
        """/json is what TechEmpower asks for."""
        reply = self.ask("GET", "/json")
        self.check_date(reply)
        self.assertEqual((reply.status, reply.body), (200, b'{"message":"Hello, World!"}'))
        self.assertEqual(sorted(reply.fields),
                         ["content-length", "content-type", "date", "server"])
        self.assertEqual(reply.fields["content-type"], "application/json")
        self.assertEqual(reply.fields["content-length"], "27")
        self.assertEqual(reply.fields["server"], "miniss")

    def test_pipeline(self):
        """/pipeline answers ok."""
        self.check_text(self.ask("GET", "/pipeline"), b"ok")

    def test_query_is_no_part_of_the_path(self):
        """A query does not change which path is meant."""
        self.check_text(self.ask("GET", "/pipeline?a=1&b"), b"ok")

    def test_unknown_paths(self):
        """An unknown path is 404, and the connection goes on."""
        with Connection(self.server) as connection:
            for target in ["/unknown", "/plaintext/", "/Plaintext", "//", "/plain", "/json%20"]:
                with self.subTest(target):
                    self.check_text(connection.ask("GET", target), b"404 Not Found\n", 404)
            self.assertEqual(connection.ask("HEAD", "/unknown").status, 404)
            self.check_text(connection.ask("GET", "/"), b"Hello, World!")

    def test_wrong_methods(self):
        """A wrong method is 405 with the right ones in Allow, and the connection goes on."""
        allowed = {"/plaintext": "GET, HEAD, OPTIONS", "/json": "GET, HEAD, OPTIONS",
                   "/pipeline": "GET, HEAD, OPTIONS", "/baseline11": "GET, HEAD, POST, OPTIONS"}
        with Connection(self.server) as connection:
            for target, methods in allowed.items():
                for method in ["PUT", "DELETE", "PATCH", "OPTIONS"]:
                    with self.subTest(target, method=method):
                        reply = connection.ask(method, target, b"something")
                        self.assertEqual((reply.status, reply.fields["allow"]),
                                         (204 if method == "OPTIONS" else 405, methods))
            self.check_text(connection.ask("GET", "/"), b"Hello, World!")

    def test_date_goes_on(self):
        """Date tells the time of the reply, also on a connection that is kept."""
        with Connection(self.server) as connection:
            first = self.check_date(connection.ask("GET", "/"))
            later = program.wait_until(
                lambda: (date := self.check_date(connection.ask("GET", "/"))) > first and date,
                "Date goes on")
            self.assertLessEqual((later - first).total_seconds(), 3)


class Baseline(WithServer):
    def test_get(self):
        """GET /baseline11 answers the sum of the query's values."""
        for query, total in [("a=13&b=42", 55), ("a=1", 1), ("", 0), ("a=1&b=2&c=3&d=4", 10),
                             ("a=-5&b=3", -2), ("x=007", 7), ("a=1&&b=2&", 3),
                             ("a=9223372036854775806&b=1", 2**63 - 1)]:
            with self.subTest(query):
                self.check_text(self.ask("GET", "/baseline11?" + query), b"%d" % total)

    def test_get_ignores_content(self):
        """Content of a GET does not count."""
        self.check_text(self.ask("GET", "/baseline11?a=13&b=42", b"20"), b"55")

    def test_post(self):
        """POST /baseline11 adds the number in its content, whichever way that comes."""
        for content, total in [(b"20", 75), (b"0", 55), (b"-60", -5)]:
            for chunk_bytes in [None, 1, 2, 100]:
                with self.subTest(content, chunk_bytes=chunk_bytes):
                    reply = self.ask("POST", "/baseline11?a=13&b=42", content,
                                     chunk_bytes=chunk_bytes)
                    self.check_text(reply, b"%d" % total)

    def test_bad_numbers(self):
        """What is no number, or too large a one, is 400, and the connection goes on."""
        with Connection(self.server) as connection:
            for query in ["a=x", "a=", "a", "a=1.5", "a=1&b=2x", "a=+1", "a=%31", "a=1e3",
                          "a=9223372036854775808", "a=9223372036854775807&b=1"]:
                with self.subTest(query):
                    reply = connection.ask("GET", "/baseline11?" + query)
                    self.assertEqual((reply.status, reply.closes()), (400, False))
            for content in [b"", b"x", b" 1", b"1\n", b"1 2", b"9" * 30]:
                for chunk_bytes in [None, 1]:
                    with self.subTest(content, chunk_bytes=chunk_bytes):
                        reply = connection.ask("POST", "/baseline11?a=1", content,
                                               chunk_bytes=chunk_bytes)
                        self.assertEqual((reply.status, reply.closes()), (400, False))
            self.assertEqual(connection.ask("POST", "/baseline11?a=1").status, 400)
            self.check_text(connection.ask("GET", "/baseline11?a=13&b=42"), b"55")


class Echo(WithServer):
    METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]

    def check_echo(self, reply, content):
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.fields["content-length"], str(len(content)))
        self.assertEqual(reply.fields["content-type"], "application/octet-stream")
        self.assertTrue(reply.body == content, "what came back is not what was sent")

    def test_every_method(self):
        """Content sent to / or /echo comes back, whatever the method."""
        with Connection(self.server) as connection:
            for target in ["/", "/echo"]:
                for method in self.METHODS:
                    for chunk_bytes in [None, 3]:
                        with self.subTest(target, method=method, chunk_bytes=chunk_bytes):
                            reply = connection.ask(method, target, b"some \0 \xff bytes",
                                                   chunk_bytes=chunk_bytes)
                            self.check_echo(reply, b"some \0 \xff bytes")

    def test_head(self):
        """HEAD with content tells how much would come back."""
        for target in ["/", "/echo"]:
            with self.subTest(target), Connection(self.server) as connection:
                head = connection.ask("HEAD", target, b"content")
                self.assertEqual((head.status, head.fields["content-length"]), (200, "7"))
                self.check_echo(connection.ask("POST", target, b"next"), b"next")

    def test_empty(self):
        """Empty content is content; /echo needs none at all."""
        with Connection(self.server) as connection:
            for target in ["/", "/echo"]:
                self.check_echo(connection.ask("POST", target, b""), b"")
                self.check_echo(connection.ask("POST", target, b"", chunk_bytes=1), b"")
            self.check_echo(connection.ask("POST", "/echo"), b"")
            self.check_echo(connection.ask("GET", "/echo"), b"")

    def test_sizes(self):
        """Content of any size up to 1 MiB comes back."""
        with Connection(self.server) as connection:
            for size in [1, 4095, 4096, 4097, 65536, 300_000, BODY_BYTES_MAX]:
                content = bytes(at * 31 % 251 for at in range(1000)) * (size // 1000 + 1)
                content = content[:size]
                for chunk_bytes in [None, 1000, BODY_BYTES_MAX]:
                    with self.subTest(size, chunk_bytes=chunk_bytes):
                        self.check_echo(connection.ask("POST", "/echo", content,
                                                       chunk_bytes=chunk_bytes), content)

    def test_too_large(self):
        """Content of more than 1 MiB is 413, and the connection ends."""
        for chunk_bytes in [None, 1000, 2 * BODY_BYTES_MAX]:
            with self.subTest(chunk_bytes), Connection(self.server) as connection:
                reply = connection.ask("POST", "/echo", bytes(BODY_BYTES_MAX + 1),
                                       chunk_bytes=chunk_bytes)
                self.assertEqual((reply.status, reply.closes()), (413, True))
                self.assertTrue(connection.has_ended())

    def test_too_large_is_refused_early(self):
        """Content-Length alone is enough to be refused."""
        with Connection(self.server) as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
            self.assertEqual(connection.read_reply().status, 413)
            self.assertTrue(connection.has_ended())

    def test_byte_by_byte(self):
        """A request may come in pieces of any size."""
        whole = (request("POST", "/echo", b"abc" * 5, chunk_bytes=4) +
                 request("PUT", "/", b"xyz", fields=["X-Filler: " + "f" * 50]))
        with Connection(self.server) as connection:
            for at in range(len(whole)):
                connection.send(whole[at:at + 1])
            self.check_echo(connection.read_reply(), b"abc" * 5)
            self.check_echo(connection.read_reply(), b"xyz")

    def test_trailers(self):
        """Chunk extensions and trailer fields are read over."""
        with Connection(self.server) as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"3;name=value\r\nabc\r\n0\r\nX-Checksum: 1\r\n\r\n")
            self.check_echo(connection.read_reply(), b"abc")
            self.check_text(connection.ask("GET", "/"), b"Hello, World!")


class Connections(WithServer):
    def test_keep_alive(self):
        """A connection serves one request after the other."""
        with Connection(self.server) as connection:
            for number in range(100):
                reply = connection.ask("GET", f"/baseline11?a={number}")
                self.check_text(reply, b"%d" % number)
                self.assertNotIn("connection", reply.fields)

    def test_pipelining(self):
        """Requests that come at once are answered in their order."""
        with Connection(self.server) as connection:
            for _ in range(50):
                connection.send(b"".join(request("GET", f"/baseline11?a={number}")
                                         for number in range(16)))
                bodies = [connection.read_reply().body for _ in range(16)]
                self.assertEqual(bodies, [b"%d" % number for number in range(16)])

    def test_pipelining_of_all_kinds(self):
        """Also if they have content, differ in method, or are refused."""
        asked = [("GET", "/", None, 200), ("POST", "/echo", b"x" * 9000, 200),
                 ("GET", "/unknown", None, 404), ("HEAD", "/json", None, 200),
                 ("DELETE", "/json", None, 405), ("POST", "/baseline11", b"5", 200),
                 ("PUT", "/", b"", 200), ("GET", "/pipeline", None, 200)]
        with Connection(self.server) as connection:
            connection.send(b"".join(request(method, target, body)
                                     for method, target, body, _ in asked * 4))
            for method, target, _, status in asked * 4:
                with self.subTest(method, target=target):
                    reply = connection.read_reply(to_head=method == "HEAD")
                    self.assertEqual(reply.status, status)
            self.assertEqual(reply.body, b"ok")

    def test_close(self):
        """With Connection: close the reply says so too, and is the last one."""
        for version in ["1.0", "1.1"]:
            with self.subTest(version), Connection(self.server) as connection:
                connection.send(request("GET", "/", fields=["Connection: close"],
                                        version=version) + request("GET", "/"))
                reply = connection.read_reply()
                self.check_text(reply, b"Hello, World!")
                self.assertTrue(reply.closes())
                self.assertTrue(connection.has_ended())

    def test_http_1_0(self):
        """HTTP/1.0 ends after one reply, needs no Host, and is answered in 1.1."""
        with Connection(self.server) as connection:
            connection.send(b"GET / HTTP/1.0\r\n\r\n")
            self.check_text(connection.read_reply(), b"Hello, World!")
            self.assertTrue(connection.has_ended())

    def test_http_1_0_keep_alive(self):
        """HTTP/1.0 goes on if it asks for that, and is told so."""
        with Connection(self.server) as connection:
            for _ in range(3):
                reply = connection.ask("GET", "/", fields=["Connection: keep-alive"],
                                       version="1.0")
                self.check_text(reply, b"Hello, World!")
                self.assertEqual(reply.fields["connection"], "keep-alive")

    def test_half_closed(self):
        """Who has finished sending still gets his replies."""
        with Connection(self.server) as connection:
            connection.send(request("GET", "/pipeline") * 3)
            connection.finish_sending()
            for _ in range(3):
                self.check_text(connection.read_reply(), b"ok")
            self.assertTrue(connection.has_ended())

    def test_expect(self):
        """Expect: 100-continue gets a 100 before the content comes."""
        for chunk_bytes in [None, 2]:
            with self.subTest(chunk_bytes), Connection(self.server) as connection:
                whole = request("POST", "/echo", b"content", fields=["Expect: 100-continue"],
                                chunk_bytes=chunk_bytes)
                end_of_head = whole.index(b"\r\n\r\n") + 4
                for _ in range(2):
                    connection.send(whole[:end_of_head])
                    self.assertEqual(connection.read_reply().status, 100)
                    connection.send(whole[end_of_head:])
                    self.assertEqual(connection.read_reply().body, b"content")

    def test_expect_too_much(self):
        """Content that is too large is refused instead of continued."""
        with Connection(self.server) as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                            b"Content-Length: 1048577\r\n\r\n")
            self.assertEqual(connection.read_reply().status, 413)
            self.assertTrue(connection.has_ended())

    def test_refused(self):
        """What is no HTTP/1.1 is refused with the right status, and the connection ends."""
        for bad, status in [(b"GET / HTTP/1.1\r\n\r\n", 400),  # No Host.
                            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                            (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", 400),
                            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                            (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                             b"\r\nxyz\r\n", 400),
                            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
                            (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
                            (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
                            (request("GET", "/" + "x" * 9000), 414),
                            (request("GET", "/", fields=["X: " + "x" * 40_000]), 431),
                            (request("GET", "/", fields=["X: x"] * 101), 431)]:
            with self.subTest(bad[:60]), Connection(self.server) as connection:
                connection.send(bad)
                reply = connection.read_reply()
                self.assertEqual((reply.status, reply.closes()), (status, True))
                self.assertTrue(connection.has_ended())

    def test_everybody_is_served(self):
        """Many connections at once are served, whichever shard they are on."""
        connections = [Connection(self.server) for _ in range(200)]
        try:
            for number, connection in enumerate(connections):
                connection.send(request("GET", f"/baseline11?a={number}"))
            began = time.monotonic()
            for number, connection in enumerate(connections):
                self.check_text(connection.read_reply(), b"%d" % number)
            self.assertLess(time.monotonic() - began, 5)
        finally:
            for connection in connections:
                connection.socket.close()


if __name__ == "__main__":
    program.main()
