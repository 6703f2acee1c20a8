#!/usr/bin/env bash
# Trains the same shapes with sxbench and with the strongest peers on the GPUs of this machine, in turn, and
# makes one table of both. See --help and docs/performance.md ("How to repeat it").
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 > /dev/null || {
  echo "error: python3 is not on PATH" >&2
  exit 4
}
exec python3 "$here/trainer_vs_peers.py" "$@"
