#!/usr/bin/env bash
# Trains the same model from the same weights on the same batches with sxbench and with Hugging Face + FSDP2,
# and compares the losses step by step against the noise of each. See --help and docs/performance.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat << EOF
usage: scripts/bench/loss_parity.sh [options]

  --sxbench PATH      the command (default: sxbench on PATH)
  --python PATH       Python with torch, transformers and safetensors (default: python3)
  --gpus N            ranks of both sides (default 1); 0: FP32 on the CPU, one rank
  --shape 1b|tiny     1b: 1.04 G parameters (default); tiny: for the CPU
  --steps N           optimizer steps (default 200)
  --micro-batch N     rows per rank and step, even (default 4)
  --seq-len N         tokens per row (default 512)
  --lr RATE           learning rate (default 1e-4), reached after 20 steps
  --dataset NAME      Alpaca file or shipped name (default cluster-ops)
  --tokenizer FILE    SentencePiece model (default: the one beside the dataset)
  --out DIR           new folder for weights, data, curves (default loss-parity)

Exit code: 0 the losses agree, 1 they do not, 2 wrong usage, 4 something needed is missing.
EOF
}

fail() {
  printf 'error: %s\nhelp: %s\n' "$1" "$2" >&2
  exit "${3:-4}"
}

sxbench=sxbench python=python3 gpus=1 shape=1b steps=200 micro_batch=4 seq_len=512 lr=1e-4
ramp=20 dataset=cluster-ops tokenizer='' out=loss-parity
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --sxbench | --python | --gpus | --shape | --steps | --micro-batch | --seq-len | --lr | --dataset | \
      --tokenizer | --out)
      [ $# -ge 2 ] || fail "$1 needs a value" "see --help" 2
      name=${1#--}
      printf -v "${name//-/_}" %s "$2"
      shift 2
      ;;
    *) fail "unknown argument '$1'" "see --help" 2 ;;
  esac
done

[ $((micro_batch % 2)) = 0 ] || fail "--micro-batch $micro_batch is odd" "the second run splits it in two" 2
command -v "$sxbench" > /dev/null || fail "'$sxbench' is not a command" "build it, and name it with --sxbench"
"$python" -c 'import torch, transformers, safetensors' ||
  fail "$python lacks torch, transformers or safetensors" "name a Python that has them with --python"
[ ! -e "$out" ] || fail "$out exists" "give a new folder with --out" 2
mkdir -p "$out/data"
out=$(cd "$out" && pwd)

"$python" "$here/make_weights.py" --shape "$shape" --out "$out/weights"
options=()
[ -z "$tokenizer" ] || options=(--tokenizer "$tokenizer")
"$sxbench" data prepare --dataset "$dataset" "${options[@]}" --seq-len "$seq_len" --out "$out/data/packed"

if [ "$gpus" = 0 ]; then
  device=cpu precision=fp32 ranks=1 node='{"name": "node1", "slots": 1}' peer_options=(--cpu) variant=()
else
  device=cuda precision=bf16 ranks=$gpus peer_options=(--reduce fp32) variant=(--compile)
  node="{\"name\": \"node1\", \"gpus\": [$(seq -s, 0 $((gpus - 1)))]}"
fi
cat > "$out/cluster.json" << EOF
{"name": "parity", "transport": "local", "device": "$device", "nodes": [$node],
 "network": {"fabric": "none"}, "nccl_profile": "single-host"}
EOF

# ours NAME SPLITS: one run, each batch in SPLITS micro-steps
ours() {
  "$sxbench" run --cluster "$out/cluster.json" --nodes 1 --models "$out/weights" --phases sft,report \
    --steps "$steps" --warmup 0 --micro-batch $((micro_batch / $2)) --set "training.grad_accumulation=$2" \
    --set "training.seq_len=$seq_len" --set "training.precision=$precision" \
    --set training.reduce_precision=fp32 --set training.seed=1234 --set "init_from=$out/weights" \
    --set "data.dataset=$out/data/packed" \
    --set "optimizer.lr=$lr" --set optimizer.schedule.kind=constant \
    --set "optimizer.schedule.warmup_steps=$ramp" --set optimizer.weight_decay=0 --set optimizer.grad_clip=1 \
    --out "$out/$1" > "$out/$1.log" 2>&1 ||
    fail "sxbench run failed" "see $out/$1.log"
}

# peer NAME SPLITS [OPTION...]: the same with Hugging Face
peer() {
  local name=$1 splits=$2
  shift 2
  "$python" -m torch.distributed.run --standalone --nproc-per-node "$ranks" "$here/fsdp2.py" \
    --model "$out/weights" --data "$out/data/packed" --seq-len "$seq_len" \
    --micro-batch $((micro_batch / splits)) --accumulate "$splits" --warmup 0 --steps "$steps" \
    --seed 1234 --lr "$lr" --lr-ramp "$ramp" "${peer_options[@]}" "$@" \
    --losses "$out/$name.losses" > "$out/$name.txt" 2>&1 ||
    fail "the peer failed" "see $out/$name.txt"
}

# The second runs give the noise: the same mathematics with sums in another order, and on GPUs with the peer's
# element-wise steps fused, that is rounded to BF16 at other places.
ours ours-1 1
peer peer-1 1
ours ours-2 2
peer peer-2 2 "${variant[@]}"
curves=("$out/ours-1/latest/reports/sft_metrics.json" "$out/ours-2/latest/reports/sft_metrics.json")
"$python" "$here/loss_parity.py" --precision "$precision" --ours "${curves[@]}" \
  --peer "$out/peer-1.losses" "$out/peer-2.losses"
