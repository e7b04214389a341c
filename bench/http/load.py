"""Loads one server, with wrk or with connections that then do nothing, and measures meanwhile."""
import contextlib
import dataclasses
import json
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time

from process import Failure, PATIENCE_SECONDS, has_ended, pause, start, stop
from servers import HERE

IDLE_SHARE_MAX = 0.05  # Of a core, for a server that is not being loaded.
CONNECTIONS_PER_ADDRESS = 20_000  # Of the 28,000 ports that a client has by default.
IP_BIND_ADDRESS_NO_PORT = 24


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    connections: int
    depth: int = 1  # Requests in flight on each.
    path: str = "/"
    closes: bool = False  # After each reply, as the request asks for it.
    base: str = "floor"  # The row that all are compared to.


def run_wrk(server, scenario, seconds, cpu):
    command = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{scenario.connections}",
               f"-d{seconds}s", "-s", str(HERE / "load.lua"),
               f"http://127.0.0.1:{server.port}{scenario.path}", "--", str(scenario.depth),
               "close" if scenario.closes else "keep"]
    with tempfile.TemporaryFile("w+") as output:
        wrk = start(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + seconds + 15
        try:
            while not has_ended(wrk):
                if time.monotonic() > deadline:
                    raise Failure(f"wrk does not end on {server.name}, {scenario.name}")
                pause(0.05)
        finally:
            stop(wrk, signal.SIGKILL)
        output.seek(0)
        text = output.read()
    last_line = text.strip().rpartition("\n")[2]
    if wrk.returncode != 0 or not last_line.startswith("{"):
        raise Failure(f"wrk failed on {server.name}, {scenario.name}: {text.strip()}")
    return json.loads(last_line)


def measure(server, servers, scenario, round_number, args):
    """One sample: a run of wrk, and what the server's CPU time grew by meanwhile."""
    for each in servers:
        each.check_alive()
    before = [each.cpu_seconds() for each in servers]
    started = time.monotonic()
    counts = run_wrk(server, scenario, args.seconds, args.load_cpu)
    seconds = time.monotonic() - started
    after = [each.cpu_seconds() for each in servers]
    requests = counts["requests"]
    if requests == 0:
        raise Failure(f"{server.name}, {scenario.name}: not one request was answered")
    for each, old, new in zip(servers, before, after):
        if each is server:
            user, kernel = new[0] - old[0], new[1] - old[1]
        elif sum(new) - sum(old) > IDLE_SHARE_MAX * seconds:
            raise Failure(f"{each.name} used CPU time while nobody asked it anything")
    return {
        "scenario": scenario.name,
        "round": round_number,
        "server": server.name,
        "requests": requests,
        "wrk_seconds": counts["microseconds"] / 1e6,
        "requests_per_second": requests / (counts["microseconds"] / 1e6),
        "reply_bytes": counts["bytes"] / requests,
        # wrk corrects latencies by the time between two replies, which makes nonsense of batches.
        "p50_us": counts["p50"] if scenario.depth == 1 else None,
        "p99_us": counts["p99"] if scenario.depth == 1 else None,
        "core_share": (user + kernel) / seconds,
        "cpu_us": (user + kernel) / requests * 1e6,
        "user_us": user / requests * 1e6,
        "kernel_us": kernel / requests * 1e6,
        "errors": counts["errors"],
    }


def count_calls(server, scenario, args, directory):
    """Prints the system calls per request of one server, as `strace -c` counts them."""
    report, messages = directory / "strace", directory / "strace.messages"
    pids = server.pids()
    command = ["strace", "-c", "-f", "-o", str(report)]
    command += [word for pid in pids for word in ("-p", str(pid))]
    with messages.open("wb") as stream:
        strace = start(command, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while messages.read_text().count(" attached") < len(pids):
            if has_ended(strace) or time.monotonic() > deadline:
                raise Failure(f"strace cannot attach: {messages.read_text().strip()}")
            pause(0.02)
        counts = run_wrk(server, scenario, args.seconds, args.load_cpu)
    finally:
        stop(strace, signal.SIGINT)
    # A line of the report: share, seconds, microseconds per call, calls, errors if any, name.
    rows = [line.split() for line in report.read_text().splitlines()]
    calls = {row[-1]: int(row[3]) for row in rows if row and re.match(r"\d", row[0])}
    calls.pop("total", None)
    most = sorted(calls.items(), key=lambda call: -call[1])[:8]
    print(f"{server.name:<14} {sum(calls.values()) / counts['requests']:.3f} system calls per "
          f"request in {counts['requests']} requests: "
          + ", ".join(f"{name} {count}" for name, count in most))
    return {"scenario": scenario.name, "round": 0, "server": server.name, "calls": calls, **counts}


def allow_descriptors(count):
    """For this process and those that it starts. Root may have more than the limit says."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(count, 1024), max(count, hard)))
    except (ValueError, OSError) as error:
        raise Failure(f"{count} descriptors are needed, but only {hard} allowed") from error


class IdleConnections:
    """Connections that had one request answered, and then only stay."""

    def __init__(self, server, count):
        self._sockets = []
        for number in range(count):
            if number % 1000 == 0:
                pause(0)
            self._sockets.append(self._open(server, number // CONNECTIONS_PER_ADDRESS))

    @staticmethod
    def _open(server, address_number):
        connection = socket.socket()
        # The port is chosen when it connects, and may be one that another address has in use.
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.bind((f"127.0.0.{2 + address_number}", 0))
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            reply = connection.recv(4096)
        except OSError as error:
            raise Failure(f"{server.name} takes no further idle connection: {error}") from error
        if not reply.startswith(b"HTTP/1.1 200 "):
            raise Failure(f"{server.name} answers an idle connection with {reply[:80]!r}")
        return connection

    def close(self):
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.close()
