"""A small strict HTTP/1.1 client: what goes out is given byte by byte, replies are taken apart."""
import re
import socket
import struct

STATUS_LINE = re.compile(r"HTTP/1\.1 (\d{3}) ([ -~]*)")
FIELD_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([ -~]*)")


class NoReply(Exception):
    """The connection has ended before a byte of the reply came."""


class CutReply(Exception):
    """The connection has ended within a reply."""


class Reply:
    """Status, header fields and body."""

    def __init__(self, head):
        status_line, *field_lines = head.decode("ascii").split("\r\n")
        if not (status := STATUS_LINE.fullmatch(status_line)):
            raise AssertionError(f"malformed status line {status_line!r}")
        self.status, self.reason = int(status[1]), status[2]
        self.fields = {}
        for line in field_lines:
            if not (field := FIELD_LINE.fullmatch(line)):
                raise AssertionError(f"malformed header line {line!r}")
            name = field[1].lower()
            if name in self.fields:
                raise AssertionError(f"{name} comes twice")
            self.fields[name] = field[2]
        self.body = b""

    def __repr__(self):
        return f"{self.status} {self.reason} {self.fields} {self.body[:80]!r}"

    def closes(self):
        return self.fields.get("connection", "").lower() == "close"


def request(method, target, body=None, fields=(), version="1.1", chunk_bytes=None):
    """The bytes of a request; in chunks of `chunk_bytes` if that is given."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *fields]
    content = body or b""
    if chunk_bytes:
        lines.append("Transfer-Encoding: chunked")
        pieces = [content[at:at + chunk_bytes] for at in range(0, len(content), chunk_bytes)]
        content = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        content += b"0\r\n\r\n"
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode() + content


class Connection:
    """A connection to a Server, over which replies are read in order."""

    def __init__(self, server, **options):
        self.socket = server.connect(**options)
        self._received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with a reset instead of the usual end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _receive(self):
        try:
            received = self.socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            received = b""
        self._received += received
        return bool(received)

    def read_reply(self, to_head=False):
        """The next reply, which may be a 100. Raises NoReply or CutReply."""
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                if self._received:
                    raise CutReply(f"within the head: {self._received!r}")
                raise NoReply()
        head, self._received = self._received.split(b"\r\n\r\n", 1)
        reply = Reply(head)
        size = int(reply.fields.get("content-length", 0))
        if to_head or reply.status < 200 or reply.status in (204, 304):
            return reply
        if "content-length" not in reply.fields:
            raise AssertionError(f"no Content-Length: {reply}")
        while len(self._received) < size:
            if not self._receive():
                raise CutReply(f"{len(self._received)} of {size} bytes of the body of {reply}")
        reply.body, self._received = self._received[:size], self._received[size:]
        return reply

    def ask(self, *arguments, **options):
        """Sends request(...) and reads its reply."""
        self.send(request(*arguments, **options))
        return self.read_reply(to_head=arguments[0] == "HEAD")

    def has_ended(self):
        """Waits for the other side to close. False if something else comes."""
        return not self._received and not self._receive()


def ask(server, *arguments, **options):
    """The same on a connection of its own."""
    with Connection(server) as connection:
        return connection.ask(*arguments, **options)
