#!/usr/bin/env python3
"""Loads a folder that --save wrote with Hugging Face's transformers, and fails where it is not whole.

    python3 tests/engine/train/load_saved.py FOLDER
"""
import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

folder = sys.argv[1]
model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
assert isinstance(model, LlamaForCausalLM), type(model)
for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    assert not info[what], (what, info[what])
try:
    with open(f"{folder}/model.safetensors.index.json") as index:
        files = sorted(set(json.load(index)["weight_map"].values()))
except FileNotFoundError:
    files = ["model.safetensors"]
state = model.state_dict()
for file in files:
    for name, tensor in load_file(f"{folder}/{file}").items():
        assert torch.equal(state.pop(name), tensor.float()), name
assert not state, state.keys()

with open(f"{folder}/config.json") as file:
    written = json.load(file)
config = AutoConfig.from_pretrained(folder)
theta = getattr(config, "rope_theta", None) or config.rope_parameters["rope_theta"]
assert theta == written["rope_theta"], theta
for key in ("max_position_embeddings", "bos_token_id", "eos_token_id", "rms_norm_eps", "num_key_value_heads"):
    assert getattr(config, key) == written[key], key
assert not config.tie_word_embeddings
tokens = torch.arange(3, 35).reshape(1, -1) % config.vocab_size
loss = model(input_ids=tokens, labels=tokens).loss
assert torch.isfinite(loss), loss
print(f"transformers loads {len(files)} file(s) of {folder}; loss {loss.item():.4f}")
