#!/usr/bin/env python3
"""What httpd bears from clients that are slow, rude, broken or many, while it serves the others."""
import contextlib
import os
import random
import resource
import select
import time
import unittest

import program
from http_client import Connection, NoReply, ask, request

MIB = 1024 * 1024
# An answer on a machine that is busy with tests; without trouble it takes less than a millisecond.
QUICK = 4 if not program.SANITIZED else 10
IDLE_COUNT = 10_000 if not program.SANITIZED else 1_000
SHORT_COUNT = int(os.environ.get("MINISS_TEST_SHORT_CONNECTIONS", 5_000))
HALF_COUNT = 2_000 if not program.SANITIZED else 500


class WithServer(unittest.TestCase):
    """A server with one shard for each test. It must serve to the end, and stop as usual."""

    start_options = {}

    def setUp(self):
        self.server = program.Server("--smp", "1", **self.start_options)
        self.addCleanup(self.server.__exit__)
        self.descriptor_count = self.server.descriptor_count()
        self.check_serves()
        self.resident_bytes = self.server.resident_bytes()

    def connect(self, **options):
        """A connection that ends with the test at the latest."""
        connection = Connection(self.server, **options)
        self.addCleanup(connection.socket.close)
        return connection

    def stop(self):
        """To be called when all connections are closed: nothing may be left of them."""
        program.wait_until(lambda: self.server.descriptor_count() == self.descriptor_count,
                           "all descriptors of connections are closed")
        self.check_serves()
        self.server.stop()

    def check_serves(self):
        began = time.monotonic()
        reply = ask(self.server, "GET", "/")
        self.assertEqual((reply.status, reply.body), (200, b"Hello, World!"))
        self.assertLess(time.monotonic() - began, QUICK)

    def check_memory(self, most_bytes, what):
        """How much the process has grown."""
        grown = self.server.resident_bytes() - self.resident_bytes
        print(f"{what}: {grown / MIB:.1f} MiB of memory ... ", end="", flush=True)
        if not program.SANITIZED:
            self.assertLess(grown, most_bytes)

    def check_idle(self, seconds=1, most_cpu_seconds=0.1):
        """That the process does not use CPU without need."""
        used = self.server.cpu_seconds_over(seconds)
        if not program.SANITIZED:
            self.assertLess(used, most_cpu_seconds, f"s of CPU within {seconds} s")


class Slow(WithServer):
    def test_byte_by_byte(self):
        """A head that comes at a byte per second gets 408 after 10 s; the others do not notice."""
        slow = [self.connect() for _ in range(5)]
        unsent = [iter(request("GET", "/" + "x" * 100)) for _ in slow]
        began = time.monotonic()
        while not select.select([each.socket for each in slow], [], [], 1)[0]:
            for connection, rest in zip(slow, unsent):
                connection.send(bytes([next(rest)]))
            self.check_serves()
            self.assertLess(time.monotonic() - began, 20)
        self.assertGreater(time.monotonic() - began, 9.5)
        for connection in slow:
            with connection:
                reply = connection.read_reply()
                self.assertEqual((reply.status, reply.closes()), (408, True))
                self.assertTrue(connection.has_ended())
        self.stop()

    def test_never_reads(self):
        """Who pipelines and never reads is not read from any more, and keeps nobody waiting."""
        count, mib_each = 25, 1
        kinds = [request("GET", "/plaintext") * 100, request("POST", "/echo", bytes(100_000))]
        with contextlib.ExitStack() as unread:
            peers = [unread.enter_context(self.server.connect(receive_buffer_bytes=4096))
                     for _ in range(count)]
            for peer in peers:
                peer.setblocking(False)
            sent = [0] * count
            last_progress = time.monotonic()
            # It ends: what neither side takes fills up the kernel's buffers.
            while time.monotonic() < last_progress + 0.5:
                for at, peer in enumerate(peers):
                    asked = kinds[at % len(kinds)]
                    with contextlib.suppress(BlockingIOError):
                        sent[at] += peer.send(asked[sent[at] % len(asked):])
                        last_progress = time.monotonic()
                self.assertLess(max(sent), 30 * MIB, "the server takes in what it cannot send")
            self.check_memory(count * mib_each * MIB, f"{count} peers that never read")
            self.check_serves()
            self.check_idle()
        self.stop()

    def test_half_requests(self):
        """2,000 peers that stop within a head, or within content, take little and disturb nobody."""
        halves = [b"G", request("GET", "/")[:-2], request("POST", "/echo", bytes(1000))[:-500]]
        with contextlib.ExitStack() as silent:
            for number in range(HALF_COUNT):
                connection = silent.enter_context(Connection(self.server))
                connection.send(halves[number % len(halves)])
                if number % 200 == 0:
                    self.check_serves()
            program.wait_until(lambda: self.server.descriptor_count() >=
                               self.descriptor_count + HALF_COUNT, "all are let in")
            self.check_serves()
            self.check_memory(HALF_COUNT * 8192, f"{HALF_COUNT} half requests")
            self.check_idle()
        self.stop()


class Rude(WithServer):
    def test_resets(self):
        """Resets in the middle of requests and replies leave nothing behind."""
        beginnings = [b"", b"G", b"GET / HTTP/1.1\r\nHost", request("GET", "/"),
                      request("GET", "/plaintext") * 200,
                      request("POST", "/echo", bytes(1000))[:-500],
                      request("POST", "/echo", bytes(200_000)),
                      request("POST", "/echo", bytes(3000), chunk_bytes=1000)[:-1500]]
        for number in range(1000):
            connection = self.connect()
            connection.send(beginnings[number % len(beginnings)])
            if number // len(beginnings) % 2:
                select.select([connection.socket], [], [], 0.001)  # Perhaps a reply has begun.
            connection.reset()
        self.check_serves()
        self.check_memory(8 * MIB, "1,000 resets")
        self.stop()

    def test_reset_storm(self):
        """Connections by the hundred that are reset at once, most of them before they are let in."""
        for number in range(20):
            storm = [Connection(self.server) for _ in range(200)]
            for connection in storm:
                if number % 2:
                    connection.send(request("GET", "/plaintext"))
                connection.reset()
            self.check_serves()
        self.check_memory(8 * MIB, "4,000 resets")
        self.stop()

    def test_half_closes(self):
        """Who ends his side within a request gets no reply but the end."""
        head = b"PUT / HTTP/1.1\r\nHost: a\r\n"
        for beginning in [b"", b"PUT / HT", head,
                          head + b"Content-Length: 9\r\n\r\n1234",
                          head + b"Transfer-Encoding: chunked\r\n\r\n4\r\n12"]:
            with self.subTest(beginning), Connection(self.server) as connection:
                connection.send(beginning)
                connection.finish_sending()
                self.assertTrue(connection.has_ended())
        self.stop()

    def test_half_close_with_replies_to_come(self):
        """Who ends his side still gets the replies to all that he had sent."""
        with Connection(self.server, receive_buffer_bytes=4096) as connection:
            connection.send(request("POST", "/echo", bytes(MIB)) + request("GET", "/pipeline"))
            connection.finish_sending()
            self.assertEqual(connection.read_reply().body, bytes(MIB))
            self.assertEqual(connection.read_reply().body, b"ok")
            self.assertTrue(connection.has_ended())
        self.stop()

    def test_garbage(self):
        """Garbage is answered with an error at most, and ended."""
        seed = random.randrange(1 << 32)
        generator = random.Random(seed)
        tls_hello = bytes.fromhex("1603010200010001fc0303") + generator.randbytes(500)
        http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
        zeros, blank_lines = bytes(100_000), b"\r\n" * 50_000
        for garbage in [tls_hello, http2, zeros, blank_lines, b"\n", b"\r", b" ", b"\xff" * 40_000,
                        *(generator.randbytes(generator.randrange(1, 20_000))
                          for _ in range(300))]:
            with self.subTest(garbage[:20], seed=seed), Connection(self.server) as connection:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    connection.send(garbage)
                    connection.finish_sending()
                with contextlib.suppress(NoReply):
                    reply = connection.read_reply()
                    self.assertIn(reply.status, [400, 414, 431, 501, 505])
                    self.assertTrue(reply.closes())
                    self.assertTrue(connection.has_ended())
        self.check_memory(8 * MIB, "garbage")
        self.stop()

    def send_much(self, begin, more, status):
        """Sends up to 100 MB; checks that the sender is told, and cut off long before the end."""
        with Connection(self.server) as connection:
            connection.send(begin)
            sent = 0
            try:
                while sent < 100_000_000:
                    sent += connection.socket.send(more)
            except (ConnectionResetError, BrokenPipeError):
                pass
            self.assertLess(sent, 50_000_000, "the server takes in everything")
            self.assertEqual(connection.read_reply().status, status)
            self.assertTrue(connection.has_ended())
        self.check_serves()

    def test_100_mb(self):
        """A head or a body of 100 MB is refused, cut off, and not held in memory."""
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
        self.send_much(head, b"X-Filler: " + b"x" * 1000 + b"\r\n", 431)
        self.send_much(head + b"X-Filler: ", b"x" * 65536, 431)
        self.send_much(b"GET /", b"x" * 65536, 414)
        self.send_much(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n",
                       bytes(65536), 413)
        self.send_much(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                       b"8000\r\n" + bytes(0x8000) + b"\r\n", 413)
        self.send_much(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                       b"1;" + b"x" * 1000 + b"\r\ny\r\n", 413)
        self.send_much(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"0\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n", 431)
        self.check_memory(8 * MIB, "7 x 100 MB")
        self.stop()


class Many(WithServer):
    def allow_descriptors(self, count):
        """Raises our own limit, which the server's is not below either."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < count:
            self.skipTest(f"only {hard} descriptors allowed here, and this takes {count}")
        if soft != resource.RLIM_INFINITY and soft < count:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def bytes_per_connection(self):
        return (self.server.resident_bytes() - self.resident_bytes) / IDLE_COUNT

    def test_idle_connections(self):
        """10,000 idle connections take little memory and no CPU, and nobody has to wait."""
        self.allow_descriptors(IDLE_COUNT + 100)
        with contextlib.ExitStack() as idle:
            # Each address has only so many ports.
            sources = [f"127.0.0.{2 + number % 5}" for number in range(IDLE_COUNT)]
            connections = [idle.enter_context(Connection(self.server, source=source))
                           for source in sources]
            program.wait_until(lambda: self.server.descriptor_count() >=
                               self.descriptor_count + IDLE_COUNT, "all are let in")
            unused_bytes = self.bytes_per_connection()
            self.check_serves()
            for connection in connections:
                connection.send(request("GET", "/"))
            for connection in connections:
                self.assertEqual(connection.read_reply().status, 200)
            used_bytes = self.bytes_per_connection()
            print(f"bytes of memory for each idle connection: {unused_bytes:.0f} before its first "
                  f"request, {used_bytes:.0f} after ... ", end="", flush=True)
            if not program.SANITIZED:
                self.assertLess(unused_bytes, 2048)
                self.assertLess(used_bytes, 3072)
            self.check_serves()
            self.check_idle()
        self.stop()

    def test_short_connections(self):
        """One connection after the other leaves neither a descriptor nor memory behind."""
        def come_and_go(count):
            for number in range(count):
                # Each address has only so many ports.
                with Connection(self.server, source=f"127.0.0.{2 + number % 250}") as connection:
                    closes = ["Connection: close"] if number % 2 else []
                    reply = connection.ask("GET", "/", fields=closes)
                    self.assertEqual(reply.status, 200)
                    if closes:
                        self.assertTrue(connection.has_ended())

        come_and_go(1000)
        self.resident_bytes = self.server.resident_bytes()
        come_and_go(SHORT_COUNT)
        self.check_memory(MIB, f"{SHORT_COUNT} connections")
        self.stop()

    def test_idle_cpu(self):
        """When the load is gone the server sleeps."""
        for connection in [self.connect() for _ in range(50)]:
            with connection:
                connection.send(request("GET", "/plaintext") * 100)
                for _ in range(100):
                    connection.read_reply()
        with Connection(self.server) as idle:
            idle.ask("GET", "/")
            self.check_idle(seconds=3, most_cpu_seconds=0.05)
        self.stop()


class OutOfDescriptors(WithServer):
    start_options = dict(
        before_exec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))

    def setUp(self):
        program.skip_if_sanitized(self)
        super().setUp()

    def test_out_of_descriptors(self):
        """Who is in is served, the others get in as soon as some leave, and no CPU is burnt."""
        inside, outside = [], [self.connect() for _ in range(100)]
        for connection in outside:
            connection.send(request("GET", "/"))

        def take_replies():
            for connection in outside[:]:
                if select.select([connection.socket], [], [], 0)[0]:
                    self.assertEqual(connection.read_reply().status, 200)
                    outside.remove(connection)
                    inside.append(connection)
            return inside

        program.wait_until(lambda: len(take_replies()) >= 40, "those who are in are served")
        self.check_idle()
        self.assertGreater(len(outside), 30)
        while outside:
            for connection in inside:
                self.assertEqual(connection.ask("GET", "/").status, 200)
            for _ in range(10):
                inside.pop(0).socket.close()
            inside_count = len(inside)
            program.wait_until(lambda: len(take_replies()) > inside_count, "others get in")
        for connection in inside:
            connection.socket.close()
        self.stop()


class OutOfMemory(WithServer):
    start_options = dict(
        before_exec=lambda: resource.setrlimit(resource.RLIMIT_AS, (48 * MIB, 48 * MIB)))

    def setUp(self):
        if program.SANITIZED:
            self.skipTest("sanitizers need more address space than there is memory")
        super().setUp()

    def test_uploads(self):
        """Contents that do not fit are dropped with their connections; the others are served."""
        most = request("POST", "/echo", bytes(MIB))[:-1]
        uploads = [self.connect() for _ in range(100)]
        with Connection(self.server) as inside:
            for connection in uploads:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    connection.send(most)
                self.assertEqual(inside.ask("GET", "/").status, 200)
            self.check_serves()
            ended = [each for each in uploads if select.select([each.socket], [], [], 0)[0]]
            self.assertGreater(len(ended), 30)
            self.assertLess(len(ended), 90)
            for connection in uploads:
                connection.socket.close()
            program.wait_until(lambda: self.server.descriptor_count() ==
                               self.descriptor_count + 1, "the uploads are gone")
            self.assertEqual(inside.ask("POST", "/echo", bytes(MIB)).body, bytes(MIB))
        self.stop()


if __name__ == "__main__":
    program.main()
