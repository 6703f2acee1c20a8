# Sourced by the scripts: messages, where the tools lie, and the environment a build needs.
# Reads SXBENCH_CACHE, SXBENCH_TORCH, SXBENCH_CUDA, SXBENCH_JOBS; changes nothing on disk.
# shellcheck shell=bash

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${SXBENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sxbench}
minimum_cmake=3.25

say() { printf '%s\n' "$*" >&2; }

# fail WHAT [HELP]: the layout of sxbench's own messages; exit code 4 = environment.
fail() {
  say "error: $1"
  [ $# -lt 2 ] || say "help: $2"
  exit 4
}

# wheel_dir NAME: where the wheels of scripts/requirements-NAME.txt are kept. The hash of the pins is
# part of the name, so clones at different commits never share a folder that does not fit.
wheel_dir() {
  local pins
  pins=$(grep -v '^#' "$repo/scripts/requirements-$1.txt" | sha256sum | cut -c1-12)
  printf '%s/%s-%s\n' "$cache" "$1" "$pins"
}

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# True if cmake on PATH is new enough and ninja is there.
have_build_tools() {
  command -v ninja > /dev/null || return 1
  command -v cmake > /dev/null || return 1
  version_at_least "$(cmake --version | sed -n '1s/.*version //p')" "$minimum_cmake"
}

# Drops entries that name a CUDA folder from a colon-separated variable: the compiler must not take
# headers or stub libraries of another toolkit.
drop_cuda_entries() {
  local name=$1 entry kept=
  [ -n "${!name:-}" ] || return 0
  local IFS=:
  for entry in ${!name}; do
    case $entry in
      *cuda*) ;;
      *) kept=${kept:+$kept:}$entry ;;
    esac
  done
  if [ -n "$kept" ]; then export "$name=$kept"; else unset "$name"; fi
}

# Sets PATH and, unless $1 is "core", SXBENCH_TORCH and SXBENCH_CUDA for cmake.
use_toolchain() {
  local tools site
  if ! have_build_tools; then
    tools=$(wheel_dir buildtools)
    PATH=$tools/cmake/data/bin:$tools/bin:$PATH
    export PATH
  fi
  # Ubuntu 22.04's default g++ 11 predates parts of C++20 that sxbench uses; setup.sh adds g++ 12.
  if [ -z "${CXX:-}" ] && command -v g++-12 > /dev/null &&
    ! version_at_least "$(g++ -dumpversion 2> /dev/null || echo 0)" 12; then
    export CXX=g++-12 CUDAHOSTCXX=${CUDAHOSTCXX:-g++-12}
  fi
  [ "${1:-}" != core ] || return 0
  site=$(wheel_dir toolchain)
  export SXBENCH_TORCH=${SXBENCH_TORCH:-$site/torch}
  if [ -z "${SXBENCH_CUDA:-}" ]; then
    SXBENCH_CUDA=$(dirname "$SXBENCH_TORCH")/nvidia/cu13
    [ -x "$SXBENCH_CUDA/bin/nvcc" ] || SXBENCH_CUDA=$site/nvidia/cu13
  fi
  export SXBENCH_CUDA
  unset CUDA_HOME CUDA_PATH CUDACXX
  drop_cuda_entries LIBRARY_PATH
  drop_cuda_entries CPATH
  drop_cuda_entries CPLUS_INCLUDE_PATH
}

# Memory that a build may take, in KiB: free memory, or the container's limit if that is less.
memory_kib() {
  local available limit
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2> /dev/null || echo max)
  if [ "$limit" != max ] && [ $((limit / 1024)) -lt "$available" ]; then available=$((limit / 1024)); fi
  echo "$available"
}

# Parallel compilations: one per core, but 3 GiB each, which a unit that includes libtorch takes.
build_jobs() {
  local jobs
  jobs=$(($(memory_kib) / (3 * 1024 * 1024)))
  [ "$jobs" -le "$(nproc)" ] || jobs=$(nproc)
  [ "$jobs" -ge 1 ] || jobs=1
  echo "${SXBENCH_JOBS:-$jobs}"
}

# The sanitizers see only code they were compiled into, so their presets leave libtorch out as core does.
preset_mode() {
  case $1 in
    core | asan | tsan) echo core ;;
    *) echo full ;;
  esac
}

# configure PRESET: the tree is build/PRESET.
configure() {
  local preset=$1 mode
  mode=$(preset_mode "$preset")
  use_toolchain "$mode"
  # -U: use_toolchain's choice counts, not what this tree was configured with before.
  local options=()
  [ "$mode" = core ] || options=(-U SXBENCH_TORCH -U SXBENCH_CUDA)
  (cd "$repo" && cmake --preset "$preset" "${options[@]}" > /dev/null) ||
    fail "preset '$preset' could not be configured" "see the message above; docs/install.md lists what a build needs"
}

# build PRESET [TARGET...]: configures one preset of CMakePresets.json and builds all of it or the named targets.
build() {
  local preset=$1
  shift
  configure "$preset"
  local targets=()
  [ $# = 0 ] || targets=(--target "$@")
  (cd "$repo" && cmake --build --preset "$preset" --parallel "$(build_jobs)" "${targets[@]}") ||
    fail "the build of preset '$preset' failed" "see the message above; docs/install.md lists what a build needs"
}
