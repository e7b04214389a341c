#!/usr/bin/env python3
"""What topology draws: the machine, what decided how many shards there are, and where they sit."""
import os
import unittest

import program

TOPOLOGY = program.HTTPD.with_name("topology")


class Topology(unittest.TestCase):
    def draw(self, *options, before_exec=None):
        status, output, errors = program.run(TOPOLOGY, *options, "--backend", program.BACKEND,
                                             before_exec=before_exec)
        self.assertEqual((status, errors), (0, ""))
        return output

    def test_machine(self):
        """Packages, nodes, cores and CPUs are drawn, and every CPU once."""
        output = self.draw()
        for part in ["package 0\n", "  NUMA node 0\n", "      core 0"]:
            self.assertIn(part, output)
        for cpu in os.sched_getaffinity(0):
            self.assertEqual(output.count(f"[CPU {cpu}:") + output.count(f"[CPU {cpu}]"), 1)
        self.assertRegex(output, "shards: .*, (one for each core|as the CPU quota allows); ")

    def test_oversubscribed(self):
        """More shards than CPUs share them, and all of them run there."""
        cpu = program.ONE_CPU
        output = self.draw("--cpuset", cpu, "--smp", "8")
        self.assertIn(f"[CPU {cpu}: shards 0-7]", output)
        self.assertIn(f"shards: 8, as --smp says; pinned, with memory from their nodes; "
                      f"on {program.BACKEND}\n", output)
        for shard in range(8):
            self.assertIn(f"miniss/{shard} runs on CPU {cpu}\n", output)

    def test_rules(self):
        """The rule is named that decided how many shards there are."""
        cpu = program.ONE_CPU
        self.assertIn("1, one for each CPU of --cpuset;", self.draw("--cpuset", cpu))
        self.assertRegex(self.draw("--smt"), "one for each hardware thread|as the CPU quota allows")
        self.assertIn("2, as --smp says; not pinned;", self.draw("--smp", "2", "--no-pin"))

    def test_affinity(self):
        """CPUs that taskset keeps from the process are marked, and get no shard."""
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("only one CPU")
        output = self.draw(before_exec=lambda: os.sched_setaffinity(0, cpus[:1]))
        self.assertIn(f"allowed CPUs: {cpus[0]}\n", output)
        self.assertIn(f"[CPU {cpus[0]}: shard 0]", output)
        self.assertIn(f"[CPU {cpus[1]} (not allowed)]", output)


if __name__ == "__main__":
    program.main()
