#!/bin/sh
# How the head grows with the number of nodes: 64, 256 and 1,024 pretended ones on this machine.
# Start and collect (beside pdsh -R exec), ingest of 8 GPUs x 10 Hz a node, report of what that leaves.
#
#   scripts/bench/scale.sh BUILD OUTPUT [--nodes 64,256,1024] [--seconds 60] [--parts start,ingest,report]
#                                       [--long SECONDS]
#
# BUILD is a configured build folder (cmake --preset core), OUTPUT a file. Needs pdsh, python3 and, in the temporary
# folder (TMPDIR), 46 kB a node and second (1,024 nodes for a minute: 2.8 GB); other work on the machine
# shows in the figures. --long: the report of a longer run of the largest cluster, whose samples are sent without a pause.
set -eu
[ $# -ge 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$1 output=$2
shift 2
cmake --build "$build" --target sxbench sxb_pretended_ssh sxb_start_many >&2
exec python3 "$(dirname "$0")/scale.py" --bin "$build/bin" --out "$output" "$@"
