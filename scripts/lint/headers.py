#!/usr/bin/env python3
"""Checks that every header compiles by itself: no header may lean on what its users include before it.

usage: headers.py BUILD_TREE JOBS

A header that a source of the build tree includes before anything else needs no further proof: the build is it. The
others are compiled here, each alone, with the flags of a source of the same folder or the nearest one above or below.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
FIRST_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
PATH_FLAG = re.compile(r"-[ID]|-std=")


def tracked_headers():
    names = subprocess.run(["git", "-C", REPO, "ls-files", "-z", "--", "*.h", "*.hpp", "*.cuh"],
                           capture_output=True, text=True, check=True).stdout
    return [name for name in names.split("\0") if name]


def sources_of(tree):
    """{source relative to the repository: its compiler's words}"""
    found = {}
    for entry in json.loads((tree / "compile_commands.json").read_text()):
        source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if source.startswith(f"{REPO}/") and not source.startswith(f"{tree}/"):
            found[os.path.relpath(source, REPO)] = shlex.split(entry["command"])
    return found


def proven_by_the_build(sources):
    """What each source includes first, as the include says it."""
    proven = set()
    for source in sources:
        match = FIRST_INCLUDE.search((REPO / source).read_text())
        if match:
            proven.add(match.group(1))
            proven.add(os.path.normpath(os.path.join(os.path.dirname(source), match.group(1))))
    return proven


def is_proven(header, proven):
    parts = header.split("/")
    # By its full path, or as sources write it: relative to src, include or tests.
    return header in proven or "/".join(parts[1:]) in proven


def flags_for(header, sources):
    """Flags of the C++ source that shares the longest path with the header; of several, those with most paths."""
    def nearness(source):
        common = os.path.commonpath([os.path.dirname(header), os.path.dirname(source)])
        return len(common), sum(word.startswith(("-I", "-isystem")) for word in sources[source])

    words = sources[max((s for s in sources if s.endswith(".cpp")), key=nearness)]
    flags = []
    for word, following in zip(words, words[1:] + [""]):
        if word == "-isystem":
            flags += [word, following]
        elif PATH_FLAG.match(word):
            flags.append(word)
    return flags


def main():
    tree, jobs = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    headers, sources = tracked_headers(), sources_of(tree)
    if not headers or not sources:
        sys.exit(f"error: no header, or no source in {tree}/compile_commands.json")
    proven = proven_by_the_build(sources)
    rest = [header for header in headers if not is_proven(header, proven)]

    def compile_alone(header):
        if header.endswith(".cuh"):
            return f"{header}: no .cu includes it first; only nvcc can compile it, so let one do so"
        run = subprocess.run(
            [os.environ.get("CXX", "c++"), *flags_for(header, sources), "-w", "-fsyntax-only", "-x", "c++", "-"],
            input=f'#include "{REPO}/{header}"\n', capture_output=True, text=True)
        return "" if run.returncode == 0 else f"{header} does not compile by itself:\n{run.stderr[:1500]}"

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        bad = [message for message in pool.map(compile_alone, rest) if message]
    print("\n".join(bad) if bad else f"{len(headers)} headers: {len(headers) - len(rest)} by the build, {len(rest)} here")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
