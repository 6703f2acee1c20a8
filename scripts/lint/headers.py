#!/usr/bin/env python3
"""Checks that every header compiles by itself: no header may lean on what its users include before it.

usage: headers.py BUILD_TREE JOBS [HEADER...]

The build does not show it: it compiles the sources of a room as one unit. Each header is compiled here with the flags
of a source of the same folder, or of the nearest one. Most of the time would go into the same few libraries (torch,
nlohmann/json, CLI11, GoogleTest), so those that a header includes, itself or through other headers of sxbench, are
compiled once for all headers that include the same.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading

REPO = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
LIBRARY = re.compile(r"(torch|ATen|c10|nlohmann|CLI|gtest|gmock|spdlog|fmt)/")
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


def included(file, below, seen):
    """What the file includes of other libraries, in order, through our own headers too."""
    found = []
    for name in INCLUDE.findall(file.read_text()):
        own = next((place / name for place in below + [file.parent] if (place / name).is_file()), None)
        if own is None:
            found.append(name)
        elif own not in seen:
            seen.add(own)
            found += included(own, below, seen)
    return found


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
    return tuple(flags)


class Compiler:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.command = [os.environ.get("CXX", "c++"), "-w", "-x"]
        self.prepared = {}
        self.lock = threading.Lock()

    def libraries(self, names, flags):
        """A header of those libraries, compiled; the lock lets each be made once."""
        with self.lock:
            if (names, flags) not in self.prepared:
                header = self.folder / f"libraries{len(self.prepared)}.h"
                header.write_text("".join(f"#include <{name}>\n" for name in names))
                subprocess.run([*self.command, "c++-header", *flags, str(header), "-o", f"{header}.gch"], check=True)
                self.prepared[names, flags] = header
            return self.prepared[names, flags]

    def alone(self, header, flags):
        """The compiler's complaint; "" for none."""
        if header.endswith(".cuh"):
            return ""  # only nvcc can compile it, and the kernels that include it first do
        below = [REPO / "src", REPO / "include", REPO / "tests"]
        names = [name for name in included(REPO / header, below, set()) if LIBRARY.match(name)]
        first = ["-include", str(self.libraries(tuple(sorted(set(names))), flags))] if names else []
        run = subprocess.run([*self.command, "c++", *flags, *first, "-fsyntax-only", "-"],
                             input=f'#include "{REPO}/{header}"\n', capture_output=True, text=True)
        return "" if run.returncode == 0 else f"{header} does not compile by itself:\n{run.stderr[:1500]}"


def main():
    tree, jobs, chosen = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:]
    headers, sources = chosen or tracked_headers(), sources_of(tree)
    if not headers or not sources:
        sys.exit(f"error: no header, or no source in {tree}/compile_commands.json")
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        compiler = Compiler(folder)
        bad = [message for message in pool.map(lambda h: compiler.alone(h, flags_for(h, sources)), headers) if message]
        prepared = len(compiler.prepared)
    print("\n".join(bad) if bad else f"{len(headers)} headers, with {prepared} sets of libraries")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
