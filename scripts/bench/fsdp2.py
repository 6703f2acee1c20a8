"""The strongest peer in plain PyTorch: Hugging Face's Llama under FSDP2, fused AdamW, and if asked for
torch.compile, cuDNN attention, Liger. Needs torch, transformers, safetensors; nvidia-ml-py for energy.

    torchrun --standalone --nproc-per-node 4 scripts/bench/fsdp2.py --model 7b --compile --attention cudnn \\
        --reduce bf16 --keep-parameters
"""

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import peer


def parse():
    p = peer.arguments("Hugging Face Llama under PyTorch FSDP2")
    p.add_argument("--reduce", choices=["bf16", "fp32"], default="bf16", help="of gradients between ranks")
    p.add_argument(
        "--keep-parameters",
        action="store_true",
        help="keep gathered weights from forward to backward (ZeRO-2); without it ZeRO-3",
    )
    p.add_argument("--accumulate", type=int, default=1, help="micro-steps per optimizer step")
    p.add_argument("--lr-ramp", type=int, default=1, help="steps of a linear ramp to --lr")
    p.add_argument("--liger", action="store_true", help="fused kernels of the package liger-kernel")
    p.add_argument("--cpu", action="store_true", help="FP32 on CPU ranks: to compare numerics")
    return p.parse_args()


def shard(model, args):
    reduce = torch.bfloat16 if args.reduce == "bf16" else torch.float32
    policy = MixedPrecisionPolicy() if args.cpu else MixedPrecisionPolicy(torch.bfloat16, reduce)
    for layer in model.model.layers:
        fully_shard(layer, mp_policy=policy, reshard_after_forward=not args.keep_parameters)
    fully_shard(model, mp_policy=policy)


@torch.no_grad()
def initialize(model, args, config, device):
    """Gives the (sharded) parameters memory and values: the folder's weights, or random ones."""
    model.to_empty(device=device)
    model.model.rotary_emb = LlamaRotaryEmbedding(config).to(device)  # its buffers were on the meta device
    weights = None if args.model in peer.SHAPES else load_file(f"{args.model}/model.safetensors")
    for name, parameter in model.named_parameters():
        if weights is not None:
            whole = weights[name].to(device, parameter.dtype)
            if isinstance(parameter, DTensor):
                whole = distribute_tensor(whole, parameter.device_mesh, parameter.placements)
            parameter.copy_(whole)
        elif parameter.dim() == 1:
            parameter.fill_(1)
        else:
            own = parameter.to_local() if isinstance(parameter, DTensor) else parameter
            own.normal_(0, 0.02)


def main():
    args = parse()
    device = peer.connect(args.cpu)
    torch.manual_seed(args.seed + dist.get_rank())
    config = peer.llama_config(args)
    extra = {}
    if args.liger:
        import importlib.metadata
        from liger_kernel.transformers import apply_liger_kernel_to_llama

        apply_liger_kernel_to_llama()
        extra["liger-kernel"] = importlib.metadata.version("liger-kernel")
    with torch.device("meta"):
        model = LlamaForCausalLM(config).float()
    if args.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if args.compile:
        for layer in model.model.layers:
            layer.compile()
    shard(model, args)
    initialize(model, args, config, device)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0, fused=True)
    batches = peer.batches(args, args.accumulate, config, device)

    def step(number):
        share = torch.zeros((), device=device)
        for micro_step in range(args.accumulate):
            model.set_requires_gradient_sync(micro_step == args.accumulate - 1)
            with peer.attention_backend(args):
                loss, own = batches.loss(model, number, micro_step)
                loss.backward()
            share += own
        if args.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min(1, (number + 1) / args.lr_ramp)
        optimizer.step()
        optimizer.zero_grad()
        return share

    facts = {
        "peer": "fsdp2",
        "model": args.model,
        "layers": config.num_hidden_layers,
        "parameters": sum(p.numel() for p in model.parameters()),
        "reduce": "fp32" if args.cpu else args.reduce,
        "sharding": "gradients" if args.keep_parameters else "full",
        "liger": args.liger,
    }
    peer.run(args, args.accumulate, device, step, facts, extra)


if __name__ == "__main__":
    main()
