"""What hangs in a miniss program, for gdb, on a live process or on a core dump.

    (gdb) source gdb/miniss.py
    (gdb) miniss tasks          the chains of tasks that wait, on every shard, as dump_tasks() does
    (gdb) miniss shards         which thread plays which shard, and what runs there

Needs debug information (-g) of the program; optimised code is fine. Where there is none of the file
that a task comes from, its chain ends there.
"""
import collections

import gdb

KINDS_MAX = 40  # As in core/dump_tasks.hh.
LINKS_MAX = 16
NAMED = 1 << 31
# In which slot of a task's virtual table task::ties() is.
SLOT_OF_TIES = 1


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


def at(address, kind):
    """A copy of what is there: where gdb follows a pointer, it warns of each type of a lambda."""
    return gdb.Value(gdb.selected_inferior().read_memory(address, kind.sizeof), kind)


def task_at(address):
    return at(address, gdb.lookup_type("miniss::task"))


def tasks_between(ends, direction):
    """The addresses of the tasks in a list."""
    fields = gdb.lookup_type("miniss::task").fields()
    offset = next(each.bitpos // 8 for each in fields if each.name.endswith("task_link"))
    link = int(ends[direction])
    while link != int(ends.address):
        yield link - offset
        link = int(at(link, ends.type)[direction])


def type_with_ties(address):
    """The type whose ties() a task has: that of `this` in there, as gdb does not find those of
    lambdas by their names. None if there is no debug information."""
    long = gdb.lookup_type("long")
    slot = int(at(address, long)) + SLOT_OF_TIES * long.sizeof
    try:
        block = gdb.block_for_pc(int(at(slot, long)))
    except RuntimeError:
        return None
    while block is not None and not block.superblock.is_static:
        block = block.superblock  # Out of what was inlined there.
    symbol = block and gdb.lookup_symbol("this", block)[0]
    return symbol and symbol.type.target().unqualified()


class Ties:
    """What a task waits for, a code_location or None, and the address of the task that waits for
    what it makes, or 0."""
    types = {}  # By address of the virtual table.

    def __init__(self, address):
        table = int(at(address, gdb.lookup_type("long")))
        if table not in self.types:
            self.types[table] = type_with_ties(address)
        self.source, self.waiter = None, 0
        if self.types[table] is None:
            return
        task = at(address, self.types[table])
        for name, kind in members(self.types[table]):
            if name == "state":
                self.source = task[name]["_origin"]
            elif name == "_source" and int(task[name]) != 0:
                self.source = task[name].dereference()
            elif name == "_caller":
                self.waiter = int(task[name])
            elif kind.startswith(("miniss::internal::promise_base<", "miniss::promise<")):
                self.waiter = int(task[name]["_waiter"])


def members(kind):
    """Yields (name, name of the type) of all, those of bases too."""
    for field in kind.strip_typedefs().fields():
        if field.is_base_class:
            yield from members(field.type)
        else:
            yield field.name, field.type.strip_typedefs().name or ""


def source_text(location):
    if location is None or int(location["_text"]) == 0:
        return "?"
    named = int(location["_number"]) & NAMED
    return ("" if named else "promise of ") + place(location)


def chains(shard):
    """The chain of each task that waits and that no other one feeds, the oldest first."""
    waiting = {task: Ties(task) for task in tasks_between(shard["waiting"], "_previous")}
    fed = {ties.waiter for ties in waiting.values()}
    for task, ties in waiting.items():
        if task in fed:
            continue
        text, link_count = source_text(ties.source), 0
        while task:
            if link_count < LINKS_MAX:
                text += " <- " + place(task_at(task)["attached_at"])
            link_count += 1
            task = Ties(task).waiter
        if link_count > LINKS_MAX:
            text += f" <- {link_count - LINKS_MAX} more"
        yield text


def dump(shard):
    waiting_count = sum(1 for _ in tasks_between(shard["waiting"], "_next"))
    ready_count = sum(1 for _ in tasks_between(shard["loop"]["_ready"]["_ends"], "_next"))
    print(f"miniss: shard {int(shard['id'])}: {waiting_count} tasks wait, "
          f"{ready_count} are ready to run")
    kinds = collections.Counter(chains(shard)).most_common()
    for text, count in kinds[:KINDS_MAX]:
        print(f"{count:6} x {text}")
    if len(kinds) > KINDS_MAX:
        left = sum(count for _, count in kinds[KINDS_MAX:])
        print(f"       and {left} chains of {len(kinds) - KINDS_MAX} other kinds")


class Miniss(gdb.Command):
    """Looks into a miniss program: miniss tasks, miniss shards."""

    def __init__(self):
        super().__init__("miniss", gdb.COMMAND_STATUS, prefix=True)


class Tasks(gdb.Command):
    """Prints the chains of tasks that wait, on every shard."""

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
