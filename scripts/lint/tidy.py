#!/usr/bin/env python3
"""Runs clang-tidy over the C++ sources that a build tree compiles; every finding is an error.

usage: tidy.py BUILD_TREE JOBS [PATH...]      PATH: only sources below it, e.g. src/plan

clang-tidy spends nearly all its time on the headers that a source includes, not on the source. The sources of one
folder are therefore checked as one unit that includes them all: the whole core takes minutes, not hours. Sources that
do not compile together (two of them use one name in their unnamed namespaces) go into a further unit.
A unit that passed is not checked again until its text, the checks or clang-tidy change.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
TIDY = "clang-tidy-14"
# Of the unit itself, not of the sources: it includes .cpp files.
UNIT_CHECKS = "-bugprone-suspicious-include"
FINDING = re.compile(r"^(/[^:]+):(\d+):(\d+): (?:error|warning): (.*) \[([^\]]+)\]$")


def flags_of(command):
    """The flags that matter to the meaning of a source: paths, definitions, the standard."""
    words, flags = iter(shlex.split(command)), []
    for word in words:
        if word == "-isystem":
            flags += [word, next(words)]
        elif word.startswith(("-I", "-D", "-std=")):
            flags.append(word)
    return tuple(flags)


def units_of(tree, below):
    """The tracked C++ sources of the build tree, grouped by folder and flags."""
    tracked = subprocess.run(["git", "-C", REPO, "ls-files", "-z", "*.cpp"], capture_output=True, text=True, check=True)
    tracked = {str(REPO / name) for name in tracked.stdout.split("\0") if name}
    units = {}
    for entry in json.loads((tree / "compile_commands.json").read_text()):
        source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if source not in tracked or not any(f"{source}/".startswith(f"{REPO / path}/") for path in below):
            continue
        units.setdefault((os.path.dirname(source), flags_of(entry["command"])), set()).add(source)
    return [(sorted(sources), flags) for (_, flags), sources in units.items()]


class Tidy:
    def __init__(self, tree):
        self.work = tree / "tidy"
        self.work.mkdir(exist_ok=True)
        version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
        self.rules = version + (REPO / ".clang-tidy").read_bytes() + pathlib.Path(__file__).read_bytes()

    def check(self, sources, flags):
        """Findings of the sources, as text lines by (file, line, column, check)."""
        text = "".join(f'#include "{source}"\n' for source in sources)
        name = hashlib.sha256((text + "\0".join(flags)).encode()).hexdigest()[:16]
        unit, passed = self.work / f"{name}.cpp", self.work / f"{name}.passed"
        unit.write_text(text)
        state = self.state(unit, flags)
        if passed.exists() and passed.read_text() == state:
            return {}
        run = subprocess.run(
            [TIDY, "--quiet", f"--config-file={REPO}/.clang-tidy", f"--checks={UNIT_CHECKS}", str(unit), "--",
             *flags, "-ferror-limit=0", "-w"], capture_output=True, text=True, cwd=self.work)
        found, broken = {}, set()
        for line in run.stdout.splitlines():
            match = FINDING.match(line)
            if not match:
                continue
            file, row, column, message, check = match.groups()
            file = os.path.normpath(file)
            if check == "clang-diagnostic-error":
                broken.add(file)
            found[(file, int(row), int(column), check)] = message
        if run.returncode != 0 and not found:
            return {(str(sources[0]), 0, 0, "clang-tidy"): (run.stderr or run.stdout)[-2000:]}
        if broken and len(sources) > 1:
            # What clang says of a source that it could not read, or of one that another one broke, is worth nothing.
            apart = [source for source in sources if source in broken]
            if not apart or len(apart) == len(sources):
                apart = sources[len(sources) // 2:]
            together = [source for source in sources if source not in apart]
            parts = [apart] if broken <= set(apart) else [together, apart]
            found = {key: value for key, value in found.items() if key[0] not in apart} if len(parts) == 1 else {}
            for part in parts:
                found.update(self.check(part, flags))
        if not found:
            passed.write_text(state)
        return found

    def state(self, unit, flags):
        # The text as the compiler sees it: a changed header of another folder counts too.
        seen = subprocess.run([os.environ.get("CXX", "c++"), *flags, "-w", "-E", str(unit)], capture_output=True)
        return hashlib.sha256(self.rules + seen.stdout).hexdigest()


def main():
    tree, jobs, below = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:] or ["src", "tests"]
    units = units_of(tree, below)
    if not units:
        sys.exit(f"error: {tree}/compile_commands.json names no source below {' '.join(below)}")
    # The longest first: torch's headers take as long as a folder of others.
    units.sort(key=lambda unit: (any("torch" in flag for flag in unit[1]), len(unit[0])), reverse=True)
    tidy, found = Tidy(tree), {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(lambda unit: tidy.check(*unit), units):
            found.update(part)
    for (file, row, column, check), message in sorted(found.items()):
        print(f"{os.path.relpath(file, REPO)}:{row}:{column}: {message} [{check}]")
    print(f"{sum(len(sources) for sources, _ in units)} sources in {len(units)} folders, {len(found)} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
