#!/usr/bin/env bash
# Trains a SentencePiece BPE tokenizer on an Alpaca data.json, laid out as Llama-2's: unk 0, BOS 1,
# EOS 2, byte fallback, split digits, no normalisation. The same data gives the same model, byte for byte.
# Needs spm_train (Debian package sentencepiece) and python3.
set -euo pipefail

usage="usage: scripts/train_tokenizer.sh [DATA.json [TOKENIZER.model [VOCAB]]]"
[[ ${1:-} == -h || ${1:-} == --help ]] && { echo "$usage"; exit 0; }
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=$(realpath "${1:-$repo/configs/datasets/cluster-ops/data.json}")
model=$(realpath -m "${2:-$(dirname "$data")/tokenizer.model}")
vocab=${3:-1024}

if ! command -v spm_train >/dev/null; then
  echo "error: spm_train is not installed" >&2
  echo "help: apt-get install sentencepiece" >&2
  exit 4
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"  # the model stores the names below: relative ones, so that no path of this machine is in it

# The lines of the documents as the trainer sees them: with the prompt's own words (data/alpaca.cpp).
python3 - "$data" > corpus.txt <<'PYTHON'
import json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    entries = json.load(file)
for entry in entries:
    if entry.get("input"):
        print("Below is an instruction that describes a task, paired with an input that provides further context. "
              "Write a response that appropriately completes the request.")
    else:
        print("Below is an instruction that describes a task. "
              "Write a response that appropriately completes the request.")
    for title, key in (("Instruction", "instruction"), ("Input", "input"), ("Response", "output")):
        if entry.get(key):
            print(f"### {title}:", entry[key], sep="\n")
PYTHON

spm_train --input=corpus.txt --model_prefix=tokenizer --model_type=bpe --vocab_size="$vocab" \
  --byte_fallback=true --character_coverage=0.9995 --split_digits=true --normalization_rule_name=identity \
  --add_dummy_prefix=true --remove_extra_whitespaces=false --allow_whitespace_only_pieces=true \
  --unk_id=0 --bos_id=1 --eos_id=2 --pad_id=-1 --num_threads=1 --minloglevel=1
mv tokenizer.model "$model"
echo "$model: $(stat -c %s "$model") bytes, vocabulary $vocab, from $(wc -l < corpus.txt) lines"
