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
build release

cd "$repo"
status=0
output=$(build/release/bin/sxbench run "$@") || status=$?
printf '%s\n' "$output"
report=$(tail -n 1 <<< "$output")
[ ! -f "$report" ] || say "The report is in $(realpath "$report")"
exit "$status"
