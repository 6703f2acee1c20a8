#!/usr/bin/env bash
# Sets up, builds and tests sxbench in one command.
# usage: scripts/test.sh [--preset release|dev|asan|tsan|core] [ctest arguments, e.g. -R config]
# Tests with the label gpu run too where nvidia-smi lists a GPU.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

preset=release
case ${1:-} in
  --preset)
    preset=${2:?"--preset needs a name: release, dev, asan, tsan or core"}
    shift 2
    ;;
  -h | --help) sed -n '2,4s/^# //p' "$0" && exit 0 ;;
esac

setup=()
[ "$(preset_mode "$preset")" = full ] || setup=(--core)
[ "$(id -u)" != 0 ] || setup+=(--tests) # those of many nodes need root; else they are skipped
"$repo/scripts/setup.sh" "${setup[@]}"
build "$preset"

cd "$repo"
status=0
ctest --preset "$preset" --parallel "$(nproc)" "$@" || status=$?
if [ "$preset" = release ] && nvidia-smi -L 2> /dev/null | grep '^GPU' > /dev/null; then
  # GPU tests run one at a time: each may take all GPUs. Arguments may leave none of them.
  ctest --preset gpu --no-tests=ignore "$@" || status=$?
fi
exit "$status"
