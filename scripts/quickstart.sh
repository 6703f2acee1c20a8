#!/usr/bin/env bash
# Sets up, builds and runs sxbench on this machine: on its GPUs, or on CPU ranks where it has none.
# usage: scripts/quickstart.sh [arguments of `sxbench run`]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

case ${1:-} in
  -h | --help) sed -n '2,3s/^# //p' "$0" && exit 0 ;;
esac

"$repo/scripts/setup.sh"
build release sxbench sxbench_engine # scripts/test.sh builds the tests

cd "$repo"
sxbench=build/release/bin/sxbench
# The 7B preset is a run of hours: the quick start takes 30 short steps of it, or the small model where
# 7B does not fit.
if [ $# = 0 ] && nvidia-smi -L 2> /dev/null | grep '^GPU' > /dev/null; then
  set -- --steps 30 --warmup 10 --set training.grad_accumulation=1
  "$sxbench" plan "$@" > /dev/null 2>&1 || set -- --models tiny
  say "sxbench run $*"
fi
status=0
output=$("$sxbench" run "$@") || status=$?
printf '%s\n' "$output"
report=$(tail -n 1 <<< "$output")
[ ! -f "$report" ] || say "The report is in $(realpath "$report")"
exit "$status"
