"""What hangs in a miniss program, for gdb, on a live process or on a core dump.

    (gdb) source gdb/miniss.py
    (gdb) miniss tasks          the chains of tasks that wait, on every shard, as dump_tasks() does
    (gdb) miniss shards         which thread plays which shard, and what runs there

Needs debug information (-g) of the program; optimised code is fine.
"""
import collections

import gdb

KINDS_MAX = 40
LINKS_MAX = 16
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


def members(value):
    """Yields (name, value) of all members, also those of the bases."""
    for field in value.type.strip_typedefs().fields():
        if not hasattr(field, "bitpos") or field.artificial:
            continue
        if field.is_base_class:
            yield from members(value[field])
        elif field.name:
            yield field.name, value[field]


class Task:
    """One task, as what it really is where the debug information tells."""

    def __init__(self, pointer):
        self.address = int(pointer)
        try:
            self.value = pointer.cast(pointer.dynamic_type).dereference()
        except gdb.error:
            self.value = pointer.dereference()

    def attached_at(self):
        return place(self.value["attached_at"])

    def waiter(self):
        """Who waits for its result, or None."""
        for name, member in members(self.value):
            kind = str(member.type.strip_typedefs())
            if kind.startswith("miniss::internal::promise_base<"):
                pointer = member["_waiter"]
            elif name == "_caller":
                pointer = member
            else:
                continue
            return None if int(pointer) == 0 else Task(pointer)
        return None

    def source(self):
        """What it waits for, if no other task makes that."""
        for name, member in members(self.value):
            if name == "state":
                origin = member["_origin"]
            elif name == "_source" and int(member) != 0:
                origin = member.dereference()
            else:
                continue
            if int(origin["_text"]) == 0:
                return "?"
            named = int(origin["_number"]) & NAMED
            return place(origin) if named else "promise of " + place(origin)
        return "?"


def chain_of(task):
    links = [task.source()]
    while task is not None and len(links) <= LINKS_MAX:
        links.append(task.attached_at())
        task = task.waiter()
    return " <- ".join(links) + (" <- more" if task is not None else "")


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
        yield Task(link.cast(task))
        link = link["_previous"]


def dump(shard):
    tasks = list(waiting_tasks(shard))
    fed = {waiter.address for waiter in (each.waiter() for each in tasks) if waiter}
    kinds = collections.Counter(chain_of(each) for each in tasks if each.address not in fed)
    print(f"miniss: shard {int(shard['id'])}: {len(tasks)} tasks wait")
    for chain, count in kinds.most_common(KINDS_MAX):
        print(f"{count:6} x {chain}")
    if len(kinds) > KINDS_MAX:
        left = sum(count for _, count in kinds.most_common()[KINDS_MAX:])
        print(f"       and {left} chains of {len(kinds) - KINDS_MAX} other kinds")


class Miniss(gdb.Command):
    """Looks into a miniss program: miniss tasks, miniss shards."""

    def __init__(self):
        super().__init__("miniss", gdb.COMMAND_STATUS, prefix=True)


class Tasks(gdb.Command):
    """Prints the chains of tasks that wait, on every shard: read <- as "is waited for by"."""

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
