#!/usr/bin/env python3
"""How httpd stops: no request is lost that had come in, and nobody can hold it up for long."""
import signal
import tempfile
import threading
import time
import unittest

import program
from http_client import Connection, CutReply, NoReply, ask, request

# Seconds after the signal: what is not finished by then is cut off.
STOP_TIME = 10
# Idle connections, and a server without any, need much less.
SOON = 4 if not program.SANITIZED else 20


class Client(threading.Thread):
    """Asks one request (or one batch of them) after the other until it is let in no more.

    Every batch is fully sent before its replies are read, and the moment when it had been sent is
    noted. So after the end we know which requests the server must have answered.
    """

    def __init__(self, server, asked, batch_size=1, close_each=False):
        super().__init__(daemon=True)
        self.server = server
        self.asked = asked
        self.batch_size = batch_size
        self.close_each = close_each
        self.answered_count = 0
        self.cut = []         # Replies that had begun and were not finished.
        self.unanswered = []  # (When it had been sent, how many replies were missing).
        self.wrong = []       # Replies with another status, or none that makes sense.
        self.start()

    def run(self):
        try:
            while True:
                try:
                    connection = Connection(self.server)
                except ConnectionRefusedError:
                    return
                except ConnectionResetError:
                    continue
                with connection:
                    while self.ask_batch(connection):
                        pass
        except Exception as error:  # Would otherwise be lost with the thread.
            self.wrong.append(repr(error))

    def ask_batch(self, connection):
        """False if there can be no further one on this connection."""
        try:
            connection.send(self.asked * self.batch_size)
        except (BrokenPipeError, ConnectionResetError):
            return False  # Not sent as a whole, so nothing can be asked of the server.
        sent_at = time.monotonic()
        for number in range(self.batch_size):
            try:
                reply = connection.read_reply()
            except NoReply:
                self.unanswered.append((sent_at, self.batch_size - number))
                return False
            except CutReply as error:
                self.cut.append(str(error))
                return False
            self.answered_count += 1
            if reply.status != 200:
                self.wrong.append(repr(reply))
            if reply.closes():
                if number + 1 < self.batch_size:
                    self.unanswered.append((sent_at, self.batch_size - number - 1))
                return False
        return not self.close_each


class UnderLoad(unittest.TestCase):
    def stop_under_load(self, number, smp):
        with program.Server("--smp", smp) as server:
            upload = request("POST", "/echo", bytes(100_000))
            kinds = [dict(asked=request("GET", "/plaintext")),
                     dict(asked=request("GET", "/plaintext"), batch_size=16),
                     dict(asked=request("GET", "/plaintext"), close_each=True),
                     dict(asked=upload)]
            clients = [Client(server, **kind) for kind in kinds for _ in range(6)]
            program.wait_until(lambda: all(client.answered_count > 20 for client in clients),
                               "all clients are being served")
            signalled_at = time.monotonic()
            server.stop(number, patience=STOP_TIME)
            for client in clients:
                client.join(program.PATIENCE)
                self.assertFalse(client.is_alive(), "a client still waits")
                self.assertEqual(client.wrong, [])
                self.assertEqual(client.cut, [], "replies were cut off")
                lost = [(round(sent_at - signalled_at, 6), count)
                        for sent_at, count in client.unanswered if sent_at < signalled_at]
                self.assertEqual(lost, [], "requests that had come in were not answered "
                                           f"(batches of {client.batch_size})")

    def test_sigterm(self):
        """SIGTERM under load: whatever had been sent by then is answered, and exit status 0."""
        for smp in ["1", "2"]:
            for round_number in range(3):
                with self.subTest(smp=smp, round=round_number):
                    self.stop_under_load(signal.SIGTERM, smp)

    def test_sigint(self):
        """SIGINT does the same."""
        self.stop_under_load(signal.SIGINT, "2")


class Stops(unittest.TestCase):
    def connect(self, server, **options):
        """A connection that ends with the test at the latest."""
        connection = Connection(server, **options)
        self.addCleanup(connection.socket.close)
        return connection


class Drain(Stops):
    def check_refuses(self, server):
        """Waits until nobody is let in any more: then the server knows that it is to stop."""
        def refuses():
            try:
                server.connect().close()
            except (ConnectionRefusedError, ConnectionResetError):
                return True
            return False
        program.wait_until(refuses, "new connections are refused")

    def test_nothing_to_do(self):
        """Without any connection the server ends at once."""
        for number in [signal.SIGTERM, signal.SIGINT]:
            with program.Server("--smp", "2") as server:
                self.assertEqual(ask(server, "GET", "/").status, 200)
                began = time.monotonic()
                server.stop(number)
                self.assertLess(time.monotonic() - began, SOON)

    def test_idle_connections(self):
        """Connections without a request are closed soon, and so the server ends soon."""
        with program.Server("--smp", "2") as server:
            connections = [self.connect(server) for _ in range(20)]
            for connection in connections[:10]:
                self.assertEqual(connection.ask("GET", "/").status, 200)
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            for connection in connections:
                with connection:
                    self.assertTrue(connection.has_ended())
            self.assertLess(time.monotonic() - began, SOON)
            self.assertEqual(server.wait(SOON), (0, "", ""))

    def test_idle_connections_that_stay(self):
        """Also if the peers do not close their side."""
        with program.Server("--smp", "1") as server:
            connections = [self.connect(server) for _ in range(10)]
            self.assertEqual([each.ask("GET", "/").status for each in connections], [200] * 10)
            began = time.monotonic()
            server.stop(patience=SOON)
            self.assertLess(time.monotonic() - began, SOON)

    def test_half_a_request(self):
        """A request of which half has come is finished when the rest comes, and answered."""
        whole = request("POST", "/echo", b"x" * 1000)
        with program.Server("--smp", "2") as server:
            connections = []
            for begun in [3, len(whole) - 1010, len(whole) - 500, len(whole) - 1]:
                connections.append((self.connect(server), begun))
                connections[-1][0].send(whole[:begun])
            expecting = self.connect(server)
            expecting.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                           b"Expect: 100-continue\r\n\r\n")
            self.assertEqual(expecting.read_reply().status, 100)
            server.send_signal(signal.SIGTERM)
            self.check_refuses(server)
            with self.assertRaises(AssertionError):
                server.wait(patience=1)  # It waits for us.
            for connection, begun in connections:
                with connection, self.subTest(begun):
                    connection.send(whole[begun:])
                    reply = connection.read_reply()
                    self.assertEqual((reply.status, reply.body), (200, b"x" * 1000))
                    self.assertTrue(reply.closes())
                    self.assertTrue(connection.has_ended())
            with expecting:
                expecting.send(b"late")
                self.assertEqual(expecting.read_reply().body, b"late")
                self.assertTrue(expecting.has_ended())
            self.assertEqual(server.wait(SOON), (0, "", ""))

    def test_unread_replies(self):
        """Replies to what had come are sent to their end, however late the peer reads them."""
        count, body = 6, bytes(range(256)) * 4096
        with program.Server("--smp", "1") as server:
            connection = self.connect(server, receive_buffer_bytes=4096)
            sender = threading.Thread(target=connection.send, daemon=True,
                                      args=[request("POST", "/echo", body) * count])
            sender.start()
            self.assertTrue(connection.read_reply().body == body)
            server.send_signal(signal.SIGTERM)
            self.check_refuses(server)
            with connection:
                for _ in range(count - 1):
                    self.assertTrue(connection.read_reply().body == body)
                self.assertTrue(connection.has_ended())
            sender.join()
            self.assertEqual(server.wait(SOON), (0, "", ""))

    def test_pipelined_requests(self):
        """Requests that had been sent together are all answered."""
        batch_count, batch_size = 50, 16
        with program.Server("--smp", "1") as server, Connection(server) as connection:
            for number in range(batch_count):
                connection.send(request("GET", f"/baseline11?a={number}") * batch_size)
            server.send_signal(signal.SIGTERM)
            for number in range(batch_count):
                for _ in range(batch_size):
                    reply = connection.read_reply()
                    self.assertEqual((reply.status, reply.body), (200, b"%d" % number))
            self.assertTrue(connection.has_ended())
            connection.socket.close()
            self.assertEqual(server.wait(SOON), (0, "", ""))

    def test_last_reply(self):
        """Who goes on asking is told with Connection: close that it is over."""
        with program.Server("--smp", "1") as server, Connection(server) as connection:
            self.assertEqual(connection.ask("GET", "/").status, 200)
            server.send_signal(signal.SIGTERM)
            began = time.monotonic()
            while not (reply := connection.ask("GET", "/")).closes():
                self.assertEqual(reply.status, 200)
                self.assertLess(time.monotonic() - began, SOON)
            self.assertTrue(connection.has_ended())
            connection.socket.close()
            self.assertEqual(server.wait(SOON), (0, "", ""))

    def test_backlog(self):
        """Connections that the kernel had let in, but the server had not, are served too."""
        with program.Server("--smp", "1") as server:
            server.send_signal(signal.SIGSTOP)
            connections = [self.connect(server) for _ in range(100)]
            for connection in connections:
                connection.send(request("GET", "/pipeline"))
            server.send_signal(signal.SIGTERM)
            server.send_signal(signal.SIGCONT)
            for connection in connections:
                with connection:
                    self.assertEqual(connection.read_reply().body, b"ok")
            self.assertEqual(server.wait(SOON), (0, "", ""))

    def test_unix_socket(self):
        """All of it holds for Unix sockets too."""
        with tempfile.TemporaryDirectory(prefix="miniss-") as folder, \
                program.Server("--smp", "2", listen=f"unix:{folder}/socket") as server:
            connection = self.connect(server)
            connection.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha")
            server.send_signal(signal.SIGTERM)
            with connection:
                connection.send(b"lf")
                self.assertEqual(connection.read_reply().body, b"half")
            self.assertEqual(server.wait(SOON), (0, "", ""))


class Bounds(Stops):
    def test_deadline(self):
        """Who never finishes is cut off after 10 s, and the exit status is still 0."""
        with program.Server("--smp", "2") as server:
            half_content, slow_content, unread, idle = [self.connect(server) for _ in range(4)]
            half_content.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha")
            slow_content.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            unread.socket.setblocking(False)
            try:
                while True:  # Never reads what comes back.
                    unread.socket.send(request("POST", "/echo", bytes(100_000)))
            except BlockingIOError:
                pass
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            while server.process.poll() is None:
                self.assertLess(time.monotonic() - began, STOP_TIME + SOON)
                try:
                    slow_content.send(b".")
                    time.sleep(0.1)
                except OSError:
                    break
            self.assertEqual(server.wait(SOON), (0, "", ""))
            self.assertGreater(time.monotonic() - began, STOP_TIME - 1)
            for connection in [half_content, slow_content, idle]:
                with connection:
                    self.assertTrue(connection.has_ended())

    def test_second_signal(self):
        """A second signal ends the server at once, by what that signal does by itself."""
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(number), program.Server("--smp", "2") as server, \
                    Connection(server) as busy, Connection(server) as idle:
                busy.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha")
                server.send_signal(number)
                self.assertTrue(idle.has_ended())
                self.assertIsNone(server.process.poll())
                began = time.monotonic()
                server.send_signal(number)
                self.assertEqual(server.wait(SOON), (-number, "", ""))
                self.assertLess(time.monotonic() - began, SOON)


if __name__ == "__main__":
    program.main()
