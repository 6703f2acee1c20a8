"""Runs sxbench and its peers in turn on this machine's GPUs and writes one table of both.
Called by trainer_vs_peers.sh; standard library only, the peers run under --python."""

import argparse
import datetime
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import comparison
from rows import ROWS, Ours

HERE = Path(__file__).resolve().parent
EXIT_USAGE, EXIT_FAILED, EXIT_ENVIRONMENT = 2, 1, 4


def say(text):
    print(text, file=sys.stderr, flush=True)


def fail(what, help_, code=EXIT_ENVIRONMENT):
    say(f"error: {what}\nhelp: {help_}")
    sys.exit(code)


def parse(argv):
    p = argparse.ArgumentParser(
        prog="scripts/bench/trainer_vs_peers.sh",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Trains the same shapes with sxbench and its strongest peers in turn; makes one table.",
        epilog="Arguments after -- go to `sxbench run`, e.g. -- --set optimizer.grad_clip=0.\n\nrows:\n"
        + "\n".join(f"  {r.id:12} {r.shape}, target {r.target:.2f}" for r in ROWS),
    )
    p.add_argument(
        "--only", metavar="ID[,ID]", help="these rows (default: all that this machine has the GPUs for)"
    )
    p.add_argument("--sxbench", default="sxbench", help="the command (default: sxbench on PATH)")
    p.add_argument(
        "--python", default=sys.executable, help="Python with torch and transformers, for the peers"
    )
    p.add_argument("--seconds", type=float, default=60, help="timed steps of each run (default 60)")
    p.add_argument(
        "--warmup-seconds", type=float, default=8, help="steps before them that heat up (default 8)"
    )
    p.add_argument(
        "--rounds",
        type=int,
        default=2,
        help="how often each side runs, in turn (default 2); 1: ours, peer, ours",
    )
    p.add_argument(
        "--once", action="store_true", help="each side once: the shortest, and no drift shows"
    )
    p.add_argument("--out", default="trainer-vs-peers", help="folder for raw output and the table")
    split = argv.index("--") if "--" in argv else len(argv)
    args = p.parse_args(argv[:split])
    args.extra = argv[split + 1 :]
    return args


def schedule(rounds, peers, once=False):
    """Order of the runs of one model of ours and its peers: ours first each round; with one round ours also
    last, so that a drift of the machine shows, unless time allows each side only `once`."""
    order = [side for _ in range(1 if once else rounds) for side in ("ours", *peers)]
    return order + ["ours"] if rounds == 1 and not once else order


def steps_for(seconds, warmup_seconds, tokens, rate):
    """(warm-up steps, all steps) for so many seconds at `rate` tokens/s per GPU."""
    step = tokens / rate
    warmup = max(5, math.ceil(warmup_seconds / step))
    return warmup, warmup + math.ceil(seconds / step) + 1


def select(only, gpus):
    if only is None:
        for r in ROWS:
            if r.ours.gpus > gpus:
                say(f"left out: {r.id} needs {r.ours.gpus} GPUs, this machine has {gpus}")
        return [r for r in ROWS if r.ours.gpus <= gpus]
    ids = only.split(",")
    unknown = [i for i in ids if i not in [r.id for r in ROWS]]
    if unknown:
        fail(
            f"--only names no row: {', '.join(unknown)}",
            f"rows are {', '.join(r.id for r in ROWS)}",
            EXIT_USAGE,
        )
    chosen = [r for r in ROWS if r.id in ids]
    for r in chosen:
        if r.ours.gpus > gpus:
            fail(f"{r.id} needs {r.ours.gpus} GPUs, this machine has {gpus}", "leave it out of --only")
    return chosen


def count_gpus():
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"nvidia-smi -L: {error}", "this script needs a machine with NVIDIA GPUs and their driver")
    return sum(line.startswith("GPU ") for line in listed.splitlines())


def lacking(python, packages):
    """Why a peer cannot run under this Python, or ''."""
    for package in ("torch", "transformers", *packages):
        done = subprocess.run([python, "-c", f"import {package}"], capture_output=True, text=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return f"{python} cannot import {package}: {last}"
    return ""


def logged(command, log, env=None):
    """Runs a command with all its output in `log`; its exit code."""
    say("  " + " ".join(map(str, command)))
    with open(log, "w") as out:
        return subprocess.run(
            list(map(str, command)), stdout=out, stderr=subprocess.STDOUT, env=env
        ).returncode


@dataclass
class Session:
    """Everything one model of ours and its peers leave behind while they run in turn."""

    args: argparse.Namespace
    ours: Ours
    folder: Path
    rate: float = 0
    runs: list = field(default_factory=list)  # run folders of ours
    outputs: dict = field(default_factory=dict)  # row id → outputs of its peer
    reasons: dict = field(default_factory=dict)  # row id → why its peer did not run

    def cluster_file(self):
        file = self.folder / "cluster.json"
        cluster = {
            "name": f"this-{self.ours.gpus}",
            "transport": "local",
            "device": "cuda",
            "nodes": [{"name": "node1", "gpus": list(range(self.ours.gpus))}],
            "network": {"fabric": "none"},
            "nccl_profile": "single-host",
        }
        file.write_text(json.dumps(cluster, indent=2) + "\n")
        return file

    def run_ours(self, number):
        """One run of ours; repeated once if it turned out shorter than asked."""
        for attempt in ("", "-again"):
            warmup, steps = steps_for(
                self.args.seconds, self.args.warmup_seconds, self.ours.tokens, self.rate or self.ours.estimate
            )
            out = self.folder / f"ours-{number}{attempt}"
            layers = ["--set", f"arch.layers={self.ours.layers}"] if self.ours.layers else []
            sharding = "none" if self.ours.gpus == 1 else "gradients"
            logged(
                [
                    self.args.sxbench,
                    "run",
                    "--cluster",
                    self.cluster_file(),
                    "--models",
                    self.ours.model,
                    "--nodes",
                    "1",
                    "--phases",
                    "sft,report",
                    "--steps",
                    steps,
                    "--warmup",
                    warmup,
                    "--micro-batch",
                    self.ours.micro_batch,
                    "--set",
                    f"training.seq_len={self.ours.seq_len}",
                    "--set",
                    "training.grad_accumulation=1",
                    "--set",
                    f"training.sharding={sharding}",
                    "--set",
                    "training.recompute=none",
                    "--set",
                    "data.dataset=synthetic",
                    *layers,
                    *self.args.extra,
                    "--out",
                    out,
                    "--name",
                    self.ours.name,
                ],
                self.folder / f"ours-{number}{attempt}.log",
            )
            run = (out / "latest").resolve()
            try:
                figures = comparison.ours(run)
            except comparison.MissingSide as error:
                say(f"  ours failed: {error}")
                break
            self.rate = figures.tokens_per_s
            say(f"  ours: {figures.tokens_per_s:.0f} tokens/s per GPU over {figures.seconds:.0f} s")
            if figures.seconds >= self.args.seconds:
                break
        self.runs.append(run)

    def peer_environment(self):
        """The NCCL variables that our run recorded, so that both sides stand on the same fabric."""
        env = dict(os.environ)
        try:
            env |= comparison.record_data(self.runs[0], "run").get("nccl_env") or {}
        except (comparison.MissingSide, IndexError):
            pass  # ours failed and its row will say so
        return env

    def run_peer(self, row, number):
        warmup, _ = steps_for(
            self.args.seconds, self.args.warmup_seconds, self.ours.tokens, self.rate or self.ours.estimate
        )
        log = self.folder / f"{row.id}-{row.script}-{number}.txt"
        layers = ["--layers", self.ours.layers] if self.ours.layers else []
        logged(
            [
                self.args.python,
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc-per-node",
                self.ours.gpus,
                HERE / f"{row.script}.py",
                "--model",
                self.ours.model,
                *layers,
                "--micro-batch",
                self.ours.micro_batch,
                "--seq-len",
                self.ours.seq_len,
                "--warmup",
                warmup,
                "--seconds",
                self.args.seconds,
                *row.settings,
            ],
            log,
            self.peer_environment(),
        )
        self.outputs.setdefault(row.id, []).append(log)
        try:
            figures = comparison.peer(log)
            say(f"  {row.script}: {figures.tokens_per_s:.0f} tokens/s per GPU over {figures.seconds:.0f} s")
        except comparison.MissingSide as error:
            say(f"  {row.script} failed: {error}")

    def run_all(self, rows):
        runnable = {}
        for row in rows:
            reason = lacking(self.args.python, row.needs)
            if reason:
                self.reasons[row.id] = reason
                say(f"  {row.id}: its peer is left out: {reason}")
            else:
                runnable[row.id] = row
        counts = {}
        for side in schedule(self.args.rounds, list(runnable), self.args.once):
            counts[side] = counts.get(side, 0) + 1
            if side == "ours":
                self.run_ours(counts[side])
            else:
                self.run_peer(runnable[side], counts[side])

    def rows(self, comparisons, date):
        for c in comparisons:
            yield comparison.row(
                *(c.id, c.shape, c.target, self.runs, self.outputs.get(c.id, []), str(self.folder), date),
                peer_left_out=self.reasons.get(c.id, "not run"),
            )


def write_tables(rows, out):
    ordered = sorted(rows, key=lambda r: [c.id for c in ROWS].index(r.id))
    (out / "summary.csv").write_text(comparison.to_csv(ordered))
    (out / "summary.md").write_text(comparison.to_markdown(ordered))


def main(argv):
    args = parse(argv)
    if shutil.which(args.sxbench) is None:
        fail(
            f"'{args.sxbench}' is not a command",
            "build sxbench and name it: --sxbench build/release/bin/sxbench",
        )
    if shutil.which(args.python) is None:
        fail(
            f"'{args.python}' is not a command",
            "name a Python that has torch and transformers: --python PATH",
        )
    chosen = select(args.only, count_gpus())
    if not chosen:
        fail("no row can run here", "see --help for what each row needs")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        fail(
            f"{out} is not empty", "give a new folder with --out: raw runs are never overwritten", EXIT_USAGE
        )
    date = datetime.date.today().isoformat()
    rows = []
    for ours in dict.fromkeys(c.ours for c in chosen):
        group = [c for c in chosen if c.ours == ours]  # rows with the same run of ours share it
        session = Session(args, ours, out / ours.name)
        session.folder.mkdir()
        say(f"{', '.join(c.id for c in group)}: {session.ours.name}")
        session.run_all(group)
        rows += session.rows(group, date)
        write_tables(rows, out)  # after each group: a run cut short leaves what it has
    print((out / "summary.md").read_text())
    absent = [r for r in rows if r.why_missing]
    for r in absent:
        say(f"error: {r.id} has no full comparison: {r.why_missing}")
    return EXIT_FAILED if absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
