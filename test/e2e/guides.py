#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/guides, run as they stand there, in order, in a directory that has the shipped config/: guides.py WEIR

Only ports are others than those in the text. What needs somebody's key, file or channel is named in NEEDS, and nothing else is left out.
"""
import os
import pathlib
import re
import shutil
import subprocess
import time

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
# A command with one of these words needs what a test does not have.
NEEDS = ("config/production.yaml", "mine.jsonl", "run-1", "alert test ops")
STAYS = ("weir serve", "weir upstream", "seq ")


def commands(text):
    return re.findall(r"^    ((?:weir|curl|seq) .*)$", text, re.M)


class Shell:
    """A directory with config/, and the program on the path; ports of its own instead of the usual ones."""

    def __init__(self, directory, weir):
        self.directory = directory
        self.ports = {port: str(harness.free_port()) for port in ("8080", "8081", "9090")}
        shutil.copytree(ROOT / "config", directory / "config")
        practice = directory / "config" / "practice.yaml"
        practice.write_text(self.moved(practice.read_text()) + self.moved('\nserver: {listen: "127.0.0.1:8080", admin: "127.0.0.1:8081"}\n'))
        (directory / "weir.yaml").write_text("extends: config/practice.yaml\n")
        self.env = {**os.environ, "PATH": f"{pathlib.Path(weir).resolve().parent}:{os.environ['PATH']}"}
        self.running = []

    def moved(self, text):
        return re.sub(r"127\.0\.0\.1:(\d{4})", lambda found: f"127.0.0.1:{self.ports[found[1]]}", text)

    def start(self, command):
        command = self.moved(command).removesuffix("&")
        if command.startswith("weir upstream"):
            command += f" --listen 127.0.0.1:{self.ports['9090']}"
        log = self.directory / f"{len(self.running)}.log"
        with open(log, "wb") as output:
            self.running.append(subprocess.Popen(command, shell=True, cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL, stdout=output,
                                                 stderr=output, start_new_session=True))
        if command.startswith("weir "):
            self.wait_for("9090" if command.startswith("weir upstream") else "8080")

    def wait_for(self, port):
        for _ in range(harness.PATIENCE * 20):
            try:
                if harness.http_status(f"http://127.0.0.1:{self.ports[port]}/v1/models") == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"nobody listens on what is {port} in the text")

    def run(self, command):
        done = subprocess.run(self.moved(command), shell=True, cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        for process in self.running:
            try:
                os.killpg(process.pid, 15)
            except ProcessLookupError:
                pass
            process.wait()


def follow(world, checks, guide):
    directory = world.directory / guide.stem
    directory.mkdir()
    shell = Shell(directory, world.weir)
    lines = commands(guide.read_text())
    checks.true(f"{guide.name}: has commands", lines)
    try:
        if not any(line.startswith("weir serve") for line in lines):  # it speaks of a gateway that runs already
            shell.start("weir upstream --mode sim --time-scale 0.1")
            shell.start("weir serve --config config/practice.yaml")
        for line in lines:
            if any(word in line for word in NEEDS):
                continue
            if line.startswith(STAYS):
                shell.start(line)
                continue
            status, text = shell.run(line)
            checks.true(f"{guide.name}: {line[:80]}", status == 0 and '"error"' not in text, (status, text[-500:]))
    finally:
        shell.stop()


def links(checks):
    """Every relative link of the guides leads somewhere."""
    for guide in GUIDES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", guide.read_text()):
            checks.true(f"{guide.name}: {target}", (guide.parent / target).exists())


def main(world, checks):
    links(checks)
    for guide in GUIDES:
        follow(world, checks, guide)


if __name__ == "__main__":
    harness.run(main)
