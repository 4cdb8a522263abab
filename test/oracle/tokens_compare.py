#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tokens.py runs once all that can be had is there: tokens_compare.py WEIR DRIVER TEXTS"""
import base64
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unicodedata

try:
    import tiktoken
    from tiktoken_ext import openai_public
except ImportError:
    tiktoken = openai_public = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKENS = ROOT / "build" / "tokens"
ENCODINGS = ("o200k_base", "cl100k_base")
PROMPT_EXTRA = 7  # what a chat's frame adds to a recorded prompt


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, what, got, want):
        good = got == want
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        if not good and self.failed < 30:
            print(f"FAILED {what}: weir {got}, expected {want}", file=sys.stderr)

    def skip(self, reason):
        self.skipped += 1
        print(f"skipped: {reason}", file=sys.stderr)


def counts(driver, table, texts):
    """(whole, streamed) for each text of bytes."""
    asked = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    done = subprocess.run([driver, table], input=asked, capture_output=True, check=True)
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]


def reference(name, ranks):
    openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    facts = getattr(openai_public, name)()
    return tiktoken.Encoding(facts["name"], pat_str=facts["pat_str"], mergeable_ranks=ranks, special_tokens={})


def ranks_of(name):
    lines = (TOKENS / f"{name}.tiktoken").read_bytes().splitlines()
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}


# ---- texts ----

def alphabets():
    """Where the patterns decide something; and characters of all kinds, by category."""
    kinds = {}
    for code in range(0x110000):
        char = chr(code)
        category = unicodedata.category(char)
        if category not in ("Cs", "Cn"):
            kinds.setdefault(category, []).append(char)
    rules = " \n\r\t'sStTrReEvVlLmMdD/!.aZ中é\u0301ſ1²\u00a0\u2028\x85"
    return {
        "rules": rules, "white": " \n\r\t\u00a0\x0bx", "cases": "aBcDÀé中ʰ\u0301Dž'sREve ", "apostrophes": "'’ſsStdmrelvLVE x",
        "marks": "\u0301\u0300aAa!中1 \n", "ascii": "".join(map(chr, range(128))), "letters": "etaoin shrdlu ETAOIN",
        "cjk": "的一是不了人我在有他这为之大来以个中上们日本語のはをにがカタカナ한국어。，！", "emoji": "👩\u200d👧🏽🏳️\u200d🌈❤\ufe0f🇩🇪 😀x",
        "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя АБВГД", "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي \u064b\u0651", "thai": "กขคงจฉชซ\u0e31\u0e34\u0e48 ",
        "digits": "0123456789.,- ", "code": "(){}[];=+-*/&|<>_\"'\\ \n\tifretunv0",
    }, list(kinds.values())


def text_of(rng, named, kinds, vocabulary):
    draw = rng.randrange(10)
    length = rng.choice([1, 2, 3, 5, 8, 20, 60, 200])
    if draw < 5:
        return "".join(rng.choices(rng.choice(list(named.values())), k=length))
    if draw < 7:
        return "".join(rng.choice(rng.choice(kinds)) for _ in range(length))
    if draw < 9:
        return b"".join(rng.choices(vocabulary, k=length)).decode("utf-8", "replace")
    return "".join(rng.choice("ab \n!中1'A") * rng.randrange(1, 150) for _ in range(rng.randrange(1, 4)))


def random_texts(rng, count, vocabulary):
    named, kinds = alphabets()
    texts = [text_of(rng, named, kinds, vocabulary) for _ in range(count)]
    return [text for text in texts if text] + ["", "<|endoftext|>", " <|im_start|>x", "a" * 5000, " " * 5000, "ab" * 3000, "中文" * 1000]


def broken_texts(rng, count):
    """Bytes that are mostly no UTF-8, and text with a few bytes changed, dropped or cut off."""
    texts = []
    for _ in range(count):
        if rng.random() < 0.4:
            texts.append(bytes(rng.choices([0x41, 0x20, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF],
                                           k=rng.randrange(1, 40))))
            continue
        text = bytearray("".join(rng.choices("aé中😀 \n", k=rng.randrange(1, 60))).encode())
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(text))
            text[at:at + rng.randrange(1, 3)] = bytes(rng.randrange(256) for _ in range(rng.randrange(3)))
            text = text or bytearray(b"\xff")
        texts.append(bytes(text))
    return texts


def sources():
    paths = sorted([*ROOT.glob("src/**/*.c"), *ROOT.glob("docs/*.md"), *ROOT.glob("test/**/*.py"), *ROOT.glob("config/**/*.json*")])
    return [path.read_text(errors="replace") for path in paths]


# ---- what is compared ----

def beside_tiktoken(tally, driver, table, name, ranks, count, seed):
    rng = random.Random(seed)
    encoding = reference(name, ranks)
    texts = random_texts(rng, count, list(ranks))
    broken = broken_texts(rng, count // 4)
    bytes_of = [text.encode() for text in texts] + broken
    texts += [text.decode("utf-8", "replace") for text in broken]
    for text, got in zip(texts, counts(driver, table, bytes_of)):
        want = len(encoding.encode_ordinary(text))
        tally.check(f"{name} {table.name} of {text[:80]!r}", got, (want, want))


def every_character(tally, driver, table, name, ranks, stride):
    """Each code point between neighbours that show its class; with a stride, only those of every so many blocks of 64."""
    encoding = reference(name, ranks)
    texts = []
    for start in range(0, 0x110000, 64 * stride):
        chars = [chr(code) for code in range(start, start + 64) if not 0xD800 <= code < 0xE000]
        texts += ["".join(form.replace("?", char) for char in chars) for form in ("a?b ", "A?B1?2", " ?x!?!", "?? \n")]
    for text, got in zip(texts, counts(driver, table, [text.encode() for text in texts])):
        want = len(encoding.encode_ordinary(text))
        tally.check(f"{name}: characters from U+{max(map(ord, text), default=0):04X} down: {text[:20]!r}", got, (want, want))


def test_plans(tally, driver):
    plans = (TOKENS / "TestPlans.txt").read_text()
    found = re.findall(r"^EncodingName: (\w+)\nSample: (.*?)\nEncoded: (\[[^\]]*\])$", plans, re.M | re.S)
    for name in ENCODINGS:
        rows = [(sample, json.loads(encoded)) for encoding, sample, encoded in found if encoding == name]
        if not rows:
            tally.skip(f"gpt-tokenizer's TestPlans.txt has no rows for {name}")
        got = counts(driver, TOKENS / f"{name}.bin", [sample.encode() for sample, _ in rows])
        for (sample, encoded), pair in zip(rows, got):
            tally.check(f"{name}: test plan {sample[:60]!r}", pair, (len(encoded), len(encoded)))
        print(f"TestPlans.txt: {len(rows)} rows of {name}")


def recorded(tally, driver):
    directory = pathlib.Path(os.environ.get("WEIR_RECORDED") or ROOT.parent / "shared" / "data" / "recorded")
    if not (directory / "questions.jsonl").exists():
        return tally.skip(f"no recorded answers in {directory}")

    def rows(path):
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    prompts = {row["id"]: row["prompt"] for row in rows(directory / "questions.jsonl")}
    answers = [row for path in sorted(directory.glob("answers/*.jsonl")) for row in rows(path)]
    table = TOKENS / "o200k_base.bin"
    of_prompts = dict(zip(prompts, counts(driver, table, [prompt.encode() for prompt in prompts.values()])))
    of_outputs = counts(driver, table, [row["output"].encode() for row in answers])
    for row, got in zip(answers, of_outputs):
        prompt = row["prompt_tokens"] - PROMPT_EXTRA
        tally.check(f"recorded {row['id']}", (of_prompts[row["id"]], got), ((prompt, prompt), (row["completion_tokens"],) * 2))
    print(f"recorded: {len(answers)} answers")
    return None


def command(tally, weir):
    """The command's own reading of files and of stdin."""
    text = "Grüße, 世界! don't\n\n  1234567 \xff".encode() * 5000
    for name in ENCODINGS:
        (want, _), = counts(sys.argv[2], TOKENS / f"{name}.bin", [text])
        done = subprocess.run([weir, "tokens", "--encoding", name, "--ranks", TOKENS], input=text, capture_output=True, check=False)
        tally.check(f"weir tokens --encoding {name}", done.stdout.decode(), f"{want}\n")


def main(weir, driver, count):
    tally = Tally()
    test_plans(tally, driver)
    recorded(tally, driver)
    command(tally, weir)
    if not tiktoken:
        tally.skip("tiktoken is not there")
    else:
        with tempfile.TemporaryDirectory(prefix="weir-oracle-") as directory:
            dense = pathlib.Path(directory) / "pairs"
            subprocess.run([ROOT / "tools" / "setup-tokens", "--pairs", dense], check=True)
            dense_ranks = {bytes(token): rank for rank, token in enumerate(json.loads(dense.with_suffix(".json").read_text()))}
            for number, name in enumerate(ENCODINGS):
                ranks = ranks_of(name)
                beside_tiktoken(tally, driver, TOKENS / f"{name}.bin", name, ranks, int(count), number)
                beside_tiktoken(tally, driver, dense.with_suffix(f".{number}"), name, dense_ranks, int(count), number + 10)
                every_character(tally, driver, dense.with_suffix(f".{number}"), name, dense_ranks, 1 if int(count) >= 1000 else 16)
                encoding = reference(name, ranks)
                texts = sources()
                for text, got in zip(texts, counts(driver, TOKENS / f"{name}.bin", [text.encode() for text in texts])):
                    want = len(encoding.encode_ordinary(text))
                    tally.check(f"{name} of a source file {text[:40]!r}", got, (want, want))
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return tally.failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
