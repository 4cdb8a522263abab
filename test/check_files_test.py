#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files with one thing wrong each, and what tools/check-files says of them. Last line: 'N passed, N failed'."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).resolve().parent.parent / "tools" / "check-files"

# path: content; parts of what is said, none for nothing wrong
CASES = {
    "good.py": ("print('a')\n", []),
    "open.py": ("x = 1\nprint('a'\n", ["open.py:2:", "never closed"]),
    "escape.py": ("x = '\\d'\n", ["escape.py:1:", "escape"]),
    "script": ("#!/usr/bin/env python3\nif x\n", ["script:2:"]),
    "good": ("#!/usr/bin/env python3\nx = 1\n", []),
    "good-shell": ("#!/bin/sh\nset -eu\necho a\n", []),
    "shell": ("#!/bin/sh\nif true; then\necho a\n", ["shell:", "end of file"]),
    "bash": ("#!/bin/bash\nx=(1 2\n", ["bash:"]),
    "only-bash": ("#!/bin/bash\nx=(1 2)\n", []),
    "no-script": ("if x (\n", []),
    "good.json": ("{\"a\": [1, null]}\n", []),
    "bad.json": ("{\"a\":\n [1,}\n", ["bad.json:2:", "not valid JSON"]),
    "good.jsonl": ("{\"a\": 1}\n[2]\n", []),
    "bad.jsonl": ("{\"a\": 1}\n{\"a\": 1\n", ["bad.jsonl:2:"]),
    "empty-line.jsonl": ("{}\n\n{}\n", ["empty-line.jsonl:2:"]),
    "twice.jsonl": ("{}\n{\"a\": 1, \"a\": 2}\n", ["twice.jsonl:2:", "twice"]),
    "test/corpus/json/bad.json": ("{", []),
    "good.md": ("[x](good.json) [y](https://example.org/z) [z](#below) [w](good.md#there)\n", []),
    "bad.md": ("one\n[x](nowhere.md)\n", ["bad.md:2:", "nowhere.md"]),
    "good.c": ("int x = ;", []),
}
BINARY = {"binary.json": (None, ["binary.json:1:", "UTF-8"]), "binary": (None, [])}
if shutil.which("node"):
    CASES |= {"good.mjs": ("import fs from 'node:fs';\n", []), "bad.mjs": ("let x = 1;\nlet = (;\n", ["bad.mjs:2:"])}


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, (text, _) in CASES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in BINARY:
            (root / name).write_bytes(b"\xff\xfe\x00")
        for name, (_, wanted) in {**CASES, **BINARY}.items():
            done = subprocess.run([sys.executable, CHECK, name], cwd=root, capture_output=True, text=True, check=False)
            lines = done.stdout.splitlines()
            fits = len(lines) == 1 and done.returncode == 1 if wanted else lines == [] and done.returncode == 0
            if not (fits and done.stderr == "" and all(part in done.stdout for part in wanted)):
                failed += 1
                print(f"FAILED {name}: {done.returncode} {done.stdout!r} {done.stderr!r}", file=sys.stderr)
    print(f"{len(CASES) + len(BINARY) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
