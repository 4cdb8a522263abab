#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes files into a C header as a table of names and bytes.

    tools/embed.py NAME OUT.h FILE...

The header holds `static const struct { str name; str text; } NAME[];`, one row a file in the order
given, named without its directories. A NUL follows each text and is not counted. Whoever includes
it includes base/str.h.
"""
import os
import sys


def array(identifier, content):
    # char may be signed: bytes above 127 are written as the negative numbers that they are then.
    numbers = [byte - 256 if byte > 127 else byte for byte in content + b"\0"]
    lines = [", ".join(map(str, numbers[at:at + 24])) for at in range(0, len(numbers), 24)]
    body = ",\n    ".join(lines)
    return f"static const char {identifier}[] = {{\n    {body},\n}};\n"


def main():
    name, out, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    parts, rows = [], []
    for number, path in enumerate(files):
        with open(path, "rb") as file:
            content = file.read()
        shown = os.path.basename(path)
        parts.append(array(f"{name}_{number}", content))
        rows.append(f'    {{ {{ "{shown}", {len(shown.encode())} }}, {{ {name}_{number}, {len(content)} }} }},\n')
    with open(out, "w") as file:
        file.write("/* Made by tools/embed.py; do not edit. */\n")
        file.write('#include "base/str.h"\n\n')
        file.write("\n".join(parts))
        file.write(f"\nstatic const struct {{\n    str name;\n    str text;\n}} {name}[] = {{\n{''.join(rows)}}};\n")


main()
