# SPDX-License-Identifier: Apache-2.0
"""What oracles fetch into build/, on first use: Debian packages that are unpacked, never installed, and virtual environments."""
import os
import subprocess
import sys


def fetch(command, seconds=300, **more):
    """The reason why not, or None."""
    if os.environ.get("WEIR_OFFLINE"):
        return "WEIR_OFFLINE is set"
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False, **more)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else f"{command[0]}: {(done.stdout + done.stderr).strip()[-300:]}"


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
