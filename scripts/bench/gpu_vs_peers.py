"""Joins the figures of sxbench, torch.matmul and nvbandwidth in a folder to rows of docs/performance.csv.

    gpu_vs_peers.py DIR [--date YYYY-MM-DD]

DIR holds sxbench/latest/summary.json, and torch.json and nvbandwidth.json where those ran (gpu_vs_peers.sh).
"""
import argparse
import csv
import datetime
import json
import pathlib
import statistics
import sys

# Figure of sxbench -> testcase of nvbandwidth, and what one unit of theirs is in ours.
COPIES = {
    "h2d": ("host_to_device_memcpy_ce", 1),
    "d2h": ("device_to_host_memcpy_ce", 1),
    "h2d_bidir": ("host_to_device_bidirectional_memcpy_ce", 1),
    "d2h_bidir": ("device_to_host_bidirectional_memcpy_ce", 1),
    "p2p_read": ("device_to_device_memcpy_read_ce", 1),
    "p2p_write": ("device_to_device_memcpy_write_ce", 1),
    "p2p_bidir_read": ("device_to_device_bidirectional_memcpy_read_ce", 1),
    "p2p_bidir_write": ("device_to_device_bidirectional_memcpy_write_ce", 1),
    # Theirs counts each byte once, ours the read and the write.
    "hbm_copy_sm": ("device_local_copy", 2),
    "hbm_copy_ce": ("device_local_copy", 2),
    # Theirs in ns.
    "host_latency": ("host_device_latency_sm", 1e-3),
    "p2p_latency": ("device_to_device_latency_sm", 1e-3),
}


def load(path):
    """The JSON document of a file; lines before it (nvbandwidth prints its version there) are left out."""
    if not path.exists():
        return None
    text = path.read_text()
    return json.loads(text[text.index("{"):])


def nvbandwidth_medians(document):
    """Testcase -> median over the cells of its matrix."""
    medians = {}
    for case in document.get("nvbandwidth", document)["testcases"]:
        matrix = case.get("bandwidth_matrix", [])
        # Pairs in both directions have three matrices below one another: one way, the other, the sum.
        if "device_to_device_bidirectional" in case["name"]:
            matrix = matrix[: len(matrix) // 3]
        cells = [float(cell) for row in matrix for cell in row if cell not in ("N/A", "")]
        if cells:
            medians[case["name"]] = statistics.median(cells)
    return medians


def rows(summary, torch, nvbandwidth, runs, date):
    matmul = {(row["test"], row["shape"]): statistics.median(row["tflops"]) for row in torch["rows"]} if torch else {}
    copies = nvbandwidth_medians(nvbandwidth) if nvbandwidth else {}
    for figure in (figure for group in summary["gpu"] for figure in group["figures"]):
        test, shape, ours = figure["test"], figure["shape"], figure["median"]
        peer, name = matmul.get((test, shape)), "torch.matmul"
        if test in COPIES and COPIES[test][0] in copies:
            case, factor = COPIES[test]
            peer, name = copies[case] * factor, f"nvbandwidth {case}"
        if peer is None:
            continue
        latency = figure["metric"] == "us"
        ident = "gpu-" + test.replace("_", "-") + ("-" + shape.split(" ")[0] if test.startswith("gemm_") else "")
        ratio = peer / ours if latency else ours / peer
        text = f"{shape}, median of {len(figure['devices'])}, against {name}" + (" (peer / ours)" if latency else "")
        yield [ident, text, f"{ours:.5g}", f"{peer:.5g}", figure["metric"], f"{ratio:.3f}", ">=0.99", runs, date]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    options = parser.parse_args(arguments)
    summary = load(options.dir / "sxbench" / "latest" / "summary.json")
    if summary is None:
        sys.exit(f"error: {options.dir} holds no run of sxbench\nhelp: gpu_vs_peers.sh makes one")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id", "shape", "ours", "peer", "unit", "ratio", "target", "runs", "date"])
    writer.writerows(rows(summary, load(options.dir / "torch.json"), load(options.dir / "nvbandwidth.json"),
                          options.dir.as_posix(), options.date))


if __name__ == "__main__":
    main(sys.argv[1:])
