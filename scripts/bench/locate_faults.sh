#!/usr/bin/env bash
# What `sxbench locate` says on one machine with four GPUs, as four nodes of one: without a fault, with a GPU
# that another process uses, and with a node whose traffic goes through sockets, expected and against a promise of
# RDMA.
#
#   scripts/bench/locate_faults.sh BUILD OUTPUT
#
# BUILD is a build folder with the engine, OUTPUT a folder for the runs. About two minutes. Ends with 1 if locate
# names something else than what was done.
#
# NCCL takes the path between two processes by their host ids, so NCCL_HOSTID makes a node look remote and all its
# pairs use the network (TCP sockets here). One pair alone cannot be made so: to be on one host is transitive, and
# the switches for peer access and shared memory hold for a process, not for a pair.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd) sxbench=$build/bin/sxbench
repo=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
busy=2                     # GPU that gets company, node3
remote=node4               # node that goes through sockets
failed=0 rival=

end_rival() {
  [ -z "$rival" ] || { kill -INT "$rival" && wait "$rival"; } 2> /dev/null || true
  rival=
}
trap end_rival EXIT

# cluster PROGRAM: the four nodes of the shipped config, with what starts the agents.
cluster() {
  sed -e '/^\/\//d' -e "s#\"transport\": \"local\",#\"transport\": \"local\", \"paths\": {\"program\": \"$1\"},#" \
    -e '/"[$]schema"/d' "$repo/configs/clusters/h200x4-as-4-nodes.json"
}

# check CASE EXPECTED_CODE PATTERN: runs locate on CASE.json; its words must match the pattern.
check() {
  local code=0
  echo "== $1"
  "$sxbench" locate --cluster "$out/$1.json" --out "$out/$1" --size 64M --probe-seconds 1 --rounds 2 \
    > "$out/$1.txt" 2> "$out/$1.err" || code=$?
  cat "$out/$1.txt"
  if [ "$code" != "$2" ] || ! grep -Eq "$3" "$out/$1.txt"; then
    echo "NOT as expected: exit code $code, wanted $2 and a line like: $3"
    tail -5 "$out/$1.err"
    failed=1
  fi
}

cluster "$sxbench" > "$out/clean.json"
check clean 0 '^nothing found'

# A process of its own, which has the GPU to itself until the search comes.
cat > "$out/rival.json" << END
{"name": "rival", "transport": "local", "device": "cuda", "nodes": [{"name": "rival", "gpus": [$busy]}],
 "gpu": {"name": "NVIDIA H200", "memory_gib": 140}, "nccl_profile": "single-host"}
END
"$sxbench" burn --cluster "$out/rival.json" --duration 120s --out "$out/rival" > "$out/rival.txt" 2>&1 &
rival=$!
for _ in $(seq 100); do
  [ "$(nvidia-smi -i $busy --query-gpu=utilization.gpu --format=csv,noheader,nounits)" -lt 50 ] || break
  sleep 0.3
done
cluster "$sxbench" > "$out/busy_gpu.json"
check busy_gpu 3 "^SLOW  node$((busy + 1)): rank $busy, GPU $busy"
end_rival

cat > "$out/program" << END
#!/usr/bin/env bash
# Starts the agent; that of $remote with a host id of its own. The task is the first line of stdin.
IFS= read -r task
case \$task in *'"node":"$remote"'*) export NCCL_HOSTID=elsewhere ;; esac
exec "$sxbench" "\$@" < <(printf '%s\n' "\$task" && exec cat 2> /dev/null)
END
chmod +x "$out/program"
cluster "$out/program" > "$out/sockets.json"
check sockets 3 "^SLOW  $remote\$"

# The same where the cluster's description promises RDMA and nothing asks for sockets.
cluster "$out/program" | sed -e 's/"fabric": "none"/"fabric": "roce"/' \
  -e 's/"nccl_profile": "single-host"/&, "nccl_env": {"NCCL_IB_DISABLE": "0"}/' > "$out/promised.json"
check promised 4 '^the search broke off: .*by TCP .NET/Socket., but the fabric "roce" promises RDMA'
exit $failed
