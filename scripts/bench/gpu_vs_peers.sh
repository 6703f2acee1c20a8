#!/usr/bin/env bash
# Measures the GPUs of this machine with sxbench, torch.matmul and nvbandwidth in turn, and prints rows for
# docs/performance.csv. See --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat << EOF
usage: scripts/bench/gpu_vs_peers.sh [options]

  --sxbench PATH   the command (default: sxbench on PATH)
  --python PATH    Python with torch, for the GEMM rows (default: python3); "none" leaves them out
  --tests LIST     tests of sxbench gpu (default: gemm,hbm,host_device,p2p,latency)
  --out DIR        new folder for everything that is printed (default: gpu-vs-peers)

Set NVBANDWIDTH to the nvbandwidth binary for the rows of copies and latencies. The table goes to stdout.
Exit code: 0 done, 2 wrong usage, 4 something needed is missing.
EOF
}

fail() {
  printf 'error: %s\nhelp: %s\n' "$1" "$2" >&2
  exit "${3:-4}"
}

sxbench=sxbench python=python3 tests=gemm,hbm,host_device,p2p,latency out=gpu-vs-peers
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --sxbench | --python | --tests | --out)
      [ $# -ge 2 ] || fail "$1 needs a value" "see --help" 2
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    *) fail "unknown argument '$1'" "see --help" 2 ;;
  esac
done
command -v "$sxbench" > /dev/null || fail "'$sxbench' is not a command" "build it, and name it with --sxbench"
command -v python3 > /dev/null || fail "python3 is not on PATH" "install it"
[ ! -e "$out" ] || fail "$out exists" "give a new folder with --out" 2
if [ "$python" != none ]; then
  "$python" -c 'import torch; assert torch.cuda.is_available()' ||
    fail "$python has no torch with a GPU" "name one with --python, or --python none"
fi
if [ -n "${NVBANDWIDTH:-}" ]; then
  [ -x "$NVBANDWIDTH" ] || fail "NVBANDWIDTH=$NVBANDWIDTH is no program" "build it from its public source, or unset it"
fi
mkdir -p "$out"

# Exit code 3 is a slow GPU: its figures are there.
"$sxbench" gpu --tests "$tests" --out "$out/sxbench" > "$out/sxbench.txt" || [ $? = 3 ]
if [ "$python" != none ]; then "$python" "$here/torch_matmul.py" > "$out/torch.json"; fi
if [ -n "${NVBANDWIDTH:-}" ]; then
  "$NVBANDWIDTH" -j -t host_to_device_memcpy_ce device_to_host_memcpy_ce host_to_device_bidirectional_memcpy_ce \
    device_to_host_bidirectional_memcpy_ce device_to_device_memcpy_read_ce device_to_device_memcpy_write_ce \
    device_to_device_bidirectional_memcpy_read_ce device_to_device_bidirectional_memcpy_write_ce device_local_copy \
    host_device_latency_sm device_to_device_latency_sm > "$out/nvbandwidth.json"
fi
exec python3 "$here/gpu_vs_peers.py" "$out"
