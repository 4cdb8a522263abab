# SPDX-License-Identifier: Apache-2.0
"""What tests fetch into build/, on first use: Debian packages that are unpacked, never installed, and packages of PyPI and npm, each
set in a folder of its own."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"


@contextlib.contextmanager
def held(name):
    """What tests of both builds, which may run at once, do one after the other."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tried(command, seconds=300, **more):
    """The reason why a command failed, or None."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False, **more)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else f"{command[0]}: {(done.stdout + done.stderr).strip()[-300:]}"


def fetch(command, seconds=300, **more):
    return "WEIR_OFFLINE is set" if os.environ.get("WEIR_OFFLINE") else tried(command, seconds, **more)


def unpack(package, directory, program):
    """A Debian package's program, and the reason why there is none."""
    program = directory / program
    if program.exists():
        return program, None
    directory.mkdir(parents=True, exist_ok=True)
    reason = fetch(["apt-get", "download", package], cwd=directory)
    if reason:
        fetch(["apt-get", "update", "-qq"])
        reason = fetch(["apt-get", "download", package], cwd=directory)
    for archive in directory.glob("*.deb"):
        reason = reason or fetch(["dpkg-deb", "-x", archive, directory])
        archive.unlink()
    return program, reason if not program.exists() else None


def python_with(directory, *packages, seconds=300):
    """The Python of a virtual environment that has these packages, and the reason why there is none."""
    python, mark = directory / "bin/python", directory / "installed"
    if mark.exists() and mark.read_text() == " ".join(packages):
        return python, None
    reason = fetch([sys.executable, "-m", "venv", "--clear", directory]) or fetch([directory / "bin/pip", "install", "-q", *packages], seconds)
    if not reason:
        mark.write_text(" ".join(packages))
    return python, reason


def node_with(directory, *packages, seconds=300):
    """The reason why a folder from which Node finds these packages cannot be made, or None."""
    mark = directory / "installed"
    if mark.exists() and mark.read_text() == " ".join(packages):
        return None
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "package.json").write_text('{"private": true}\n')
    reason = fetch(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages], seconds, cwd=directory)
    if not reason:
        mark.write_text(" ".join(packages))
    return reason
