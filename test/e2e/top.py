#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir top beside a running gateway: one look as text and JSON, and a session in a real (pseudo) terminal: top.py WEIR"""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time

import harness


def top(world, gateway, *words):
    done = subprocess.run([world.weir, "top", "--config", gateway.config, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False)
    return done.returncode, done.stdout, done.stderr


class Session:
    """weir top in a terminal of its own."""

    def __init__(self, world, gateway, rows, columns, env=None):
        child, self.fd = pty.fork()
        if child == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(world.weir, [str(world.weir), "top", "--config", str(gateway.config)],
                      {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})})
        self.child, self.seen = child, b""

    def wait_for(self, *parts):
        """Whether all of them come, in any order."""
        end = time.monotonic() + harness.PATIENCE
        while time.monotonic() < end and not all(part.encode() in self.seen for part in parts):
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:  # it has ended
                    break
        return all(part.encode() in self.seen for part in parts)

    def type(self, keys):
        self.seen = b""
        os.write(self.fd, keys.encode())

    def end(self):
        self.wait_for("\x1b[?1049l")
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


def main(world, checks):
    provider = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(provider)
    for _ in range(3):
        gateway.chat("weir/direct", "What is 2 + 2?")
    end = time.monotonic() + harness.PATIENCE
    while time.monotonic() < end and json.loads(top(world, gateway, "--json")[1])["windows"]["1h"]["n"] < 3:
        time.sleep(0.1)
    status, out, err = top(world, gateway, "--json")
    checks.equal("one JSON value", (status, json.loads(out)["windows"]["1h"]["n"], err), (0, 3, ""))
    status, out, err = top(world, gateway, "--once")
    checks.true("one look", status == 0 and "queries/s" in out and "n = 3" in out and "generic" in out and "\x1b" not in out, (status, out, err))

    session = Session(world, gateway, 40, 120)
    checks.true("a terminal shows it", session.wait_for("weir top", "queries/s", "q quit"), session.seen)
    session.type("2")
    checks.true("a key turns the page", session.wait_for("weir rollout start FILE"), session.seen)
    session.type("p")
    checks.true("and pauses", session.wait_for("paused"), session.seen)
    session.type("q")
    checks.equal("q ends it", session.end(), 0)
    checks.true("and gives the terminal back", b"\x1b[?1049l" in session.seen, session.seen)
    session = Session(world, gateway, 5, 20)
    checks.true("a small terminal", session.wait_for("weir top"), session.seen)
    session.type("q")
    checks.equal("ends too", session.end(), 0)
    dumb = Session(world, gateway, 24, 80, {"TERM": "no-such-terminal"})
    checks.true("an unknown terminal is said", dumb.wait_for("--once"), dumb.seen)
    checks.equal("with exit 2", os.waitstatus_to_exitcode(os.waitpid(dumb.child, 0)[1]), 2)

    status, _, err = top(world, gateway)
    checks.true("no terminal", status == 2 and "--once" in err, (status, err))
    for words, part in [(["--interval", "0"], "--interval must be"), (["now"], "options only")]:
        status, _, err = top(world, gateway, *words)
        checks.true(f"{words}", status == 2 and part in err, (status, err))
    session = Session(world, gateway, 40, 120)
    session.wait_for("q quit")
    session.seen = b""
    gateway.stop()
    checks.true("a gateway that goes is said, and waited for", session.wait_for("nobody answers"), session.seen)
    session.type("q")
    checks.equal("ends all the same", session.end(), 0)
    status, _, err = top(world, gateway, "--once")
    checks.true("nobody there", status == 3 and "is weir serve running?" in err, (status, err))


if __name__ == "__main__":
    harness.run(main)
