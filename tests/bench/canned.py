"""What the tests of scripts/bench share: the scripts on the path, a recorded run of ours, a peer's output."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts" / "bench"
sys.path.insert(0, str(SCRIPTS))

# 24 measured steps of 7B, 8 x 2048 a GPU, on four GPUs.
RECORDED = ROOT / "docs" / "results" / "2026-11-21-4xh200" / "norm-backward" / "gradients-3"


def peer_line(**changes):
    line = {
        "kind": "sxbench-peer",
        "world": 4,
        "tokens_per_step": 65536,
        "step_ms": [1200.0, 1210.0, 1190.0],
        "peak_gib": 103.2,
        "power_w": 690.0,
        "mj_per_token": 50.5,
        "sm_mhz": 1430,
        "missing": {},
        "versions": {"torch": "2.11.0", "nccl": "2.28.9"},
    }
    return json.dumps(line | changes)


def peer_output(**changes):
    """As libraries leave it: their own lines before and after, one of them JSON too."""
    return f'[W1121] a warning\n{{"level": "info"}}\n{peer_line(**changes)}\ndestroying the process group\n'
