"""sxbench nccl beside nccl-tests on the GPUs of this machine: the same collectives and sizes in turn, and one
table of both. See --help and docs/performance.md ("How to repeat it"). Python's standard library only."""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

COLLECTIVES = ["all_reduce", "all_gather", "reduce_scatter", "alltoall", "broadcast", "sendrecv"]
MIB = 1 << 20
# Below 1 MiB latency counts, from there on bandwidth.
LATENCY_BOUND_US = 1.0
BANDWIDTH_BOUND = 0.01

ROW = re.compile(
    r"^\s*(?P<size>\d+)\s+\d+\s+\S+\s+\S+\s+-?\d+\s+(?P<time>[\d.e+]+)\s+[\d.e+]+\s+(?P<busbw>[\d.e+]+)\s+\S+", re.M
)


def parse_nccl_tests(text):
    """{size: [(time_us, busbw) of each cycle]} of the out-of-place columns."""
    found = {}
    for m in ROW.finditer(text):
        if int(m["size"]) > 0:
            found.setdefault(int(m["size"]), []).append((float(m["time"]), float(m["busbw"])))
    return found


def parse_journal(path):
    """{collective: {size: [(time_us, busbw) of each repeat]}} of the out-of-place calls in a run's journal."""
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["kind"] != "collective":
                continue
            data = record["data"]
            call = data["out_of_place"]
            if data["size_bytes"] > 0 and call.get("busbw_gBps") is not None:
                sizes = found.setdefault(data["collective"], {})
                sizes.setdefault(data["size_bytes"], []).append((call["time_us"], call["busbw_gBps"]))
    return found


def spread(values):
    return (max(values) - min(values)) / statistics.median(values)


def compare(name, ours, peer):
    """Rows (size, the medians of both, unit, ratio, met, how far the cycles of each differ) for the sizes of both."""
    rows = []
    for size in sorted(set(ours).intersection(peer)):
        column = 1 if size >= MIB else 0
        mine, theirs = ([cycle[column] for cycle in side[size]] for side in (ours, peer))
        a, b = statistics.median(mine), statistics.median(theirs)
        rows.append(
            {
                "collective": name,
                "size": size,
                "ours": a,
                "peer": b,
                "unit": "GB/s busbw" if size >= MIB else "us",
                "ratio": a / b,
                "met": a >= b * (1 - BANDWIDTH_BOUND) if size >= MIB else a <= b + LATENCY_BOUND_US,
                "our_spread": spread(mine),
                "peer_spread": spread(theirs),
            }
        )
    return rows


def table(rows):
    lines = [
        "| collective | size | ours | nccl-tests | unit | ratio | within the bound | ours differ by | theirs |",
        "| --- | ---: | ---: | ---: | --- | ---: | --- | ---: | ---: |",
    ]
    for r in rows:
        lines.append(
            f"| {r['collective']} | {r['size']} | {r['ours']:.2f} | {r['peer']:.2f} | {r['unit']} | {r['ratio']:.3f} |"
            f" {'yes' if r['met'] else 'no'} | {100 * r['our_spread']:.1f} % | {100 * r['peer_spread']:.1f} % |"
        )
    return "\n".join(lines) + "\n"


def run(command, environment, log):
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.write_text("$ " + " ".join(command) + "\n" + done.stdout, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}\n  --> {log}")
    return done.stdout


def main():
    p = argparse.ArgumentParser(
        description="Runs sxbench nccl and nccl-tests in turn on the GPUs of this machine and compares them: bus "
        "bandwidth from 1 MiB on, latency below."
    )
    p.add_argument("--nccl-tests", required=True, metavar="DIR", help="folder with all_reduce_perf and the others")
    p.add_argument("--sxbench", default="sxbench", help="the command (default: sxbench on PATH)")
    p.add_argument("--cluster", required=True, help="cluster config of one node with the GPUs of this machine")
    p.add_argument("--gpus", type=int, default=4, help="that it has (default 4)")
    p.add_argument("--collectives", default=",".join(COLLECTIVES), help="default: %(default)s")
    p.add_argument("--mode", choices=["plain", "symmetric"], default="plain", help="symmetric: -R 2 on both sides")
    p.add_argument("--maxbytes", default="1G", help="-e of both (default 1G)")
    p.add_argument("--iters", default="50", help="-n of both (default 50)")
    p.add_argument("--cycles", type=int, default=3, help="sweeps of each side, whose medians count (default 3)")
    p.add_argument("--out", required=True, help="folder for raw output and the table")
    a = p.parse_args()
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, NCCL_NVLS_ENABLE="0", NCCL_IB_DISABLE="1")  # as our profile single-host
    names = a.collectives.split(",")
    flags = ["-b", "8", "-e", a.maxbytes, "-f", "2", "-n", a.iters, "-w", "5"]
    if a.mode == "symmetric":
        flags += ["-R", "2"]

    def peer(name):
        program = str(Path(a.nccl_tests) / f"{name}_perf")
        command = [program, *flags, "-t", str(a.gpus), "-g", "1", "-N", str(a.cycles)]
        return parse_nccl_tests(run(command, environment, out / f"{name}-{a.mode}-nccl-tests.txt"))

    peers = {name: peer(name) for name in names}
    folder = out / f"ours-{a.mode}"
    # nccl-tests states the mean over ranks (-a 1); sxbench, left alone, that of the slowest.
    command = [a.sxbench, "nccl", "--cluster", a.cluster, "--collectives", ",".join(names), *flags, "-a", "1"]
    command += ["--repeats", str(a.cycles), "--out", str(folder)]
    run(command, environment, out / f"ours-{a.mode}.log")
    ours = parse_journal(folder / "latest" / "records.jsonl")

    rows = [row for name in names for row in compare(name, ours.get(name, {}), peers[name])]
    if not rows:
        sys.exit("error: no size was measured by both")
    (out / f"table-{a.mode}.md").write_text(table(rows), encoding="utf-8")
    (out / f"rows-{a.mode}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))
    print(f"{sum(r['met'] for r in rows)} of {len(rows)} within the bound")


if __name__ == "__main__":
    main()
