#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Token counting beside tiktoken, same texts, same session, one thread each: bench/tokens.py [--build build/release]

One line of JSON for each tool, encoding and text. tiktoken is timed in encode_ordinary(), the fastest that counts, and is
there once test/oracle/tokens.py has run. The texts, made into build/bench-tokens:
  prose   the documents of this repository
  code    its sources
  world   random words of the vocabulary with letters beyond ASCII (the hardest of the ordinary: few words come twice)
  mixed   4 MB: half prose, a quarter code, a quarter world, in blocks of 4 KB
  run     1 MB of 'a', which has no place to cut
"""
import argparse
import base64
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKENS = ROOT / "build" / "tokens"
WORK = ROOT / "build" / "bench-tokens"
PYTHON = ROOT / "build" / "oracle-tokens" / "bin" / "python"
BLOCK, SIZE = 4096, 4 << 20
ENCODINGS = ("o200k_base", "cl100k_base")

TIKTOKEN = """
import base64, json, pathlib, sys, time
import tiktoken
from tiktoken_ext import openai_public
name, tokens, texts = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
lines = (tokens / f"{name}.tiktoken").read_bytes().splitlines()
openai_public.load_tiktoken_bpe = lambda *_, **__: {base64.b64decode(t): int(r) for t, r in map(bytes.split, lines)}
encoding = tiktoken.Encoding(**getattr(openai_public, name)())
for path in map(pathlib.Path, texts):
    text, best = path.read_text(), 1e9
    for _ in range(1 if path.name == "run" else 7):
        start = time.thread_time()
        count = len(encoding.encode_ordinary(text))
        best = min(best, time.thread_time() - start)
    size = path.stat().st_size
    print(json.dumps({"tool": "tiktoken " + tiktoken.__version__, "encoding": name, "text": path.name, "bytes": size, "tokens": count,
                      "mb_per_s": round(size / 1e6 / best, 1)}))
"""


def all_of(*patterns):
    return "\n".join(path.read_text(errors="replace") for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def repeated(text, size):
    data = (text * (size // len(text) + 1)).encode()[:size]
    return data.decode(errors="ignore")


def world(rng, size):
    lines = (TOKENS / "o200k_base.tiktoken").read_bytes().splitlines()
    words = [base64.b64decode(line.split()[0]).decode(errors="ignore") for line in lines]
    words = [word for word in words if len(word) > 1 and any(char.isalpha() and char > "\x7f" for char in word)]
    text = ""
    while len(text) < size:
        text += "".join(rng.choices(words, k=1000))
    return text.encode()[:size].decode(errors="ignore")


def texts():
    rng = random.Random(1)
    prose, code = repeated(all_of("docs/*.md", "README.md"), SIZE // 2), repeated(all_of("src/**/*.[ch]"), SIZE // 4)
    foreign = world(rng, SIZE // 4)
    parts = [text[at:at + BLOCK] for text in (prose, code, foreign) for at in range(0, len(text), BLOCK)]
    rng.shuffle(parts)
    WORK.mkdir(parents=True, exist_ok=True)
    made = {"prose": prose, "code": code, "world": foreign, "mixed": "".join(parts), "run": "a" * 1000000}
    for name, text in made.items():
        (WORK / name).write_text(text)
    return [str(WORK / name) for name in made]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    args = parser.parse_args()
    done = subprocess.run([ROOT / "tools" / "setup-tokens"], check=False)
    if done.returncode:
        return done.returncode
    files = texts()
    for name in ENCODINGS:
        subprocess.run([args.build / "bench" / "bench-tokens", TOKENS / f"{name}.bin", *files], check=True)
        if PYTHON.exists():
            subprocess.run([PYTHON, "-c", TIKTOKEN, name, TOKENS, *files], check=True)
        else:
            print("without tiktoken: run test/oracle/tokens.py first", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
