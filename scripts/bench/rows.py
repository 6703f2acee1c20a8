"""The rows of the comparison: what sxbench trains, and the peer with its best settings for that shape."""

from dataclasses import dataclass

FSDP2 = ("--compile", "--attention", "cudnn", "--reduce", "bf16", "--keep-parameters")


@dataclass(frozen=True)
class Ours:
    """What sxbench trains. `estimate`: tokens/s per H200, only to choose the steps of the first run."""

    model: str
    micro_batch: int
    seq_len: int
    gpus: int
    estimate: float
    layers: int = 0

    @property
    def name(self):
        layers = f"-{self.layers}l" if self.layers else ""
        return f"{self.model}{layers}-{self.micro_batch}x{self.seq_len}-{self.gpus}gpu"

    @property
    def tokens(self):
        return self.micro_batch * self.seq_len


@dataclass(frozen=True)
class Comparison:
    """One row: what ours trains, and the peer with the settings that are its best for this shape."""

    id: str
    ours: Ours
    target: float
    script: str
    settings: tuple
    against: str
    needs: tuple = ()  # Python packages

    @property
    def shape(self):
        o = self.ours
        layers = f", {o.layers} layers" if o.layers else ""
        gpus = "1 GPU" if o.gpus == 1 else f"{o.gpus} GPUs, ZeRO-2"
        size = f"{o.micro_batch}x{o.seq_len}"
        return f"{o.model.upper()} shape{layers}, BF16, {size}, {gpus}, against {self.against}"


SEVEN_B = Ours("7b", 8, 2048, 4, 15000)
BEST = "FSDP2 ZeRO-2 + compile + cuDNN attention"
ROWS = [
    Comparison("7b-2048", SEVEN_B, 1.10, "fsdp2", FSDP2, BEST),
    Comparison("7b-4096", Ours("7b", 4, 4096, 4, 14600), 1.10, "fsdp2", FSDP2, BEST),
    Comparison("13b-2048", Ours("13b", 4, 2048, 4, 7800), 1.10, "fsdp2", FSDP2, BEST),
    Comparison(
        "70b-20l",
        Ours("70b", 1, 4096, 4, 5600, layers=20),
        1.12,
        "fsdp2",
        ("--compile", "--liger", "--reduce", "bf16", "--keep-parameters"),
        "FSDP2 ZeRO-2 + compile + Liger",
        needs=("liger_kernel",),
    ),
    Comparison(
        "7b-8l-1gpu",
        Ours("7b", 8, 2048, 1, 56000, layers=8),
        1.08,
        "fsdp2",
        FSDP2,
        "compile + cuDNN attention",
    ),
    Comparison(
        "7b-guide",
        SEVEN_B,
        1.75,
        "deepspeed_zero2",
        ("--recompute",),
        "DeepSpeed ZeRO-2 + gradient checkpointing",
        needs=("deepspeed",),
    ),
]
