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
sxbench=build/release/bin/sxbench
status=0
"$sxbench" run "$@" || status=$?
say
say "Report: $repo/results/latest/reports/summary_report.md"
say "Run it again: $sxbench run"
exit "$status"
