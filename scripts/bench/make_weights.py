"""Writes a Hugging Face folder (config.json, model.safetensors) with random Llama weights drawn from a seed.

python3 scripts/bench/make_weights.py --shape 1b --seed 7 --out weights/
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

# hidden, ffn, layers, heads, kv_heads, vocabulary
SHAPES = {"1b": (2048, 5504, 18, 16, 16, 32000), "tiny": (64, 176, 2, 4, 2, 1024)}

p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
p.add_argument("--shape", choices=SHAPES, default="1b")
p.add_argument("--seed", type=int, default=7)
p.add_argument("--out", type=Path, required=True)
args = p.parse_args()

hidden, ffn, layers, heads, kv_heads, vocab = SHAPES[args.shape]
settings = {
    "hidden_size": hidden,
    "intermediate_size": ffn,
    "num_hidden_layers": layers,
    "num_attention_heads": heads,
    "num_key_value_heads": kv_heads,
    "vocab_size": vocab,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
with torch.device("meta"):
    model = LlamaForCausalLM(LlamaConfig(**settings))
generator = torch.Generator().manual_seed(args.seed)
# BF16, which FP32 holds exactly: every precision starts from the same numbers.
weights = {
    name: torch.ones(q.shape, dtype=torch.bfloat16)
    if q.dim() == 1
    else torch.empty(q.shape).normal_(0, 0.02, generator=generator).to(torch.bfloat16)
    for name, q in model.named_parameters()
}
args.out.mkdir(parents=True, exist_ok=True)
save_file(weights, args.out / "model.safetensors", metadata={"format": "pt"})
config = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "rope_theta": 10000.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
    **settings,
}
(args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
print(f"{args.out}: {sum(w.numel() for w in weights.values()) / 1e6:.1f} M parameters")
