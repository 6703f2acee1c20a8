#!/usr/bin/env bash
# Installs what a build of sxbench needs; safe to call again. See --help and docs/install.md.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat << EOF
usage: scripts/setup.sh [--core] [--tests] [--lint] [--no-apt]

Installs what a build of sxbench needs on Debian 12, Ubuntu 22.04 or 24.04 (x86-64):
  - distribution packages, with apt-get (as root, or with sudo);
  - libtorch, the CUDA 13.0 compiler and libraries, and NCCL: PyPI wheels pinned by hash, in
    $cache (shared by all clones, nothing is put into the system).
No CUDA on the machine is needed, none is used.

  --core     the sxbench command alone: no libtorch, no CUDA
  --tests    also what the tests of many nodes start, in network namespaces and as root: OpenSSH's server,
             pdsh, rsync, tcsh, munge and Slurm; their services are not started on this machine
  --lint     also what scripts/lint.sh calls: clang-format and clang-tidy 14, shellcheck, Python
  --no-apt   install no distribution packages, only say which are missing (the default without
             root and sudo)

environment:
  SXBENCH_TORCH=DIR  use this torch package folder (…/site-packages/torch) instead of the wheels
  SXBENCH_CUDA=DIR   use this CUDA 13 toolkit (with bin/nvcc)
  SXBENCH_CACHE=DIR  where the wheels go (default ~/.cache/sxbench)
EOF
}

core=false
tests=false
lint=false
apt=true
[ "$(id -u)" = 0 ] || command -v sudo > /dev/null || apt=false
for argument in "$@"; do
  case $argument in
    --core) core=true ;;
    --tests) tests=true ;;
    --lint) lint=true ;;
    --no-apt) apt=false ;;
    -h | --help) usage && exit 0 ;;
    *) say "error: unknown argument '$argument'" && usage >&2 && exit 2 ;;
  esac
done

# --- distribution packages ---------------------------------------------------------------------

# "package probe": the probe (a command, or a header that the compiler finds) tells a machine without
# the package but with the part, for users who brought their own.
package_table() {
  cat << EOF
ninja-build ninja
git git
libcli11-dev CLI/CLI.hpp
libfmt-dev fmt/format.h
libspdlog-dev spdlog/spdlog.h
nlohmann-json3-dev nlohmann/json.hpp
libsimdjson-dev simdjson.h
libxxhash-dev xxhash.h
libsodium-dev sodium.h
zlib1g-dev zlib.h
libsentencepiece-dev sentencepiece_processor.h
libgtest-dev gtest/gtest.h
libgmock-dev gmock/gmock.h
EOF
  if is_jammy; then  # its default g++ 11 and CMake 3.22 are too old
    echo "g++-12 g++-12"
  else
    echo "g++ c++"
    echo "cmake cmake"
  fi
  if ! $core; then
    echo "libgloo-dev gloo/allreduce.h"
  fi
  if wheels_missing; then
    echo "python3-venv python3"
    echo "ca-certificates /etc/ssl/certs/ca-certificates.crt"
  fi
  if $tests; then
    cat << EOF
iproute2 ip
openssh-client ssh
openssh-server sshd
pdsh pdsh
rsync rsync
tcsh tcsh
munge munged
slurmctld slurmctld
slurmd slurmd
slurm-client srun
libslurm-dev slurm/spank.h
EOF
  fi
  if $lint; then
    cat << EOF
clang-format-14 clang-format-14
clang-tidy-14 clang-tidy-14
shellcheck shellcheck
python3 python3
EOF
  fi
  if $apt; then echo "ccache ccache"; fi  # a faster second build: nice to have, not needed
}

is_jammy() { grep -qs '^VERSION_CODENAME=jammy' /etc/os-release; }

wheels_missing() {
  { $need_toolchain && [ ! -d "$(wheel_dir toolchain)" ]; } || { build_tools_from_pypi && [ ! -d "$(wheel_dir buildtools)" ]; }
}

build_tools_from_pypi() { ! have_build_tools && { is_jammy || ! $apt; }; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2> /dev/null)" = "ii " ]; }

found_without_package() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *.h | *.hpp) echo "#include <$1>" | "${CXX:-c++}" -E -x c++ - > /dev/null 2>&1 ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

missing_packages() {
  local package probe
  package_table | while read -r package probe; do
    installed "$package" && continue
    $apt || ! found_without_package "$probe" || continue
    echo "$package"
  done
}

install_packages() {
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  command -v apt-get > /dev/null ||
    fail "this is not Debian or Ubuntu: apt-get is missing" \
      "install the counterparts of: $*; then call scripts/setup.sh --no-apt"
  say "Distribution packages to install: $*"
  apt-get install --simulate --no-install-recommends "$@" > /dev/null 2>&1 ||
    { say "Updating the package lists." && "${as_root[@]}" apt-get update -q > /dev/null; }
  apt-get install --assume-no --no-install-recommends "$@" 2> /dev/null |
    grep -E '^(Need to get|After this operation)' >&2 || true
  if $tests; then forbid_service_starts; fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" > /dev/null ||
    fail "apt-get could not install: $*" "try 'apt-get update' and call this again"
}

# Debian starts a service when its package is installed, unless this file says no.
forbid_service_starts() {
  local policy=/usr/sbin/policy-rc.d
  [ ! -e $policy ] || return 0
  # shellcheck disable=SC2016
  "${as_root[@]}" sh -c 'printf "#!/bin/sh\nexit 101\n" > $0 && chmod 755 $0' $policy
  # shellcheck disable=SC2064
  trap "${as_root[*]} rm -f $policy" EXIT
}

ensure_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if $apt; then
    install_packages "${missing[@]}"
    return
  fi
  # CMake and Ninja come from PyPI when the machine has none.
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vxE 'cmake|ninja-build')
  [ ${#missing[@]} -eq 0 ] || fail "these packages are missing: ${missing[*]}" \
    "ask an administrator for 'apt-get install ${missing[*]}', or point CPATH, LIBRARY_PATH and CMAKE_PREFIX_PATH to your own copies"
}

# --- PyPI wheels -------------------------------------------------------------------------------

find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2> /dev/null; then
      echo "$python"
      return
    fi
  done
  fail "no Python 3.9 or newer with venv and ensurepip" "apt-get install python3-venv, or put one on PATH"
}

# install_wheels NAME WHAT FREE_MIB: the pins of requirements-NAME.txt into wheel_dir NAME. The folder
# appears under its final name only when complete; a lock keeps two clones apart.
install_wheels() {
  local name=$1 what=$2 need_mib=$3 target partial python free_mib
  local pins=$repo/scripts/requirements-$name.txt
  target=$(wheel_dir "$name")
  [ ! -d "$target" ] || return 0
  mkdir -p "$cache"
  exec 9> "$cache/lock"
  flock -n 9 || { say "Waiting for another setup.sh that fills $cache" && flock 9; }
  if [ ! -d "$target" ]; then
    [ "$(uname -m)" = x86_64 ] ||
      fail "the pinned wheels are for x86-64, this is $(uname -m)" "set SXBENCH_TORCH and SXBENCH_CUDA, or use --core"
    python=$(find_python)
    partial=$target.partial
    rm -rf "$partial"
    mkdir -p "$partial/tmp"
    free_mib=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
    [ "$free_mib" -ge "$need_mib" ] ||
      fail "$cache has $free_mib MiB free, $need_mib MiB are needed" "free space, or set SXBENCH_CACHE to a larger file system"
    say "$what: $(sed -n 's/^# size: //p' "$pins"), into $target"
    "$python" -m venv "$partial/pip"
    # TMPDIR: pip unpacks there before it moves; /tmp is often too small and on another file system.
    TMPDIR=$partial/tmp PYTHONNOUSERSITE=1 "$partial/pip/bin/python" -m pip install --quiet --disable-pip-version-check \
      --no-deps --require-hashes --only-binary=:all: --no-compile --target "$partial/site" \
      --implementation cp --python-version 3.11 --abi cp311 --abi none \
      --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
      --platform manylinux_2_18_x86_64 --platform manylinux2014_x86_64 -r "$pins" ||
      fail "pip could not install the wheels of $pins" "check the network (pip reads PIP_INDEX_URL, PIP_CERT and the like), then call this again"
    mv "$partial/site" "$target"
    rm -rf "$partial"
  fi
  exec 9>&-
}

# --- main ---------------------------------------------------------------------------------------

need_toolchain=false
if ! $core; then
  if [ -z "${SXBENCH_TORCH:-}" ]; then
    need_toolchain=true
  elif [ ! -e "$SXBENCH_TORCH/lib/libtorch_cpu.so" ]; then
    fail "SXBENCH_TORCH=$SXBENCH_TORCH has no lib/libtorch_cpu.so" "give the folder of the torch package, …/site-packages/torch"
  elif [ -z "${SXBENCH_CUDA:-}" ] && [ ! -x "$(dirname "$SXBENCH_TORCH")/nvidia/cu13/bin/nvcc" ]; then
    need_toolchain=true
  fi
  [ -z "${SXBENCH_CUDA:-}" ] || [ -x "$SXBENCH_CUDA/bin/nvcc" ] ||
    fail "SXBENCH_CUDA=$SXBENCH_CUDA has no bin/nvcc" "give the folder of a CUDA 13 toolkit, e.g. /usr/local/cuda"
fi

ensure_packages
have_build_tools || install_wheels buildtools "CMake and Ninja" 200
if $need_toolchain; then install_wheels toolchain "libtorch 2.11 with CUDA 13.0 and NCCL" 7500; fi
if $core; then use_toolchain core; else use_toolchain; fi
say "Ready: $(cmake --version | sed -n 1p), $("${CXX:-c++}" --version | sed -n 1p)"
if ! $core; then
  say "libtorch: $SXBENCH_TORCH"
  say "CUDA compiler: $SXBENCH_CUDA/bin/nvcc"
  say "To call cmake by hand: export SXBENCH_TORCH=$SXBENCH_TORCH SXBENCH_CUDA=$SXBENCH_CUDA"
fi
