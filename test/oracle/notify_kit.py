# SPDX-License-Identifier: Apache-2.0
"""What the parts of notify.py share: services on loopback that keep what they are sent, and the count of checks."""
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import typing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
from harness import Checks
from processes import Process, free_port, http_json, to_yaml  # noqa: F401, also for the parts

WHSEC = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"  # 0123456789abcdef01234567
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


class Request(typing.NamedTuple):
    path: str
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)


class Recorder(ThreadingHTTPServer):
    """Keeps what it is sent; answers as the path says, /STATUS/BODY, or as PagerDuty does below /v2/."""

    def __init__(self):
        self.requests = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, count, seconds=20):
        """The requests, once there are that many."""
        until = time.monotonic() + seconds
        while len(self.requests) < count and time.monotonic() < until:
            time.sleep(0.05)
        return self.requests


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        path = '/202/{"status":"success"}' if self.path.startswith("/v2/") else self.path
        _, status, answer = (path.split("/", 2) + [""])[:3]
        self.send_response(int(status))
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass


class Mailbox:
    """An SMTP server that takes one message at a time and keeps it."""

    def __init__(self):
        self.messages, self.port = [], free_port()
        started = threading.Event()

        async def run():
            server = await asyncio.start_server(self.talk, "127.0.0.1", self.port)
            started.set()
            await server.serve_forever()
        threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
        started.wait(10)

    async def talk(self, reader, writer):
        commands = []

        async def say(line):
            writer.write(line.encode() + b"\r\n")
            await writer.drain()
        await say("220 mailbox")
        while line := (await reader.readline()).decode().strip():
            commands.append(line)
            word = line.split()[0].upper()
            if word == "DATA":
                await say("354 go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += await reader.readline()
                self.messages.append((commands, data[:-5].decode()))
                await say("250 taken")
            elif word == "QUIT":
                await say("221 bye")
                break
            else:
                await say("550 no such receiver" if "nobody@" in line else "250 fine")
        writer.close()


class Test(Checks):
    def __init__(self, weir, driver, directory):
        super().__init__()
        self.weir, self.driver, self.directory = weir, driver, directory

    def send(self, channel, env=None):
        """weir alert test, of one channel: its status, its JSON, and what it said."""
        config = self.directory / "weir.yaml"
        config.write_text(to_yaml({"alerts": {"channels": {"ops": channel}}}))
        done = subprocess.run([self.weir, "alert", "test", "ops", "--config", config, "--json"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, env={**os.environ, **(env or {})})
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def drive(self, url, kind, case, start, *secrets):
        """notify_driver, which makes notices that `weir alert test` does not; whether all of its messages were taken."""
        done = subprocess.run([self.driver, url, kind, case, str(start), *secrets], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.true(f"{kind} {case} is taken", done.returncode == 0, done.stdout + done.stderr)
        return done.returncode == 0
