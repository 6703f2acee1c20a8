#!/usr/bin/env bash
# Sets up, builds and tests sxbench in one command.
# usage: scripts/test.sh [--preset release|dev|asan|tsan|core] [ctest arguments, e.g. -R config]
#        scripts/test.sh --ci      what CI runs: lint without what compiles much, release; ends with the minutes of each
#        scripts/test.sh --all     that, and headers by themselves, clang-tidy, asan, tsan
#        scripts/test.sh --long    what takes too long for that: every source by itself, clang-tidy over everything, tests
#                                   labelled long
#        scripts/test.sh --fuzz [SECONDS [NAME]]   each fuzz target (or those with NAME in theirs) for so long (600) under
#                                   the address and undefined-behaviour sanitizers, one a core
# Tests with the label gpu run too where nvidia-smi lists a GPU. Ends with what was skipped and why; --ci and --all fail
# where that was for another reason than a GPU that is not there.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

mode=preset
preset=release
case ${1:-} in
  --preset)
    preset=${2:?"--preset needs a name: release, dev, asan, tsan or core"}
    shift 2
    ;;
  --ci | --all | --long) mode=${1#--} && shift ;;
  --fuzz)
    fuzz_s=${2:-600}
    fuzz_name=${3:-}
    [[ $fuzz_s =~ ^[0-9]+$ ]] || { say "error: --fuzz takes a number of seconds, not '$fuzz_s'" && exit 2; }
    preset=asan
    mode=fuzz
    ;;
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# //p}' "$0" && exit 0 ;;
esac
[ "$mode" = preset ] || [ "$mode" = fuzz ] || [ $# = 0 ] || { say "error: --$mode takes no arguments" && exit 2; }

set_up() {
  local arguments=("$@")
  [ "$(id -u)" != 0 ] || arguments+=(--tests) # those of many nodes need root; else they are skipped
  "$repo/scripts/setup.sh" "${arguments[@]}"
}

run_tests() {
  local preset=$1 status=0 results
  shift
  results=$(mktemp -d)
  cd "$repo"
  # What a skipped test has printed counts as that of a passed one, of which ctest keeps a kilobyte.
  local keep=(--test-output-size-passed 65536)
  ctest --preset "$preset" --parallel "$(nproc)" "${keep[@]}" --output-junit "$results/tests.xml" "$@" || status=$?
  if [ "$preset" = release ] && nvidia-smi -L 2> /dev/null | grep '^GPU' > /dev/null; then
    # GPU tests run one at a time: each may take all GPUs. Arguments may leave none of them.
    ctest --preset gpu --no-tests=ignore "${keep[@]}" --output-junit "$results/gpu.xml" "$@" || status=$?
  fi
  tell_skipped "$results"/*.xml || { [ "$mode" != ci ] && [ "$mode" != all ]; } || status=1
  rm -r "$results"
  return "$status"
}

# tell_skipped FILE...: false if one of the tests that were skipped must run in CI.
tell_skipped() {
  [ -e "$1" ] || return 0 # ctest found no tests, and has said so
  python3 -B "$repo/scripts/lib/skipped.py" "$@"
}

if [ "$mode" = preset ]; then
  if [ "$(preset_mode "$preset")" = full ]; then set_up; else set_up --core; fi
  build "$preset"
  run_tests "$preset" "$@"
  exit
fi

if [ "$mode" = fuzz ]; then
  set_up --core
  build "$preset"
  export SXB_FUZZ_S=$fuzz_s
  cd "$repo"
  ctest --preset "$preset" --parallel "$(nproc)" -R "^Fuzz[.].*$fuzz_name"
  exit
fi

export SXB_FUZZ_S=${SXB_FUZZ_S:-10} # seconds of mutations for each fuzz target; a plain run takes two

# --- several parts, each of which runs whatever became of the others ------------------------------

table=()
passed=0
failed=0

# part NAME COMMAND...: runs it in a shell of its own. Its tests are counted by the summaries of ctest and lint.sh; a
# part that failed without a failed test counts as one.
# part_ok tells whether it passed.
part() {
  local name=$1 started=$SECONDS log status=0 ran_passed ran_failed
  shift
  log=$(mktemp)
  say "== $name"
  ("$@") 2>&1 | tee "$log" || status=$?
  read -r ran_passed ran_failed < <(awk '
    match($0, /[0-9]+ tests failed out of [0-9]+/) {
      split(substr($0, RSTART, RLENGTH), word, " "); failed += word[1]; passed += word[6] - word[1] }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { print passed + 0, failed + 0 }' "$log")
  rm -f "$log"
  [ "$status" = 0 ] || [ "$ran_failed" -gt 0 ] || ran_failed=1
  passed=$((passed + ran_passed))
  failed=$((failed + ran_failed))
  table+=("$(printf '%-16s %6.1f min  %s' "$name" "$(minutes_since $started)" "$([ "$ran_failed" = 0 ] && echo ok || echo FAILED)")")
  part_ok=$([ "$ran_failed" = 0 ] && echo true || echo false)
}

# build_and PRESET NAME COMMAND...: part NAME, but not on what an earlier build left when this one fails.
build_and() {
  local preset=$1
  shift
  part "$preset build" build "$preset"
  if $part_ok; then part "$@"; fi
}

minutes_since() { awk -v s=$((SECONDS - $1)) 'BEGIN { print s / 60 }'; }

part set-up set_up --lint
if [ "$mode" != long ]; then
  part lint "$repo/scripts/lint.sh" text format shell python links
  build_and release "release tests" run_tests release # style_test is among them
fi
if [ "$mode" = all ]; then
  part "lint, compiled" "$repo/scripts/lint.sh" headers tidy
  build_and asan "asan tests" run_tests asan
  build_and tsan "tsan tests" run_tests tsan
elif [ "$mode" = long ]; then
  part "dev build" build dev # every source by itself
  part "full clang-tidy" "$repo/scripts/lint.sh" --long tidy
  build_and release "long tests" run_tests long --no-tests=ignore
fi

printf '%s\n' "" "${table[@]}" "$(printf '%-16s %6.1f min' total "$(minutes_since 0)")" ""
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
