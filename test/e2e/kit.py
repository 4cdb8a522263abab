#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What comes with the program: completion in real shells, the manual page through real formatters: kit.py WEIR

What they must know is read from `weir --help` and `weir COMMAND --help`; the help of a command that is added later brings it
into this test.
"""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*words, cwd=None, text=None):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, input=text or "", cwd=cwd, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout, done.stderr


def has(program):
    """Whether a test's tool is there; tools/setup brings those without which continuous integration would test nothing."""
    if not shutil.which(program):
        print(f"skipped: no {program} here")
    return shutil.which(program)


def commands_of(weir):
    """name: {options: {name: value or ""}, words: its alternatives}, as the help says."""
    _, out, _ = run(weir, "--help")
    commands = {}
    for name in re.findall(r"^  ([a-z]+) +\S", out.split("Commands:\n")[1], re.M):
        _, text, _ = run(weir, name, "--help")
        words = re.fullmatch(rf"weir {name}(.*?)(?: \[options\])?", text.splitlines()[0])[1].strip()
        options = dict(re.findall(r"^  --([a-z0-9-]+)(?: (\S+))?", text.split("Example:")[0], re.M))
        commands[name] = {"options": options, "words": words, "example": text.split("Example:\n")[1].rstrip("\n")}
    return commands


def helps(checks, world, commands):
    """The explanations of all options begin in one column, below the option where that is long."""
    for name in commands:
        lines = run(world.weir, name, "--help")[1].partition("Options:\n")[2].partition("\n\n")[0].splitlines()
        wrong = [line for line in lines if not re.fullmatch(r"(?=.{27})  --\S+ \S+|(?=  --| {27})(?=.{26} \S).*", line)]
        checks.equal(f"help of {name}: columns", wrong, [])


def literals(form):
    """What is typed as it is: verify and export of "verify|export", start of "start FILE", recorded: of "recorded:DIR"."""
    return [match for match in (re.match(r"[a-z0-9_:-]*", part.strip())[0] for part in form.split("|")) if match]


def offered(form, files, folders):
    """What stands behind an option: words of its form, files behind FILE (folders lead to them), folders behind DIR."""
    parts = [part.strip() for part in form.split("|")]
    return {*literals(form), *(files + folders if "FILE" in parts else folders if "DIR" in parts else [])}


# ---- bash ----

def bash(world, lines, cwd=None, options=""):
    """What bash would offer for each line, the cursor at its end; a line is a list of words as readline splits them."""
    script = world.path("completion.bash")
    script.write_text(run(world.weir, "completion", "bash")[1])
    calls = "".join(f"COMP_WORDS=({' '.join(repr(word) for word in line)}); COMP_CWORD={len(line) - 1}; _weir; "
                    "printf '%s\\n' \"${COMPREPLY[@]+${COMPREPLY[@]}}\" | tr '\\n' '\\037'; echo; " for line in lines)
    status, out, err = run("bash", "--norc", "-c", f"{options} source {script}; complete -p weir; {calls}", cwd=cwd)
    first, *offers = out.splitlines() or [""]
    return status, err, first, [[word for word in offer.split("\037") if word] for offer in offers]


def completes_in_bash(checks, world, commands):
    lines = [["weir", ""], *(["weir", name, ""] for name in commands), *(["weir", name, "--"] for name in commands)]
    empty = world.path("empty")  # where a file may be named, what lies here is offered
    empty.mkdir()
    status, err, registered, offers = bash(world, lines, cwd=empty, options="set -u;")
    checks.equal("bash: sources quietly", (status, err), (0, ""))
    checks.equal("bash: is registered", registered, "complete -F _weir weir")
    checks.equal("bash: commands", sorted(offers[0]), sorted([*commands, "help", "version", "--help", "--version"]))
    for i, (name, command) in enumerate(commands.items()):
        options = sorted([f"--{option}" for option in command["options"]] + ["--help"])
        checks.equal(f"bash: weir {name}", sorted(offers[1 + i]), sorted(options + literals(command["words"])))
        checks.equal(f"bash: weir {name} --", sorted(offers[1 + len(commands) + i]), options)

    folder = world.path("folder")
    folder.mkdir()
    (folder / "my weir.yaml").touch()
    (folder / "ledger").mkdir()
    lines = {
        ("weir", "le"): ["ledger"], ("weir", "ledger", "v"): ["verify"], ("weir", "ask", "--strategy", "h"): ["hrm", "hrm_trm"],
        ("weir", "serve", "--config", "my"): ["my weir.yaml"], ("weir", "serve", "--config", "=", "my"): ["my weir.yaml"],
        ("weir", "serve", "--config", "="): ["ledger", "my weir.yaml"], ("weir", "serve", "--ledger", ""): ["ledger"],
        ("weir", "upstream", "--mode", "s"): ["script:", "sim"], ("weir", "completion", ""): ["--help", "bash", "fish", "zsh"],
        ("weir", "ask", "--model", ""): [], ("weir", "nonsense", ""): [], ("weir", "nonsense", "--config", "m"): [],
    }
    _, err, _, offers = bash(world, lines, cwd=folder)
    for (line, wanted), offer in zip(lines.items(), offers):
        checks.equal(f"bash: {line}", (sorted(offer), err), (wanted, ""))
    values = [(name, option, value) for name, command in commands.items()
              for option, value in command["options"].items() if value]
    _, err, _, offers = bash(world, [["weir", name, f"--{option}", ""] for name, option, value in values], cwd=folder)
    for (name, option, value), offer in zip(values, offers):
        wanted = offered(value, ["my weir.yaml"], ["ledger"])
        checks.equal(f"bash: weir {name} --{option}", sorted(set(offer)), sorted(wanted))


# ---- zsh, fish ----

def typed(command, keys, wanted):
    """Whether wanted appears on the terminal once keys were typed into command."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", LC_ALL="C.UTF-8")
        os.execvp(command[0], command)
    os.write(terminal, keys.encode())
    seen, until = b"", time.monotonic() + harness.PATIENCE
    while wanted.encode() not in seen and time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it ended
                break
    os.close(terminal)
    os.waitpid(pid, 0)
    return wanted.encode() in seen, seen.decode(errors="replace")


def completes_in_zsh(checks, world, commands):
    script = world.path("functions") / "_weir"
    script.parent.mkdir()
    script.write_text(run(world.weir, "completion", "zsh")[1])
    text = script.read_text()
    for name, command in commands.items():
        part = re.search(rf"^        {name}\)$(.*?)^            ;;$", text, re.M | re.S)
        known = sorted(re.findall(r"'--([a-z0-9-]+)=?\[", part[1] if part else ""))
        checks.equal(f"zsh: weir {name}", known, sorted([*command["options"], "help"]))
        checks.true(f"zsh: {name} is offered", f"'{name}:" in text)
    if not has("zsh"):
        return
    checks.equal("zsh: syntax", run("zsh", "-n", script), (0, "", ""))
    start = "autoload -U compinit; compinit -u -D"
    # show prints its words joined by commas, as nobody typed them; it is put before the line once Tab has done its work.
    show = "show() { print -r - ${(j:,:)@}; }"
    for how in [f"fpath=({script.parent} $fpath); {start}", f"{start}; source {script}"]:
        for line, word in [("weir le", "ledger"), ("weir ledger v", "verify"), ("weir ask --strategy d", "direct"),
                           ("weir ask --tra", "--trace"), ("weir serve --conf", "--config"),
                           ("weir train --from led", "ledger")]:
            wanted = ",".join([*line.split()[:-1], word])
            ok, seen = typed(["zsh", "-f", "-i"], f"{how}\n{show}\n{line}\t\x01show \x05\n", wanted)
            checks.true(f"zsh: {line}<Tab>", ok, seen[-600:])


def completes_in_fish(checks, world, commands):
    script = world.path("weir.fish")
    script.write_text(run(world.weir, "completion", "fish")[1])
    text = script.read_text()
    for name, command in commands.items():
        known = sorted(re.findall(rf"from {name}' -l ([a-z0-9-]+)", text))
        checks.equal(f"fish: weir {name}", known, sorted([*command["options"], "help"]))
        checks.true(f"fish: {name} is offered", f"-a {name} " in text)
    if not has("fish"):
        return
    for line, wanted in [("weir le", ["ledger"]), ("weir ledger v", ["verify"]), ("weir ask --strategy h", ["hrm", "hrm_trm"]),
                         ("weir ask --tra", ["--trace"]), ("weir price --mo", ["--model"]), ("weir train --from led", ["ledger"]),
                         ("weir ", [*commands, "help", "version"])]:
        status, out, err = run("fish", "--no-config", "-c", f"source {script}; complete -C {line!r}")
        offers = sorted(row.split("\t")[0] for row in out.splitlines())
        checks.equal(f"fish: {line}<Tab>", (status, offers, err), (0, sorted(wanted), ""))


def refusals(checks, world):
    for words in [[], ["tcsh"], ["bash", "zsh"], [""]]:
        status, out, err = run(world.weir, "completion", *words)
        checks.true(f"completion {words}", (status, out) == (2, "") and "bash, zsh or fish" in err, err)
    status, out, _ = run(world.weir, "man", "ledger")
    checks.equal("man with a word", (status, out), (2, ""))


# ---- the manual page ----

def manual(checks, world, commands):
    page = world.path("weir.1")
    page.write_text(run(world.weir, "man")[1])
    text = page.read_text()
    plain = re.sub(r"\\f[BIR]|\\&", "", text).replace("\\-", "-").replace("\\e", "\\")
    bare = [line for line in text.splitlines() if not line.startswith((".TH", ".\\\"")) and re.search(r"(?<!\\)-", line)]
    checks.equal("man: hyphens that a reader can copy", bare, [])
    sections = dict(re.findall(r"^\.SS weir (\S+)$(.*?)(?=^\.S[SH] )", plain, re.M | re.S))
    checks.equal("man: commands", list(sections), list(commands))
    for name, command in commands.items():
        section = sections.get(name, "")
        options = dict(re.findall(r"^\.TP\n--([a-z0-9-]+)(?: (\S+))?$", section, re.M))
        checks.equal(f"man: options of {name}", options, command["options"])
        form = f"weir {name} {command['words']}".strip() + (" [options]" if command["options"] else "")
        checks.equal(f"man: words of {name}", section.split("\n")[1], form)
        example = re.sub("^  ", "", command["example"], flags=re.M)
        checks.true(f"man: example of {name}", f".EX\n{example}\n.EE" in section, section[-300:])
    exits = re.search(r"^\.SH EXIT STATUS$(.*?)^\.SH ", plain, re.M | re.S)[1]
    source = (ROOT / "src/app/cli/cli.h").read_text()
    checks.equal("man: exit codes", re.findall(r"^\.TP\n(\d+)$", exits, re.M), re.findall(r"EXIT_[A-Z_]+ = (\d+)", source))
    for file in (ROOT / "src").rglob("*.c"):
        if not file.name.endswith(("_test.c", "_fuzz.c")):
            for variable in re.findall(r'getenv\("(\w+)"\)', file.read_text()):
                checks.true(f"man: {variable} of {file.name}", variable in plain.split(".SH ENVIRONMENT")[1])
    document = (ROOT / "docs/configuration.md").read_text()
    for file in re.findall(r"(?:\./|/)[a-z/.-]+[a-z]", plain.split(".SH FILES")[1].split(".TP")[1]):
        checks.true(f"man: {file}", file in document)
    _, version, _ = run(world.weir, "--version")
    checks.true("man: version", f'"{version.strip()}"' in text.splitlines()[1], text.splitlines()[1])
    checks.true("version: meson's", f"version: '{version.split()[1]}'" in (ROOT / "meson.build").read_text(), version)
    if has("mandoc"):
        checks.equal("mandoc -Tlint", run("mandoc", "-Tlint", page), (0, "", ""))
        _, shown, _ = run("mandoc", "-Tutf8", "-Owidth=200", page)
        shown = re.sub(".\b", "", shown)
        checks.true("mandoc shows an option", re.search(r"^ +--strategy auto\|direct", shown, re.M), shown[:3000])
    if has("man") and has("groff"):
        checks.equal("man --warnings", run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)[2], "")


def installed(checks, world):
    if not (world.weir.parent / "build.ninja").is_file() or not has("meson"):
        return
    _, out, _ = run("meson", "introspect", "--installed", world.weir.parent)
    for end in ["bin/weir", "bash-completion/completions/weir", "zsh/site-functions/_weir",
                "fish/vendor_completions.d/weir.fish", "man1/weir.1"]:
        checks.true(f"installed: {end}", f'{end}"' in out, out)


def main(world, checks):
    commands = commands_of(world.weir)
    checks.true("the help lists commands", len(commands) >= 8 and "ledger" in commands, commands)
    for part in [helps, completes_in_bash, completes_in_zsh, completes_in_fish, manual]:
        part(checks, world, commands)
    refusals(checks, world)
    installed(checks, world)


if __name__ == "__main__":
    harness.run(main)
