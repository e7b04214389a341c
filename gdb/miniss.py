"""What hangs in a miniss program, for gdb, on a live process or on a core dump.

    (gdb) source gdb/miniss.py
    (gdb) miniss tasks          where the tasks were attached that wait, on every shard
    (gdb) miniss shards         which thread plays which shard, and what runs there

Who waits for whom only the process itself can tell (dump_tasks()): many of its types are those of
lambdas, which gdb does not find.

Needs debug information (-g) of the program; optimised code is fine.
"""
import collections

import gdb

PLACES_MAX = 40
NAMED = 1 << 31


def place(location):
    """A code_location as people read it."""
    text = int(location["_text"])
    if text == 0:
        return "?"
    number = int(location["_number"])
    name = location["_text"].string(errors="replace")
    while name.startswith("../"):
        name = name[3:]
    if not number & NAMED:
        return f"{name}:{number}"
    number &= ~NAMED
    return name if number == 0 else f"{name} {number - 1}"


def shards():
    """Yields (thread, shard_context) of each thread that plays a shard, by number."""
    found = []
    before = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        context = gdb.parse_and_eval("miniss::this_shard")
        if int(context) != 0:
            found.append((thread, context.dereference()))
    if before is not None:
        before.switch()
    return sorted(found, key=lambda each: int(each[1]["id"]))


def waiting_tasks(shard):
    """The oldest first."""
    task = gdb.lookup_type("miniss::task").pointer()
    ends = shard["waiting"].address
    link = ends["_previous"]
    while link != ends:
        yield link.cast(task).dereference()
        link = link["_previous"]


def dump(shard):
    places = collections.Counter(place(task["attached_at"]) for task in waiting_tasks(shard))
    print(f"miniss: shard {int(shard['id'])}: {places.total()} tasks wait")
    for where, count in places.most_common(PLACES_MAX):
        print(f"{count:6} x {where}")
    if len(places) > PLACES_MAX:
        left = sum(count for _, count in places.most_common()[PLACES_MAX:])
        print(f"       and {left} at {len(places) - PLACES_MAX} other places")


class Miniss(gdb.Command):
    """Looks into a miniss program: miniss tasks, miniss shards."""

    def __init__(self):
        super().__init__("miniss", gdb.COMMAND_STATUS, prefix=True)


class Tasks(gdb.Command):
    """Prints where the tasks were attached that wait, on every shard."""

    def __init__(self):
        super().__init__("miniss tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for _, shard in shards():
            dump(shard)


class Shards(gdb.Command):
    """Prints which thread plays which shard, and where what runs there comes from."""

    def __init__(self):
        super().__init__("miniss shards", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for thread, shard in shards():
            print(f"shard {int(shard['id'])}: thread {thread.num}, runs {place(shard['running'])}")


Miniss()
Tasks()
Shards()
