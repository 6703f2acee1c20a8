"""How the head grows with the number of nodes; called by scale.sh, which builds what it needs.

Nodes are processes of tests/e2e/pretended_ssh.cpp in the place of ssh. Prints one line of JSON per figure and a
table at the end; --out keeps both.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GPUS, SAMPLES_PER_TICK, HZ = 8, 10, 10
TICK_S = os.sysconf("SC_CLK_TCK")


def log(row, out):
    out.append(row)
    print(json.dumps(row), flush=True)


def start_and_collect(bench, nodes, connect_ms, fanout, runs):
    """Seconds of both, in turn; each must bring every node's answer."""
    names = f"node[0001-{nodes:04}]"
    env = dict(os.environ, PATH=f"{bench.shims}:{os.environ['PATH']}", SXB_BENCH_CONNECT_MS=str(connect_ms))
    ours, peer, memory = [], [], 0
    for _ in range(runs):
        done = subprocess.run([bench.bin / "sxb_start_many", str(nodes), str(fanout)], env=env, check=True,
                              capture_output=True, text=True)
        seconds, answers, kib = done.stdout.split()
        assert int(answers) == nodes, done
        ours.append(float(seconds))
        memory = max(memory, int(kib))
        began = time.monotonic()
        done = subprocess.run(["pdsh", "-R", "exec", "-f", str(fanout), "-w", names, bench.shims / "ssh", "--", "%h",
                               "hostname"], env=env, check=True, capture_output=True, text=True)
        peer.append(time.monotonic() - began)
        assert len(set(done.stdout.splitlines())) == nodes, done
    return {"what": "start", "nodes": nodes, "connect_ms": connect_ms, "fanout": fanout, "ours_s": ours,
            "pdsh_s": peer, "ours_median_s": statistics.median(ours), "pdsh_median_s": statistics.median(peer),
            "head_mib": round(memory / 1024, 1)}


def write_cluster(path, nodes):
    path.write_text(json.dumps({
        "name": "scale", "transport": "ssh", "device": "cuda", "fanout": 64,
        "nodes": [{"name": f"node{i:04}", "gpus": list(range(GPUS))} for i in range(1, nodes + 1)],
        "rendezvous": {"host": "127.0.0.1"}}))


def head_now(pid):
    """CPU seconds of the process without its children, peak resident MiB."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return (int(stat[11]) + int(stat[12])) / TICK_S, int(peak.group(1)) / 1024 if peak else 0


def ingest(bench, nodes, seconds, folder, paced=True):
    """Unpaced: the samples of `seconds`, sent as fast as the head takes them."""
    cluster = folder / "cluster.json"
    write_cluster(cluster, nodes)
    env = dict(os.environ, PATH=f"{bench.shims}:{os.environ['PATH']}", SXB_BENCH_SECONDS=str(seconds))
    if not paced:
        env["SXB_BENCH_UNPACED"] = "1"
    command = [bench.bin / "sxbench", "run", "--cluster", cluster, "--phases", "sft", "--models", "tiny",
               "--set", "data.dataset=synthetic", "--steps", str(seconds), "--warmup", "1",
               "--out", folder / "results"]
    with open(folder / "head.txt", "w") as said:
        head = subprocess.Popen(command, env=env, stdout=said, stderr=said)
        began, points, peak, first, all_there = time.monotonic(), [], 0, None, None
        while head.poll() is None:
            try:
                cpu, rss = head_now(head.pid)
            except (OSError, IndexError, AttributeError):
                break
            now = time.monotonic() - began
            points.append((now, cpu))
            sending = sum(len(os.listdir(d)) for d in (folder / "results").glob("2*/samples"))
            first = now if first is None and sending > 0 else first
            all_there = now if all_there is None and sending == nodes else all_there
            peak = max(peak, rss)
            time.sleep(0.5)
        code = head.wait()
    run = (folder / "results" / "latest").resolve()
    if code != 0:
        sys.exit(f"the run ended with {code}: {(folder / 'head.txt').read_text()[-2000:]}")
    lines = size = 0
    for path in (run / "samples").iterdir():
        count = subprocess.run(["wc", "-lc", path], capture_output=True, text=True, check=True).stdout.split()
        lines, size = lines + int(count[0]), size + int(count[1])
    late = [int(m.group(1)) for p in (run / "logs").glob("node*.log")
            if (m := re.search(r"at most (\d+) ms late", p.read_text()))]
    if not paced:
        return run, {"what": "flood", "nodes": nodes, "seconds": seconds, "wall_s": round(points[-1][0], 1),
                     "head_cpu_s": points[-1][1], "head_mib": round(peak, 1), "samples_written": lines,
                     "bytes": size, "head_us_per_sample": round(points[-1][1] * 1e6 / lines, 2)}
    # All nodes send from the time that the last one began until the first one has sent everything.
    window = [p for p in points if all_there is not None and all_there <= p[0] <= first + seconds - 1]
    cores = (window[-1][1] - window[0][1]) / (window[-1][0] - window[0][0])
    expected = nodes * seconds * HZ * SAMPLES_PER_TICK
    return run, {"what": "ingest", "nodes": nodes, "seconds": seconds, "wall_s": round(points[-1][0], 1),
                 "head_cores": round(cores, 3), "head_cpu_s": points[-1][1],
                 "window_s": [round(window[0][0], 1), round(window[-1][0], 1)], "head_mib": round(peak, 1),
                 "samples_sent": expected, "samples_written": lines, "bytes": size,
                 "nodes_that_reported": len(late), "latest_ms_max": max(late, default=None),
                 "latest_ms_median": statistics.median(late) if late else None}


def report(bench, run, nodes, runs):
    seconds, peak = [], 0
    for _ in range(runs):
        began = time.monotonic()
        verb = subprocess.Popen([bench.bin / "sxbench", "report", run], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(verb.pid, 0)
        assert status == 0, status
        seconds.append(time.monotonic() - began)
        peak = max(peak, usage.ru_maxrss / 1024)
    return {"what": "report", "nodes": nodes, "seconds": seconds, "median_s": statistics.median(seconds),
            "peak_mib": round(peak, 1)}


def table(rows):
    text = ""
    for kind, columns in (("start", ["nodes", "connect_ms", "fanout", "ours_median_s", "pdsh_median_s", "head_mib"]),
                          ("ingest", ["nodes", "seconds", "head_cores", "head_mib", "samples_sent",
                                      "samples_written", "latest_ms_median", "latest_ms_max"]),
                          ("flood", ["nodes", "seconds", "wall_s", "head_cpu_s", "head_us_per_sample", "head_mib",
                                     "samples_written"]),
                          ("report", ["nodes", "samples", "median_s", "peak_mib"])):
        some = [row for row in rows if row["what"] == kind]
        if not some:
            continue
        text += f"\n{kind}\n" + "".join(f"{c:>20}" for c in columns) + "\n"
        for row in some:
            text += "".join(f"{row.get(c, '-') if not isinstance(row.get(c), float) else round(row[c], 3):>20}"
                            for c in columns) + "\n"
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--nodes", default="64,256,1024")
    parser.add_argument("--fanout", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=60, help="of samples")
    parser.add_argument("--long", type=int, default=0, metavar="SECONDS",
                        help="and the report of so many seconds of the largest cluster, sent without a pause")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parts", default="start,ingest,report")
    args = parser.parse_args()
    parts, rows = args.parts.split(","), []
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sxb-scale-"))
    try:
        args.shims = scratch / "shims"
        args.shims.mkdir()
        (args.shims / "ssh").symlink_to(args.bin / "sxb_pretended_ssh")
        log({"what": "machine", "cpus": os.cpu_count(), "load_1min": os.getloadavg()[0],
             "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
             "open_files": os.sysconf("SC_OPEN_MAX")}, rows)
        for nodes in map(int, args.nodes.split(",")):
            if "start" in parts:
                for connect_ms in (0, 200):
                    log(start_and_collect(args, nodes, connect_ms, args.fanout, args.runs), rows)
            if "ingest" not in parts:
                continue
            folder = scratch / f"nodes{nodes}"
            folder.mkdir()
            run, row = ingest(args, nodes, args.seconds, folder)
            log(row, rows)
            if "report" in parts:
                log({**report(args, run, nodes, 3), "samples": row["samples_written"]}, rows)
            shutil.rmtree(folder)
        if args.long > 0:
            nodes = max(map(int, args.nodes.split(",")))
            run, row = ingest(args, nodes, args.long, scratch, paced=False)
            log(row, rows)
            log({**report(args, run, nodes, 3), "samples": row["samples_written"]}, rows)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    text = table(rows)
    print(text)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("".join(json.dumps(row) + "\n" for row in rows) + text)


if __name__ == "__main__":
    main()
