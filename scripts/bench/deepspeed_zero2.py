"""The recipe of common fine-tuning guides: Hugging Face's Llama in BF16 under DeepSpeed ZeRO-2 with gradient
checkpointing. Needs torch, transformers and deepspeed; nvidia-ml-py for power and energy.

    torchrun --standalone --nproc-per-node 4 scripts/bench/deepspeed_zero2.py --model 7b --recompute
"""

import deepspeed
import torch
from transformers import LlamaForCausalLM

import peer

BUCKET = 500_000_000  # elements a reduction or gather sends at once, DeepSpeed's default


def deepspeed_config(args):
    return {
        "train_micro_batch_size_per_gpu": args.micro_batch,
        "gradient_accumulation_steps": 1,
        "bf16": {"enabled": True},
        "gradient_clipping": args.clip,
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {
            "stage": 2,
            "overlap_comm": True,
            "contiguous_gradients": True,
            "reduce_bucket_size": BUCKET,
            "allgather_bucket_size": BUCKET,
        },
        "steps_per_print": 1_000_000_000,
    }


def main():
    p = peer.arguments("Hugging Face Llama under DeepSpeed ZeRO-2")
    p.add_argument("--local_rank", type=int, help="for DeepSpeed's launcher; not read")
    args = p.parse_args()
    device = peer.connect()
    torch.manual_seed(args.seed)
    config = peer.llama_config(args)
    if args.model in peer.SHAPES:
        torch.set_default_dtype(torch.bfloat16)
        with device:
            model = LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    else:
        model = LlamaForCausalLM.from_pretrained(args.model, config=config, dtype=torch.bfloat16).to(device)
    if args.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if args.compile:
        for layer in model.model.layers:
            layer.compile()
    parameters = sum(q.numel() for q in model.parameters())
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0, fused=True)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=deepspeed_config(args))
    batches = peer.batches(args, 1, config, device)

    def step(number):
        with peer.attention_backend(args):
            loss, share = batches.loss(engine, number, 0)
            engine.backward(loss)
        engine.step()
        return share

    facts = {
        "peer": "deepspeed",
        "model": args.model,
        "layers": config.num_hidden_layers,
        "parameters": parameters,
        "sharding": "gradients",
        "reduce": "bf16",
    }
    peer.run(args, 1, device, step, facts, {"deepspeed": deepspeed.__version__})


if __name__ == "__main__":
    main()
