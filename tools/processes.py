# SPDX-License-Identifier: Apache-2.0
"""Starting, watching and ending weir's processes; for the demo, the benchmark and the tests. Standard library only."""
import atexit
import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Below the range from which the kernel takes the ports of outgoing connections, so that none of those is in the way;
# two programs that run at once begin at different places.
_ports = itertools.count(20000 + os.getpid() * 16 % 12000)


def free_port(wanted=()):
    """A loopback port on which nobody listens: one of wanted, else any."""
    for port in itertools.chain(wanted, _ports):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as weir does: old connections do not matter
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Process:
    """A child in a session of its own (Ctrl-C reaches us alone, we end it), its output in a file."""

    def __init__(self, command, log, env=None):
        self.command = [str(word) for word in command]
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          start_new_session=True, env={**os.environ, **(env or {})}, cwd=ROOT)
        self.pid = self.child.pid
        atexit.register(self.stop)

    def is_running(self):
        return self.child.poll() is None

    def stop(self, seconds=15):
        """Asks it to end; its exit status. One that does not end in time is killed and gives -9."""
        if self.is_running():
            self.child.send_signal(signal.SIGTERM)
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()
        atexit.unregister(self.stop)
        return status

    def kill(self):
        atexit.unregister(self.stop)
        if self.is_running():
            self.child.kill()
        return self.child.wait()

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, url, seconds=20):
        """Waits until url answers 200."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if http_status(url) == 200:
                return self
            if not self.is_running():
                break
            time.sleep(0.02)
        what = "did not answer" if self.is_running() else f"ended with status {self.child.returncode}"
        raise RuntimeError(f"{' '.join(self.command)}: {what}\n" + "\n".join(self.output().splitlines()[-20:]))


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


def http_status(url, seconds=2):
    """Of a GET; 0 when nobody answers."""
    try:
        with _direct.open(url, timeout=seconds) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return 0


def http_json(url, body=None, seconds=300):
    """(status, JSON) of a GET, or of a POST of body; the JSON of an error too."""
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(),
                                     headers={"content-type": "application/json"})
    try:
        with _direct.open(request, timeout=seconds) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def to_yaml(value, indent=""):
    """Nested dictionaries as YAML; everything else as JSON, which YAML includes."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{json.dumps(key)}:", to_yaml(item, indent + "  ")]
        else:
            lines.append(f"{indent}{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}")
    return "\n".join(lines) + ("" if indent else "\n")
