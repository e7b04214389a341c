#!/usr/bin/env python3
"""What httpd says of what waits in it, on SIGUSR1."""
import re
import signal
import unittest

import program
from http_client import Connection

HEAD = re.compile(r"miniss: shard (\d+): (\d+) tasks wait, \d+ are ready to run\n")
CHAIN = re.compile(r" *(\d+) x receive <- \S+:\d+", re.M)
DUMPED = re.compile(r"miniss: shard \d+: (\d+ tasks wait, |[a-z ]+ of \d+ bytes: -?\d+ )| +\d+ x ")
CONNECTION_COUNT = 200


def dumps(server):
    """What has been printed, by shard, once both shards have."""
    text = server.read_errors()
    return len(HEAD.findall(text)) >= 2 and text


class Dump(unittest.TestCase):
    def test_idle_connections(self):
        """Idle connections are one line for each shard, with their count, and do not notice."""
        with program.Server("--smp", "2") as server:
            peers = [Connection(server) for _ in range(CONNECTION_COUNT)]
            for peer in peers:
                self.addCleanup(peer.socket.close)
                self.assertEqual(peer.ask("GET", "/").status, 200)
            server.send_signal(signal.SIGUSR1)
            text = program.wait_until(lambda: dumps(server), "both shards have printed")
            self.assertEqual(sorted(shard for shard, _ in HEAD.findall(text)), ["0", "1"])
            self.assertEqual(sum(map(int, CHAIN.findall(text))), CONNECTION_COUNT, text)
            self.assertLessEqual(len(CHAIN.findall(text)), 2, text)
            self.assertRegex(text, r" 1 x signal <- \S*apps/httpd/main\.cc:\d+", text)
            self.assertEqual(peers[0].ask("GET", "/").status, 200)
            for peer in peers:
                peer.socket.close()
            server.send_signal(signal.SIGTERM)
            status, output, errors = server.wait()
            self.assertEqual((status, output), (0, ""))
            others = [line for line in errors.splitlines() if not DUMPED.match(line)]
            self.assertEqual(others, [])
            # They keep no buffers.
            held = re.findall(r": receive buffers of 4096 bytes: (\d+) of 1024 held, ", errors)
            self.assertEqual(held, ["0", "0"] if program.BACKEND == "io_uring" else [], errors)

    def test_again(self):
        """Each signal is answered."""
        with program.Server("--smp", "2") as server:
            for count in (2, 4, 6):
                server.send_signal(signal.SIGUSR1)
                program.wait_until(lambda: len(HEAD.findall(server.read_errors())) == count,
                                   f"{count} shards have printed")
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait()[0], 0)


if __name__ == "__main__":
    program.main()
