#!/usr/bin/env python3
"""httpd as the world's clients see it: those that are installed here; the others are skipped."""
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

import program
from http_client import Connection

HELLO = b"Hello, World!"
# A flag of what its own services would do, were it not for a page of this machine only.
CHROMIUM_OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
PAGE = """<!doctype html><title>before</title><link rel="stylesheet" href="style.css">
<p id="text">before</p><img id="image" src="image.svg">
<script src="sub/script.js"></script>"""
STYLE = "p { color: rgb(1, 2, 3) }"
IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"></svg>'
SCRIPT = """addEventListener("load", () => {
    const text = document.getElementById("text"), image = document.getElementById("image");
    text.textContent = [getComputedStyle(text).color, image.naturalWidth, "shown"].join(" ");
});"""
NGINX = """daemon off; pid {place}/pid; error_log {place}/errors; user root;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/a; uwsgi_temp_path {place}/b; scgi_temp_path {place}/c;
    upstream httpd {{ server {server}; keepalive 4; }}
    server {{
        listen unix:{place}/socket;
        location / {{
            proxy_pass http://httpd; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_request_buffering off;
        }}
    }}
}}"""


def need(test, *names):
    """The path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise test.skipTest(f"no {names[0]} here")


def run(*command, data=None, patience=program.PATIENCE):
    ended = subprocess.run([str(each) for each in command], input=data, capture_output=True,
                           timeout=patience, check=False)
    if ended.returncode != 0:
        raise AssertionError(f"{command[0]} exits with {ended.returncode}: {ended.stderr!r}")
    return ended.stdout


def listens(server):
    try:
        server.connect().close()
        return True
    except OSError:
        return False


class Clients(unittest.TestCase):
    options = ["--smp", "1"]

    def setUp(self):
        self.server = program.Server(*self.options)
        self.addCleanup(self.server.__exit__)
        self.url = f"http://{self.server.listen}"

    def tearDown(self):
        self.server.stop()

    def test_curl(self):
        curl = [need(self, "curl"), "--silent", "--show-error", "--max-time", "20"]
        self.assertEqual(run(*curl, self.url), HELLO)
        self.assertEqual(run(*curl, "--http1.0", self.url), HELLO)
        self.assertIn(b"content-length: 13", run(*curl, "--head", self.url).lower())
        # Twice over one connection.
        self.assertEqual(run(*curl, self.url, self.url, "-w", "%{num_connects} "),
                         HELLO + b"1 " + HELLO + b"0 ")
        upload = [*curl, "--data-binary", "@-", f"{self.url}/echo", "-H"]
        content = bytes(range(256)) * 2000
        for field in ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"]:
            with self.subTest(field):
                self.assertEqual(run(*upload, field, data=content), content)

    def test_wrk(self):
        output = run(need(self, "wrk"), "-t1", "-c20", "-d1s", self.url).decode()
        self.assertRegex(output, r"Requests/sec: +[1-9]")
        self.assertNotRegex(output, "Socket errors|Non-2xx")

    def test_h2load(self):
        output = run(need(self, "h2load"), "--h1", "-n2000", "-c20", self.url).decode()
        self.assertIn("2000 succeeded, 0 failed, 0 errored", output)
        self.assertIn("2000 2xx, 0 3xx, 0 4xx, 0 5xx", output)

    def test_ab(self):
        for options in [[], ["-k"]]:
            with self.subTest(options):
                output = run(need(self, "ab"), "-q", "-n2000", "-c20", *options,
                             f"{self.url}/").decode()
                self.assertRegex(output, r"Complete requests: +2000\n")
                self.assertRegex(output, r"Failed requests: +0\n")
                self.assertNotIn("Non-2xx", output)
                if options:
                    self.assertRegex(output, r"Keep-Alive requests: +2000\n")

    def test_nginx_in_front(self):
        nginx = need(self, "nginx", "/usr/sbin/nginx")
        with tempfile.TemporaryDirectory() as place:
            configuration = pathlib.Path(place, "configuration")
            configuration.write_text(NGINX.format(place=place, server=self.server.listen))
            with program.Program(nginx, "-c", configuration, "-e", f"{place}/errors") as proxy:
                proxy.family, proxy.address = socket.AF_UNIX, f"{place}/socket"
                proxy.connect = lambda: program.Server.connect(proxy)
                program.wait_until(lambda: listens(proxy), "nginx listens")
                with Connection(proxy) as connection:
                    for _ in range(100):
                        self.assertEqual(connection.ask("GET", "/").body, HELLO)
                    content = bytes(range(256)) * 1000
                    for chunk_bytes in [None, 1000]:
                        reply = connection.ask("POST", "/echo", content, chunk_bytes=chunk_bytes)
                        self.assertEqual((reply.status, reply.body), (200, content))
                    self.assertEqual(connection.ask("HEAD", "/").status, 200)
                    self.assertEqual(connection.ask("GET", "/nowhere").status, 404)
                proxy.send_signal(program.signal.SIGTERM)
                self.assertEqual(proxy.wait()[0], 0)


class Browser(unittest.TestCase):
    def test_chromium(self):
        """A page with a style sheet, an image and a script, all of them files of ours."""
        chromium = need(self, "chromium", "chromium-browser", "google-chrome")
        if b"--root" not in run(program.HTTPD, "--help"):
            self.skipTest("httpd serves no files")
        with tempfile.TemporaryDirectory() as place:
            root = pathlib.Path(place, "root")
            (root / "sub").mkdir(parents=True)
            for name, text in {"index.html": PAGE, "style.css": STYLE, "image.svg": IMAGE,
                               "sub/script.js": SCRIPT}.items():
                (root / name).write_text(text)
            with program.Server("--smp", "1", "--root", root) as server:
                page = run(chromium, *CHROMIUM_OPTIONS, f"--user-data-dir={place}/data",
                           "--virtual-time-budget=10000", "--dump-dom",
                           f"http://{server.listen}/index.html", patience=120).decode()
                self.assertIn('<p id="text">rgb(1, 2, 3) 30 shown</p>', page)
                server.stop()


if __name__ == "__main__":
    program.main()
