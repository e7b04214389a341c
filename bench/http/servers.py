"""The servers that are compared, as processes."""
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import time

from process import Failure, PATIENCE_SECONDS, has_ended, pause, start, stop

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build" / "release"


class Server:
    """One row of a table: a command, and while it runs its process and port."""

    takes_both_cores = False  # The server's and the load's.

    def __init__(self, name, command, template=None):
        self.name = name
        self._template = template
        self._command = command
        self._process = None
        self._log = None

    def start(self, cores, directory, root):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        directory.mkdir(parents=True)
        values = {"@PORT@": str(self.port), "@DIR@": str(directory), "@CPU@": cores,
                  "@ROOT@": str(root)}

        def fill_in(text):
            return re.sub("@[A-Z]+@", lambda found: values[found[0]], text)

        if self._template:
            (directory / self._template.name).write_text(fill_in(self._template.read_text()))
        command = ["taskset", "-c", cores, *map(fill_in, self._command)]
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = start(command, stdout=log, stderr=log, cwd=directory)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self.check_alive()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            pause(0.02)
        raise Failure(f"{self.name} does not listen after {PATIENCE_SECONDS} s: {self._said()}")

    def check_alive(self):
        if has_ended(self._process):
            status = stop(self._process)
            raise Failure(f"{self.name} ended with status {status}: {self._said()}")

    def check_reply(self, path, content):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            with contextlib.closing(connection):
                connection.request("GET", path)
                reply = connection.getresponse()
                body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{self.name} does not answer: {error!r}") from error
        if reply.status != 200 or body != content:
            raise Failure(f"{self.name} answers GET {path} with {reply.status} {body[:80]!r}")

    def stop(self):
        if self._process is not None:
            stop(self._process)

    def stop_cleanly(self):
        self.check_alive()
        status = stop(self._process)
        # A peer may end as it likes; ours promise 0.
        if status != 0 and self._template is None:
            raise Failure(f"{self.name} ended with status {status} on SIGTERM: {self._said()}")

    def _said(self):
        return self._log.read_text(errors="replace").strip()[-1000:] or "it printed nothing"

    def pids(self):
        found = [self._process.pid]
        for pid in found:
            # A thread or child that ends while we look has no figures any more.
            with contextlib.suppress(OSError):
                for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, children.read_text().split())
        return found

    def cpu_seconds(self):
        """What the process, its threads and its children have run: in user space, in the kernel."""
        user = kernel = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                # The name, in parentheses, may hold anything; the fields after it are numbers.
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                user += int(fields[11])
                kernel += int(fields[12])
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        return user / ticks_per_second, kernel / ticks_per_second

    def user_memory_bytes(self):
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB$", status, re.M)[1]) * 1024

    def descriptor_count(self):
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))


def _find_program(name, given):
    built = sorted(path for path in BUILD.rglob(name) if path.is_file())
    found = pathlib.Path(given) if given else next(iter(built), BUILD / name)
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise Failure(f"there is no program {found}: build it, or say --{name} PATH")
    return str(found.resolve())


def _find_peers():
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])
    commands = {"nginx": ["-p", "@DIR@/", "-c", "@DIR@/nginx.conf"],
                "haproxy": ["-f", "@DIR@/haproxy.cfg"]}
    found = {name: shutil.which(name, path=path) for name in commands}
    return {name: [program, *commands[name]] for name, program in found.items() if program}


def make_servers(args, names=("floor", "httpd", "nginx", "haproxy"), floor=(), httpd=(),
                 shards=1):
    """Those of `names` that are installed and wanted; `floor` and `httpd` are more options for
    these two. httpd comes once more for each --backend."""
    wanted = set(args.only or names) | {f"httpd-{each}" for each in args.backend}
    servers = []
    if "floor" in names and "floor" in wanted:
        servers.append(Server("floor", [_find_program("floor", args.floor), "--port", "@PORT@",
                                        "--cpu", "@CPU@", *floor]))
    for row in ["httpd", *(f"httpd-{each}" for each in args.backend)]:
        if "httpd" in names and row in wanted:
            backend = [f"--backend={row[len('httpd-'):]}"] if row != "httpd" else []
            servers.append(Server(row, [_find_program("httpd", args.httpd), "--listen",
                                        "127.0.0.1:@PORT@", "--smp", str(shards), "--cpuset", "@CPU@",
                                        *backend, *httpd]))
    templates = {"nginx": HERE / "nginx.conf", "haproxy": HERE / "haproxy.cfg"}
    servers += [Server(name, command, templates[name]) for name, command in _find_peers().items()
                if name in names and name in wanted]
    return servers


def known_names(args):
    return ["floor", "httpd", *(f"httpd-{each}" for each in args.backend), *_find_peers()]
