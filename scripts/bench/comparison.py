"""From what both sides left behind to one table: reads runs of sxbench and the JSON lines of peers.

Standard library only. A side that is absent or damaged raises MissingSide with the reason; a single figure
that a side did not measure is written as `missing` and its reason listed, never as an empty cell or zero.
"""

import csv
import io
import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path

PEER_KIND = "sxbench-peer"  # marks a peer's JSON line among what its libraries print
CSV_COLUMNS = ["id", "shape", "ours", "peer", "unit", "ratio", "target", "runs", "date"]
MISSING = "missing"


class MissingSide(Exception):
    """One side of a row has no figures; the text says why and where to look."""


def quantile(values, q):
    """Type 7, as sxbench's own step_time_ms_p5 and p95."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * q
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


@dataclass
class Run:
    """The figures of one run of one side. None: not measured, `reasons` says why."""

    step_ms: list  # timed steps, maximum over ranks
    tokens_per_gpu: float  # of one step
    peak_gib: float | None = None
    predicted_gib: float | None = None
    power_w: float | None = None
    mj_per_token: float | None = None  # both sides: NVML's energy counter over the timed steps
    sm_mhz: float | None = None
    exposed_pct: float | None = None  # communication that no computation hides, of the step
    reasons: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)  # versions, GPU, power cap

    @property
    def tokens_per_s(self):
        return self.tokens_per_gpu / quantile(self.step_ms, 0.5) * 1e3

    @property
    def spread(self):
        return quantile(self.step_ms, 0.95) / quantile(self.step_ms, 0.5)

    @property
    def seconds(self):
        return sum(self.step_ms) / 1e3


def load(path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise MissingSide(f"{path} does not exist: the run did not get as far as its report") from None
    except ValueError as error:
        raise MissingSide(f"{path} is damaged: {error}") from None


def record_data(folder, kind):
    """`data` of the first record of a kind in a journal."""
    try:
        with open(folder / "records.jsonl") as journal:
            for line in journal:
                record = json.loads(line)
                if record.get("kind") == kind:
                    return record["data"]
    except (OSError, ValueError) as error:
        raise MissingSide(f"{folder / 'records.jsonl'}: {error}") from None
    raise MissingSide(f"{folder / 'records.jsonl'} has no record of kind {kind}")


def exposed_pct(steps, timed):
    """Share of the timed steps in which rank 0's compute stream waited for communication, in percent."""
    waits = [steps.get("exposed_comm_ms", [])[i : i + 1] for i in timed]
    if any(wait in ([], [None]) for wait in waits):
        return None
    return sum(wait[0] for wait in waits) / sum(steps["step_time_ms"][i] for i in timed) * 100


def ours(folder):
    """The figures of a run folder of sxbench with one training task."""
    folder = Path(folder)
    report = folder / "reports" / "sft_metrics.json"
    tasks = load(report).get("tasks", [])
    if len(tasks) != 1:
        raise MissingSide(f"{report} has {len(tasks)} training tasks, one is expected")
    task = tasks[0]
    if task["status"] != "ok":
        raise MissingSide(f"the training task in {folder} ended as '{task['status']}': see {folder / 'logs'}")
    steps = task["steps"]
    timed = [i for i, measured in enumerate(steps["measured"]) if measured]
    if not timed:
        raise MissingSide(f"{report} has no measured step: --steps must be above --warmup")
    figures, world = task["figures"], task["training"]["world"]
    node, device, training = record_data(folder, "node"), record_data(folder, "device"), task["training"]
    gpus = node.get("gpus") or [{}]
    clocks = [gpu["sm_mhz_median"] for gpu in task.get("gpus", []) if gpu.get("sm_mhz_median") is not None]
    run = Run(
        step_ms=[steps["step_time_ms"][i] for i in timed],
        tokens_per_gpu=steps["tokens"][timed[0]] / world,
        peak_gib=figures.get("peak_memory_gib"),
        predicted_gib=figures.get("predicted_memory_gib"),
        power_w=figures.get("power_w_mean_per_gpu"),
        mj_per_token=figures.get("energy_mj_per_token"),
        sm_mhz=quantile(clocks, 0.5) if clocks else None,
        exposed_pct=exposed_pct(steps, timed),
    )
    run.facts = {
        "GPU": gpus[0].get("name"),
        "driver": node.get("driver"),
        "power cap, W": gpus[0].get("power_limit_w"),
        "sxbench": node.get("build_id"),
        "libtorch": device.get("torch"),
        "NCCL": device.get("nccl"),
        "cuDNN": device.get("cudnn"),
        "sharding": training.get("sharding"),
        "attention": training.get("attention_kernel"),
        "GEMM": training.get("gemm"),
    }
    for name in ("peak_gib", "predicted_gib", "power_w", "mj_per_token", "sm_mhz", "exposed_pct"):
        if getattr(run, name) is None:
            run.reasons[name] = f"not among the figures of {report}"
    return run


def peer(path):
    """The figures in a peer's output, which holds one JSON line among other lines."""
    path = Path(path)
    if not path.exists():
        raise MissingSide(f"{path} does not exist: the peer was not run")
    text = path.read_text(errors="replace")
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if found.get("kind") == PEER_KIND:
            break
    else:
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "none")
        raise MissingSide(f"{path} has no line of figures: the peer failed; its last line: {last}")
    if not found["step_ms"]:
        raise MissingSide(f"{path} has no timed step")
    run = Run(
        step_ms=found["step_ms"],
        tokens_per_gpu=found["tokens_per_step"] / found["world"],
        peak_gib=found["peak_gib"],
        power_w=found["power_w"],
        mj_per_token=found["mj_per_token"],
        sm_mhz=found["sm_mhz"],
        reasons=dict(found["missing"]),
        facts=found["versions"],
    )
    return run


@dataclass
class Row:
    """One line of the table. `why_missing`: instead of a ratio, what is absent."""

    id: str
    shape: str
    target: float
    ours: list
    peer: list
    runs: str
    date: str
    why_missing: str = ""

    def median(self, side, name):
        """Median over the runs of a side; None where a run lacks the figure."""
        values = [getattr(run, name) for run in getattr(self, side)]
        return statistics.median(values) if values and None not in values else None

    @property
    def ratio(self):
        mine, theirs = self.median("ours", "tokens_per_s"), self.median("peer", "tokens_per_s")
        return mine / theirs if mine and theirs else None


def row(id_, shape, target, ours_runs, peer_outputs, runs, date, peer_left_out="not run"):
    """Reads both sides of a row; what cannot be read, or was left out, becomes its `why_missing`."""
    result = Row(id_, shape, target, [], [], runs, date)
    problems = []
    sides = (
        ("ours", ours_runs, ours, result.ours, "not run"),
        ("peer", peer_outputs, peer, result.peer, peer_left_out),
    )
    for name, paths, read, into, left_out in sides:
        if not paths:
            problems.append(f"{name}: {left_out}")
        for path in paths:
            try:
                into.append(read(path))
            except MissingSide as error:
                problems.append(f"{name}: {error}")
            except KeyError as error:
                problems.append(f"{name}: {path} lacks {error}")
    result.why_missing = "; ".join(problems)
    return result


def cell(value, digits):
    return MISSING if value is None else f"{value:.{digits}f}"


def to_csv(rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for r in rows:
        writer.writerow(
            [
                r.id,
                r.shape,
                cell(r.median("ours", "tokens_per_s"), 0),
                cell(r.median("peer", "tokens_per_s"), 0),
                "tokens/s/GPU",
                cell(r.ratio, 3),
                f">={r.target:.2f}",
                r.runs,
                r.date,
            ]
        )
    return out.getvalue()


def pair(row_, name, digits):
    return f"{cell(row_.median('ours', name), digits)} / {cell(row_.median('peer', name), digits)}"


def table(headings, lines):
    rule = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, rule, *lines)) + "\n"


def to_markdown(rows):
    """Two tables, rates and their price; then versions, what each run gave, and what is missing and why."""
    rates = [
        [
            r.id,
            cell(r.median("ours", "tokens_per_s"), 0),
            cell(r.median("peer", "tokens_per_s"), 0),
            cell(r.ratio, 3),
            f"{r.target:.2f}",
            MISSING if r.ratio is None else "yes" if r.ratio >= r.target else "no",
            pair(r, "spread", 3),
            cell(r.median("ours", "exposed_pct"), 2),
        ]
        for r in rows
    ]
    price = []
    for r in rows:
        peak, predicted = r.median("ours", "peak_gib"), r.median("ours", "predicted_gib")
        off = MISSING if peak is None or predicted is None else f"{(peak / predicted - 1) * 100:+.1f} %"
        price.append(
            [
                r.id,
                pair(r, "mj_per_token", 1),
                pair(r, "power_w", 0),
                pair(r, "sm_mhz", 0),
                pair(r, "peak_gib", 1),
                cell(predicted, 1),
                off,
            ]
        )
    parts = [
        "Ours / peer where a cell has two figures; medians over the runs.\n",
        table(
            [
                "id",
                "ours, tokens/s per GPU",
                "peer, tokens/s per GPU",
                "ratio",
                "target",
                "met",
                "step time p95/p50",
                "exposed communication of ours, % of the step",
            ],
            rates,
        ),
        table(
            [
                "id",
                "mJ per token",
                "W per GPU",
                "SM MHz",
                "peak GiB",
                "planner's prediction GiB",
                "peak off prediction",
            ],
            price,
        ),
    ]
    parts.append("Each run, tokens/s per GPU over seconds of timed steps, in the order of the runs:\n")
    parts.append("\n".join(f"- {r.id}, {r.shape}: {each(r, 'ours')}; {each(r, 'peer')}" for r in rows) + "\n")
    parts.append("Software:\n")
    parts.append("\n".join(dict.fromkeys(line for r in rows for line in software(r))) + "\n")
    absent = missing(rows)
    if absent:
        parts.append("Missing:\n")
        parts.append("\n".join(f"- {line}" for line in absent) + "\n")
    return "\n".join(parts)


def each(row_, side):
    runs = [f"{run.tokens_per_s:.0f} ({run.seconds:.0f} s)" for run in getattr(row_, side)]
    return f"{side} {', '.join(runs) or MISSING}"


def software(row_):
    for side in ("ours", "peer"):
        runs = getattr(row_, side)
        if runs:
            facts = ", ".join(
                f"{name} {value if value not in (None, '') else MISSING}"
                for name, value in runs[-1].facts.items()
            )
            yield f"- {row_.id}, {side}: {facts}"


def missing(rows):
    """Every absence with its reason, one line each."""
    lines = []
    for r in rows:
        if r.why_missing:
            lines.append(f"{r.id}: {r.why_missing}")
        for side in ("ours", "peer"):
            reasons = {}
            for run in getattr(r, side):
                reasons |= run.reasons
            lines += [f"{r.id}, {side}, {name}: {reason}" for name, reason in reasons.items()]
    return lines
