#!/usr/bin/env python3
"""usage: skipped.py JUNIT...
What ctest skipped, by reason, from the files of ctest --output-junit: the line that ends a test run.

The last line is "N tests were skipped, M of them must run in CI": those that a missing GPU, IPv6
or Transformers does not explain. Exit code 1 if M > 0.
"""
import collections
import re
import sys
import xml.etree.ElementTree

# What a machine of CI may lack: GPUs; IPv6, which containers often have not; Transformers, gigabytes for one test.
ALLOWED = re.compile(r"\bGPUs?\b|\bIPv6\b|no address ::1 |\btransformers\b")
# No tests by themselves: what a test starts as a process of its own.
STARTED_BY_TESTS = {"Child.Trains"}
SHOWN = 3  # names of a reason


def reason_of(output):
    """What GoogleTest or unittest print of a skipped test."""
    # "FILE:LINE: Skipped" and the message up to the line "[  SKIPPED ] NAME".
    message = re.search(r": Skipped\n(.*?)\n*^\[ +SKIPPED +\]", output, re.S | re.M)
    if message:
        return " ".join(message.group(1).split())
    message = re.search(r"skipped ['\"](.*?)['\"]$", output, re.M)
    if message:
        return message.group(1)
    message = re.search(r"\(skipped=(\d+)\)", output)
    return f"{message.group(1)} of its cases were skipped" if message else "no reason was printed"


def skipped_in(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.get("name") in STARTED_BY_TESTS:
            continue
        # Disabled ones, and those whose program is missing, did not run either.
        if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
            element = case.find("skipped")
            told = "" if element is None else element.get("message", "")
            # ctest's own words where it could not start the test; else the test has said why.
            own = told and not told.startswith("SKIP_")
            yield case.get("name"), told if own else reason_of(case.findtext("system-out") or "")


def main(paths):
    names = collections.defaultdict(list)
    for path in paths:
        for name, reason in skipped_in(path):
            names[reason].append(name)
    if not names:
        return 0
    must = 0
    for reason, tests in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
        must += 0 if ALLOWED.search(reason) else len(tests)
        more = f" and {len(tests) - SHOWN} more" if len(tests) > SHOWN else ""
        print(f"skipped {len(tests):4}  {reason}: {', '.join(tests[:SHOWN])}{more}")
    total = sum(len(tests) for tests in names.values())
    print(f"{total} tests were skipped, {must} of them must run in CI")
    return 1 if must else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
