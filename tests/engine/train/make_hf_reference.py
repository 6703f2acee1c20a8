#!/usr/bin/env python3
"""Writes tests/fixtures/hf-tiny: weights, a packed batch, and Hugging Face's loss and gradients for it.

Hugging Face computes in double precision; weights are rounded to BF16 first, so the stored file is
exact. Needs torch, transformers (5.17.0 was used) and safetensors.

    python3 tests/engine/train/make_hf_reference.py tests/fixtures/hf-tiny
"""
import sys

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

out = sys.argv[1]
torch.manual_seed(7)
# The shape of configs/models/tiny.json.
config = LlamaConfig(hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, vocab_size=1024, max_position_embeddings=256, rms_norm_eps=1e-5,
                     rope_theta=10000.0, tie_word_embeddings=False, use_cache=False, attn_implementation="eager")
model = LlamaForCausalLM(config)
for name, p in model.named_parameters():
    # Larger than the usual 0.02, so that attention and SwiGLU leave their linear range.
    torch.nn.init.normal_(p, 1.0, 0.1) if "norm" in name else torch.nn.init.normal_(p, 0.0, 0.1)
    p.data = p.data.to(torch.bfloat16)
weights = {n: p.detach().clone() for n, p in model.named_parameters()}
model = model.double()

rows, seq_len = 2, 48
starts = [[0, 20, 33], [0, 48]]  # documents of each row; row 0 ends with padding from 41
padding_from = [41, 48]
tokens = torch.randint(3, 1024, (rows, seq_len))
document = torch.zeros(rows, seq_len, dtype=torch.long)
position = torch.zeros(rows, seq_len, dtype=torch.long)
for r in range(rows):
    bounds = [s for s in starts[r] if s < seq_len] + ([padding_from[r]] if padding_from[r] < seq_len else []) + [seq_len]
    for d in range(len(bounds) - 1):
        document[r, bounds[d]:bounds[d + 1]] = d
        position[r, bounds[d]:bounds[d + 1]] = torch.arange(bounds[d + 1] - bounds[d])

# The first third of every document is prompt: not in the loss. Words as in data/packed.h.
words = tokens.clone()
target = torch.full((rows, seq_len), -1)
for r in range(rows):
    for t in range(seq_len):
        if t >= padding_from[r]:
            words[r, t] |= 1 << 29
            continue
        if position[r, t] == 0:
            words[r, t] |= 1 << 30
        length = int((document[r] == document[r, t]).sum())
        if position[r, t] > length // 3:
            words[r, t] |= 1 << 31
            target[r, t - 1] = tokens[r, t]

same = (document[:, :, None] == document[:, None, :]) & torch.ones(seq_len, seq_len).tril().bool()
mask = torch.zeros(rows, 1, seq_len, seq_len, dtype=torch.float64).masked_fill(~same[:, None], float("-inf"))
logits = model(input_ids=tokens, attention_mask=mask, position_ids=position).logits
loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 1024), target.reshape(-1), ignore_index=-1)
loss.backward()

save_file(weights, f"{out}/model.safetensors")
gradients = {n: p.grad.to(torch.float32) for n, p in model.named_parameters()}
# Words need 32 bits unsigned; I64 keeps them exact.
save_file({"words": words.to(torch.int64), "loss": loss.detach().reshape(1).to(torch.float64), **gradients},
          f"{out}/reference.safetensors")
print(f"loss {loss.item():.12f}, {int((target >= 0).sum())} tokens in the loss")
