"""Judges two loss curves of ours and two of a peer: do ours and the peer differ by more than each of them
differs from itself? Called by loss_parity.sh; standard library only.

    python3 scripts/bench/loss_parity.py --ours A/sft_metrics.json A2/sft_metrics.json --peer p.txt p2.txt
"""

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

# |ours - peer| holds the noise of two programs, |peer - peer'| that of one program twice: the same size if
# both compute the same. The factor allows for the noise being a sample of one.
NOISE_FACTOR = 2.0
# Relative difference that rounding alone explains, by precision: of step 1, which is a forward pass over
# equal weights and tokens, and of a curve that is free of noise.
FIRST_STEP = {"fp32": 1e-5, "bf16": 2e-3}
FLOOR = {"fp32": 1e-4, "bf16": 1e-3}


class BadCurve(Exception):
    pass


@dataclass
class Distance:
    mean: float
    largest: float


def ours(path):
    """Losses of step 1, 2, ... from the reports/sft_metrics.json of a run with one training task."""
    tasks = json.loads(Path(path).read_text())["tasks"]
    if len(tasks) != 1 or tasks[0]["status"] != "ok":
        raise BadCurve(
            f"{path}: one training task with status ok is expected, found "
            f"{[task['status'] for task in tasks]}"
        )
    return tasks[0]["steps"]["loss"]


def peer(path):
    """Losses of a peer's --losses file."""
    losses = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        step, loss = line.split()
        if int(step) != number:
            raise BadCurve(f"{path}: line {number} is step {step}")
        losses.append(float(loss))
    return losses


def distance(a, b):
    differences = [abs(x - y) for x, y in zip(a, b, strict=True)]
    return Distance(statistics.fmean(differences), max(differences))


@dataclass
class Verdict:
    between: Distance
    noise_ours: Distance
    noise_peer: Distance
    first_step: float  # relative
    allowed: Distance
    allowed_first: float

    @property
    def ok(self):
        return (
            self.between.mean <= self.allowed.mean
            and self.between.largest <= self.allowed.largest
            and self.first_step <= self.allowed_first
        )


def judge(ours_curves, peer_curves, precision):
    curves = [*ours_curves, *peer_curves]
    if len({len(curve) for curve in curves}) != 1 or not curves[0]:
        raise BadCurve(
            f"the curves have {', '.join(str(len(curve)) for curve in curves)} steps, the same number "
            "is expected"
        )
    noise_ours, noise_peer = distance(*ours_curves), distance(*peer_curves)
    floor = FLOOR[precision] * statistics.fmean(peer_curves[0])
    allowed = Distance(
        max(NOISE_FACTOR * max(noise_ours.mean, noise_peer.mean), floor),
        max(NOISE_FACTOR * max(noise_ours.largest, noise_peer.largest), floor),
    )
    first = abs(ours_curves[0][0] - peer_curves[0][0]) / abs(peer_curves[0][0])
    return Verdict(
        distance(ours_curves[0], peer_curves[0]),
        noise_ours,
        noise_peer,
        first,
        allowed,
        FIRST_STEP[precision],
    )


def text(verdict, ours_curves, peer_curves, precision):
    first, last = ours_curves[0], peer_curves[0]
    lines = [
        f"loss of ours {first[0]:.6f} -> {first[-1]:.6f}, of the peer {last[0]:.6f} -> {last[-1]:.6f}, "
        f"{len(first)} steps, {precision}",
        "",
        f"{'':28}{'mean':>12}{'max':>12}",
    ]
    for name, d in (
        ("|ours - peer|", verdict.between),
        ("noise of ours |ours - ours'|", verdict.noise_ours),
        ("noise of peer |peer - peer'|", verdict.noise_peer),
        ("allowed", verdict.allowed),
    ):
        lines.append(f"{name:28}{d.mean:12.3e}{d.largest:12.3e}")
    lines += [
        "",
        f"step 1, relative: {verdict.first_step:.3e}, allowed {verdict.allowed_first:.0e}",
        "",
        "ours' and peer' split each batch into two micro-steps (on GPUs peer' is compiled too): the same",
        "weights, tokens and mathematics, rounded elsewhere. PASS: mean and max of |ours - peer| are at most",
        f"{NOISE_FACTOR:g} times the larger noise or, if more, {FLOOR[precision]:.0e} of the loss, and step 1",
        "agrees.",
        "",
        "PASS" if verdict.ok else "FAIL",
    ]
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--ours", nargs=2, required=True, help="sft_metrics.json of two runs")
    p.add_argument("--peer", nargs=2, required=True, help="--losses files of two runs")
    p.add_argument("--precision", choices=FLOOR, default="bf16")
    args = p.parse_args()
    try:
        ours_curves, peer_curves = [ours(f) for f in args.ours], [peer(f) for f in args.peer]
        verdict = judge(ours_curves, peer_curves, args.precision)
    except (BadCurve, OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
    print(text(verdict, ours_curves, peer_curves, args.precision))
    sys.exit(0 if verdict.ok else 1)


if __name__ == "__main__":
    main()
