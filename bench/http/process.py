"""Child processes that are always ended, and waiting that a signal can end."""
import os
import signal
import subprocess
import time

PATIENCE_SECONDS = 10  # With a program that starts or ends.


class Failure(Exception):
    """Something that makes the figures worthless; its text is the one line the user sees."""


# The handler only takes a note, and every wait looks at it: so no signal can come between the
# start of a child and the line that remembers to stop it.
_signals = []


def note_signals():
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda number, _: _signals.append(number))


def pause(seconds):
    time.sleep(seconds)
    if _signals:
        raise KeyboardInterrupt


def start(command, **streams):
    # A session of its own keeps the terminal's Ctrl-C from the child: stopping it is our work.
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, **streams)


def has_ended(process):
    # Not poll(): a child that is not reaped yet keeps its id, and that of its group, from reuse.
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return process.returncode is not None or os.waitid(os.P_PID, process.pid, how) is not None


def stop(process, how=signal.SIGTERM):
    """Ends a child, and then whatever that child has started. Returns its exit status."""
    if process.returncode is None:
        os.kill(process.pid, how)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not has_ended(process) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
