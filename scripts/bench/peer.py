"""What the peers share: shapes, arguments, batches, the timed loop, energy, and the line of JSON they print.

A peer is what a user would run instead of sxbench. It is timed as sxbench times itself: device events at the
step boundaries of every rank, nothing waits inside or between steps, a step's time is the maximum over ranks.
"""

import argparse
import contextlib
import itertools
import json
import math
import os
import sys
import threading
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaConfig

from packed import IGNORED, PackedDataset
from comparison import PEER_KIND, quantile

# hidden, ffn, layers, heads, kv_heads; the vocabulary is 32000, as in configs/models.
SHAPES = {
    "7b": (4096, 11008, 32, 32, 32),
    "13b": (5120, 13824, 40, 40, 40),
    "70b": (8192, 28672, 80, 64, 8),
}
VOCAB = 32000


def arguments(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument(
        "--model", default="7b", help=f"{', '.join(SHAPES)}, or a Hugging Face folder with weights"
    )
    p.add_argument("--layers", type=int, help="another number of layers")
    p.add_argument("--micro-batch", type=int, default=8)
    p.add_argument("--seq-len", type=int, default=2048)
    p.add_argument(
        "--warmup", type=int, default=10, help="steps that no figure counts; the first one compiles"
    )
    p.add_argument("--seconds", type=float, default=60, help="timed steps take about this long, not less")
    p.add_argument("--steps", type=int, help="timed steps, instead of --seconds")
    p.add_argument(
        "--data",
        default="synthetic",
        help="synthetic (new random tokens each step), or a folder that "
        "`sxbench data prepare` wrote: read in sxbench's order, with its masks",
    )
    p.add_argument("--seed", type=int, default=1234, help="of the order of the data, or of its tokens")
    p.add_argument("--lr", type=float, default=1e-5)
    p.add_argument("--clip", type=float, default=1.0, help="global gradient norm; 0: off")
    p.add_argument("--recompute", action="store_true", help="activation checkpointing of every layer")
    p.add_argument("--compile", action="store_true", help="torch.compile, layer by layer")
    p.add_argument("--attention", choices=["auto", "cudnn", "flash"], default="auto", help="backend of SDPA")
    p.add_argument("--losses", help="file for the losses: `step loss`, one line a step")
    return p


def llama_config(args):
    if args.model in SHAPES:
        hidden, ffn, layers, heads, kv_heads = SHAPES[args.model]
        config = LlamaConfig(
            hidden_size=hidden,
            intermediate_size=ffn,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            vocab_size=VOCAB,
            rms_norm_eps=1e-5,
            max_position_embeddings=max(4096, args.seq_len),
        )
    elif (Path(args.model) / "config.json").exists():
        config = LlamaConfig.from_pretrained(args.model)
    else:
        sys.exit(
            f"error: --model {args.model} is neither one of {', '.join(SHAPES)} nor a folder with config.json"
        )
    config.num_hidden_layers = args.layers or config.num_hidden_layers
    config.use_cache = False
    config._attn_implementation = "sdpa"
    return config


def attention_backend(args):
    if args.attention == "auto":
        return contextlib.nullcontext()
    return sdpa_kernel(
        {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}[args.attention]
    )


def connect(cpu=False):
    """Joins the process group of torchrun; without torchrun this process is the only rank."""
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29555",
    }.items():
        os.environ.setdefault(name, value)
    if cpu:
        dist.init_process_group("gloo")
        return torch.device("cpu")
    if not torch.cuda.is_available():
        sys.exit("error: PyTorch sees no GPU")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    dist.init_process_group("nccl", device_id=device)
    return device


class SyntheticBatches:
    """New random tokens for every micro-step, drawn on the device; every token counts in the loss."""

    def __init__(self, args, accumulate, vocab, device):
        self.size, self.accumulate = (args.micro_batch, args.seq_len), accumulate
        self.vocab, self.device = vocab, device
        self.generator = torch.Generator(device)
        self.generator.manual_seed(args.seed + dist.get_rank())

    def loss(self, model, step, micro_step):
        """(what to differentiate, this rank's share of the step's mean loss) of one micro-step."""
        ids = torch.randint(self.vocab, self.size, generator=self.generator, device=self.device)
        loss = model(input_ids=ids, labels=ids).loss / self.accumulate
        return loss, loss.detach() / dist.get_world_size()


class PackedBatches:
    """Rows of a prepared dataset: attention inside each document, loss on the response tokens.

    The loss of a step is the mean over the response tokens of all ranks and micro-steps. Peers average
    gradients over the ranks, so a rank differentiates world / tokens times its sum.
    """

    def __init__(self, args, accumulate, vocab, device):
        self.data = PackedDataset(args.data)
        if self.data.seq_len != args.seq_len or self.data.vocab > vocab:
            sys.exit(
                f"error: {args.data} has rows of {self.data.seq_len} tokens below {self.data.vocab}; the run "
                f"wants {args.seq_len} below {vocab}"
            )
        self.args, self.accumulate, self.device = args, accumulate, device

    def rows(self, step, micro_step, rank):
        return self.data.micro_batch(
            step * self.accumulate + micro_step,
            rank,
            dist.get_world_size(),
            self.args.micro_batch,
            self.args.seed,
        )

    def tensor(self, rows, field):
        return torch.tensor([getattr(row, field) for row in rows], device=self.device)

    def loss(self, model, step, micro_step):
        world = dist.get_world_size()
        tokens = sum(
            row.loss_tokens()
            for m in range(self.accumulate)
            for r in range(world)
            for row in self.rows(step, m, r)
        )
        rows = self.rows(step, micro_step, dist.get_rank())
        document = self.tensor(rows, "document")
        causal = torch.ones(self.args.seq_len, self.args.seq_len, dtype=torch.bool, device=self.device).tril()
        mask = (
            document[:, :, None] == document[:, None, :]
        ) & causal  # (rows, seq_len, seq_len), true: attend
        logits = model(
            input_ids=self.tensor(rows, "token"),
            position_ids=self.tensor(rows, "position"),
            attention_mask=mask[:, None],
        ).logits
        total = (
            F.cross_entropy(
                logits.float().flatten(0, 1),
                self.tensor(rows, "target").flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
            / tokens
        )
        return total * world, total.detach()


def batches(args, accumulate, config, device):
    kind = SyntheticBatches if args.data == "synthetic" else PackedBatches
    return kind(args, accumulate, config.vocab_size, device)


class GpuMonitor:
    """Energy (NVML's counter) and SM clock (twice a second) of this rank's GPU over the timed steps."""

    def __init__(self, device):
        self.missing, self.driver = None, None
        if device.type != "cuda":
            self.missing = "no GPU"
            return
        try:
            import pynvml

            self.nvml = pynvml
            pynvml.nvmlInit()
            self.driver = pynvml.nvmlSystemGetDriverVersion()
            uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
            self.handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            pynvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)
        except ImportError:
            self.missing = "the Python package nvidia-ml-py is not installed"
        except pynvml.NVMLError as error:
            self.missing = f"NVML: {error}"

    def __enter__(self):
        self.clocks, self.stop = [], threading.Event()
        if self.missing is None:
            self.thread = threading.Thread(target=self.sample, daemon=True)
            self.begin, self.begin_mj = time.monotonic(), self.energy()
            self.thread.start()
        return self

    def __exit__(self, *_):
        if self.missing is None:
            self.seconds = time.monotonic() - self.begin
            self.joule = (self.energy() - self.begin_mj) / 1e3
            self.stop.set()
            self.thread.join()

    def energy(self):
        return self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)

    def sample(self):
        while not self.stop.wait(0.5):
            self.clocks.append(self.nvml.nvmlDeviceGetClockInfo(self.handle, self.nvml.NVML_CLOCK_SM))

    def figures(self):
        if self.missing is not None or not self.clocks:
            return {"missing": self.missing or "the timed steps took less than a second"}
        return {
            "joule": self.joule,
            "power_w": self.joule / self.seconds,
            "sm_mhz": quantile(self.clocks, 0.5),
        }


class Clock:
    """Marks on the device's (or the CPU's) time line, read at the end."""

    def __init__(self, device):
        self.cuda, self.marks = device.type == "cuda", []

    def mark(self):
        if self.cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append(event)
            # Hold the host at most two steps ahead, so that the allocator's queue does not grow.
            if len(self.marks) > 2:
                self.marks[-3].synchronize()
        else:
            self.marks.append(time.perf_counter())

    def steps_ms(self):
        if self.cuda:
            torch.cuda.synchronize()
            return [a.elapsed_time(b) for a, b in itertools.pairwise(self.marks)]
        return [(b - a) * 1e3 for a, b in itertools.pairwise(self.marks)]


def longest_over_ranks(values, device):
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return tensor.tolist()


def timed(step, first, count, device):
    """Runs `count` steps from number `first`; their times in ms, maximum over ranks, and their losses."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    dist.barrier()
    clock = Clock(device)
    clock.mark()
    losses = []
    for number in range(first, first + count):
        losses.append(step(number))
        clock.mark()
    own = clock.steps_ms()
    return (longest_over_ranks(own, device) if own else []), losses


def versions(monitor, extra):
    found = {"torch": torch.__version__, "transformers": transformers.__version__}
    if torch.cuda.is_available():
        found |= {
            "cuda": torch.version.cuda,
            "nccl": ".".join(map(str, torch.cuda.nccl.version())),
            "cudnn": str(torch.backends.cudnn.version()),
            "driver": monitor.driver,
        }
    return found | extra


def run(args, accumulate, device, step, facts, extra_versions):
    """Warms up, times, and prints the JSON line. `step(number)` does optimizer step `number` (from 0) and
    returns this rank's share of its loss; `facts` name the peer and its settings."""
    warm_ms, losses = timed(step, 0, args.warmup, device)
    count = args.steps
    if not count:
        if not warm_ms:
            sys.exit("error: --seconds needs --warmup, which tells how long a step takes; or give --steps")
        # The fastest warm-up step: the GPUs slow down when hot, so the timed steps never take less in all.
        count = math.ceil(args.seconds * 1e3 / min(warm_ms)) + 1
    monitor = GpuMonitor(device)
    with monitor:
        step_ms, timed_losses = timed(step, args.warmup, count, device)
    losses = torch.stack(losses + timed_losses).double()
    dist.all_reduce(losses)
    losses = losses.tolist()
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    peak = longest_over_ranks([float(peak)], device)[0]
    gpus = [None] * dist.get_world_size()
    dist.all_gather_object(gpus, monitor.figures())
    if dist.get_rank() == 0:
        report(args, accumulate, step_ms, losses, peak, gpus, facts, versions(monitor, extra_versions))
    dist.barrier()
    dist.destroy_process_group()


def report(args, accumulate, step_ms, losses, peak, gpus, facts, found_versions):
    world = len(gpus)
    tokens = args.micro_batch * args.seq_len * accumulate * world
    line = {
        "kind": PEER_KIND,
        **facts,
        "world": world,
        "micro_batch": args.micro_batch,
        "seq_len": args.seq_len,
        "accumulate": accumulate,
        "layers": facts["layers"],
        "recompute": args.recompute,
        "compile": args.compile,
        "attention": args.attention,
        "clip": args.clip,
        "data": args.data,
        "warmup": args.warmup,
        "tokens_per_step": tokens,
        "tokens_per_s_gpu": tokens / world / (quantile(step_ms, 0.5) / 1e3),
        "step_ms_p5": quantile(step_ms, 0.05),
        "step_ms_p50": quantile(step_ms, 0.5),
        "step_ms_p95": quantile(step_ms, 0.95),
        "peak_gib": peak / 2**30 if peak else None,
        "power_w": None,
        "sm_mhz": None,
        "mj_per_token": None,
        "missing": {},
        "versions": found_versions,
        "loss_first": losses[0],
        "loss_last": losses[-1],
        "step_ms": step_ms,
    }
    reasons = [gpu["missing"] for gpu in gpus if "missing" in gpu]
    if reasons:
        line["missing"] = dict.fromkeys(("power_w", "sm_mhz", "mj_per_token"), reasons[0])
    else:
        joule = sum(gpu["joule"] for gpu in gpus)
        line |= {
            "power_w": sum(gpu["power_w"] for gpu in gpus) / world,
            "sm_mhz": quantile([gpu["sm_mhz"] for gpu in gpus], 0.5),
            "mj_per_token": joule * 1e3 / (tokens * len(step_ms)),
        }
    if line["peak_gib"] is None:
        line["missing"]["peak_gib"] = "the peer did not run on GPUs"
    if args.losses:
        Path(args.losses).write_text("".join(f"{i} {loss!r}\n" for i, loss in enumerate(losses, 1)))
    print(json.dumps(line), flush=True)
