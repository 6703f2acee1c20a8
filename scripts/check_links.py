#!/usr/bin/env python3
"""Checks that what the documents point to is there; Python's standard library only.

usage: scripts/check_links.py [ROOT]

- every relative link of every *.md, with its anchor;
- every path into the repository that stands alone in `code` of a page: `src/record`, `scripts/bench/*.sh`; NAME is a *;
- every path of the column `runs` of docs/performance.csv, and every `docs/results/...` that a page names;
- every entry of docs/results/DATE/: a row of performance.csv or a page must name it (docs/results/README.md).

Prints one line FILE:LINE: message for each that fails, and ends with 1 if there is any. tests/fixtures is left out (made up
documents), and so are the paths of CHANGELOG.md, which says what was.
"""

import csv
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

LEFT_OUT = ("tests/fixtures/",)
TOP = r"(?:\.ci|\.github|configs|docs|include|scripts|src|tests)"
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"\s{0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?")
REPOSITORY_PATH = re.compile(TOP + r"/[\w./*-]*\*?")
RESULTS_PATH = re.compile(r"(?<![\w/.-])docs/results/[\w./-]*[\w-]")
FENCE = re.compile(r"^\s*(```|~~~)")
CODE = re.compile(r"`([^`]+)`")


def pages(root):
    """Markdown files that git knows or would take; all of them where there is no git."""
    call = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    git = subprocess.run(call, capture_output=True, text=True, check=False)
    if git.returncode == 0:
        found = [root / name for name in git.stdout.split("\0") if name]
    else:
        found = [page for page in root.rglob("*.md") if "build" not in page.relative_to(root).parts[0]]
    relative = {page.relative_to(root).as_posix(): page for page in found if page.is_file()}
    return {name: relative[name] for name in sorted(relative) if not name.startswith(LEFT_OUT)}


def prose(text):
    """Line number and text of the lines outside of code blocks."""
    fenced = False
    indented = False
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            # Four blanks after an empty line are a code block, unless they continue a list.
            indented = line.startswith("    ") and (indented or not before.strip())
            if not indented:
                yield number, line
        before = line


def anchors(text):
    """The anchors that GitHub makes of the headings of a page."""
    seen = {}
    found = set()
    for _, line in prose(text):
        match = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if match:
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
            found.add(slug if slug not in seen else f"{slug}-{seen[slug]}")
            seen[slug] = seen.get(slug, 0) + 1
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def link_problem(root, page, target):
    """What is wrong with a link of a page, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
        return None
    path, _, anchor = unquote(target).partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return f"link to {target}: no such file"
    if not file.is_relative_to(root):
        return f"link to {target}: outside of the repository"
    if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"link to {target}: no such heading"
    return None


def there(root, path):
    pattern = path.replace("NAME", "*")
    return any(root.glob(pattern.rstrip("/"))) if "*" in pattern else (root / path).exists()


def page_problems(root, name, page):
    for number, line in prose(page.read_text(encoding="utf-8")):
        where = f"{name}:{number}"
        for target in LINK.findall(CODE.sub("", line)) + DEFINITION.findall(line):
            problem = link_problem(root, page, target)
            if problem:
                yield f"{where}: {problem}"
        if name == "CHANGELOG.md":
            continue
        paths = {code for code in CODE.findall(line) if REPOSITORY_PATH.fullmatch(code)}
        for path in sorted(paths | set(RESULTS_PATH.findall(line))):
            if not there(root, path):
                yield f"{where}: {path} is not there"


def table_problems(root, table):
    if not table.is_file():
        return
    with open(table, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            if not row["runs"] or not (root / row["runs"]).exists():
                yield f"{table.relative_to(root)}:{reader.line_num}: row {row['id']}: no runs at \"{row['runs']}\""


def unquoted_results(root, texts, table):
    """Entries of docs/results/DATE/ that neither the table nor a page names."""
    text = "\n".join(texts.values()) + (table.read_text(encoding="utf-8") if table.is_file() else "")
    for entry in sorted(root.glob("docs/results/*/*")):
        if not re.search(r"(?<![\w-])" + re.escape(entry.name) + r"(?![\w-])", text):
            yield f"{entry.relative_to(root)}:1: neither docs/performance.csv nor a page names it"


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith("-")):
        print(__doc__.strip(), file=sys.stdout if sys.argv[1] in ("-h", "--help") else sys.stderr)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    root = Path(sys.argv[1] if len(sys.argv) == 2 else Path(__file__).parent.parent).resolve()
    found, table = pages(root), root / "docs" / "performance.csv"
    if not found:
        print(f"error: no *.md below {root}", file=sys.stderr)
        return 2
    problems = [problem for name, page in found.items() for problem in page_problems(root, name, page)]
    problems += table_problems(root, table)
    problems += unquoted_results(root, {n: p.read_text(encoding="utf-8") for n, p in found.items()}, table)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
