#!/usr/bin/env bash
# Checks the style of the tracked files; every finding is an error.
# usage: scripts/lint.sh [--long] [--fix] [CHECK...]
#   text      no trailing blanks, every file ends with a newline
#   format    clang-format 14; --fix formats the files instead
#   shell     shellcheck
#   python    every script compiles
#   links     links and paths in the documentation lead somewhere
#   headers   every header compiles by itself
#   tidy      clang-tidy 14 on the command (src without src/engine); --long: on src/engine and the tests too
#   style     who may include whom, and whether the flags and keys that messages name exist: build/release/bin/style_test
# Without CHECK all of them. headers and tidy configure preset dev, which lists every source by itself, and build nothing;
# style builds its program in the release tree.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$repo"

all=(text format shell python links headers tidy style)
long=false
fix=false
checks=()
for argument in "$@"; do
  case $argument in
    --long) long=true ;;
    --fix) fix=true ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    *)
      [[ " ${all[*]} " == *" $argument "* ]] || { say "error: unknown check '$argument'"$'\n'"help: one of: ${all[*]}" && exit 2; }
      checks+=("$argument")
      ;;
  esac
done
[ ${#checks[@]} -gt 0 ] || checks=("${all[@]}")

# Another version of the clang tools finds other things, so the version is part of their names.
need() { command -v "$1" > /dev/null || fail "$1 is not installed" "scripts/setup.sh --lint"; }

# Recorded runs and expected documents are kept as they were written.
own_text=(':!docs/results' ':!tests/fixtures')

check_text() {
  local file bad=0 status=0
  git grep -nIE '[[:blank:]]+$' -- "${own_text[@]}" || status=$?
  [ $status = 1 ] || bad=1 # 1: it found none
  while IFS= read -r -d '' file; do
    [ -z "$(tail -c 1 "$file")" ] || { echo "$file: no newline at the end" && bad=1; }
  done < <(git grep -zIl '' -- "${own_text[@]}")
  return $bad
}

check_format() {
  need clang-format-14
  local mode=(--dry-run --Werror --ferror-limit=3)
  if $fix; then mode=(-i); fi
  git ls-files -z -- '*.cpp' '*.h' '*.hpp' '*.cu' '*.cuh' | xargs -0 -n 50 -P "$(nproc)" clang-format-14 "${mode[@]}"
}

shell_scripts() {
  git ls-files -- '*.sh' '*.sbatch'
  git grep -nIE '^#!.*[/ ](ba|da)?sh( |$)' | sed -n 's/:1:.*//p'
}

check_shell() {
  need shellcheck
  shell_scripts | sort -u | xargs shellcheck --external-sources
}

check_python() {
  # Not -m py_compile: that leaves its results beside the scripts.
  git ls-files -z -- '*.py' | xargs -0 python3 -W error -c '
import sys
for name in sys.argv[1:]:
    with open(name, "rb") as script:
        compile(script.read(), name, "exec")'
}

check_links() { python3 scripts/check_links.py; }

check_headers() {
  python3 scripts/lint/headers.py build/dev "$(build_jobs)"
}

check_tidy() {
  need clang-tidy-14
  local below=() folder
  if ! $long; then
    while read -r folder; do below+=("$folder"); done < <(git ls-files 'src/*/*' | cut -d/ -f 1,2 | sort -u | grep -vx src/engine)
  fi
  python3 scripts/lint/tidy.py build/dev "$(build_jobs)" "${below[@]}"
}

check_style() {
  build release style_test > /dev/null
  build/release/bin/style_test --gtest_brief=1
}

case " ${checks[*]} " in
  *" headers "* | *" tidy "*) configure dev ;;
esac

failed=0
for check in "${checks[@]}"; do
  started=$SECONDS
  result=ok
  ( "check_$check" ) || result=FAILED
  [ "$result" = ok ] || failed=$((failed + 1))
  printf 'lint %-8s %s (%d s)\n' "$check" "$result" $((SECONDS - started))
done
echo "$((${#checks[@]} - failed)) passed, $failed failed"
[ "$failed" = 0 ]
