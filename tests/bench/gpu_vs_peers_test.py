"""Rows of gpu_vs_peers.py from made-up output of sxbench, torch.matmul and nvbandwidth."""
import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import canned  # noqa: F401 (puts scripts/bench on the path)
import gpu_vs_peers


def figure(test, shape, metric, median):
    return {"test": test, "shape": shape, "metric": metric, "median": median, "devices": [{}, {}]}


SUMMARY = {"gpu": [{"figures": [
    figure("gemm_bf16", "8192 x 8192 x 8192", "TFLOP/s", 750),
    figure("gemm_bf16", "4096 x 4096 x 4096", "TFLOP/s", 700),
    figure("hbm_copy_sm", "1 GiB", "GB/s", 4200),
    figure("p2p_bidir_read", "512 MiB", "GB/s", 390),
    figure("host_latency", "a load", "us", 1.2),
    figure("hbm_triad", "1 GiB", "GB/s", 4300),
]}]}
TORCH = {"rows": [{"test": "gemm_bf16", "shape": "8192 x 8192 x 8192", "tflops": [740, 760, 750]}]}
NVBANDWIDTH = {"nvbandwidth": {"testcases": [
    {"name": "device_local_copy", "bandwidth_matrix": [["2000.0", "2100.0"]]},
    {"name": "device_to_device_bidirectional_memcpy_read_ce", "bandwidth_matrix": [
        ["N/A", "400"], ["400", "N/A"], ["N/A", "380"], ["380", "N/A"], ["N/A", "780"], ["780", "N/A"]]},
    {"name": "host_device_latency_sm", "bandwidth_matrix": [[1200, 1180]]},
    {"name": "device_to_device_latency_sm", "status": "Waived"},
]}}


class GpuVsPeers(unittest.TestCase):
    def rows(self, torch, nvbandwidth):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder)
            (out / "sxbench" / "latest").mkdir(parents=True)
            (out / "sxbench" / "latest" / "summary.json").write_text(json.dumps(SUMMARY))
            if torch:
                (out / "torch.json").write_text(json.dumps(torch))
            if nvbandwidth:
                (out / "nvbandwidth.json").write_text("nvbandwidth Version: v0.8\n" + json.dumps(nvbandwidth))
            text = io.StringIO()
            with contextlib.redirect_stdout(text):
                gpu_vs_peers.main([folder, "--date", "2026-01-02"])
        lines = text.getvalue().splitlines()
        self.assertEqual(lines[0], "id,shape,ours,peer,unit,ratio,target,runs,date")
        return {line.split(",")[0]: line for line in lines[1:]}

    def test_joins_each_figure_with_its_peer(self):
        rows = self.rows(TORCH, NVBANDWIDTH)
        self.assertEqual(set(rows), {"gpu-gemm-bf16-8192", "gpu-hbm-copy-sm", "gpu-p2p-bidir-read", "gpu-host-latency"})
        self.assertIn(",750,750,TFLOP/s,1.000,", rows["gpu-gemm-bf16-8192"])

    def test_counts_as_we_do(self):
        rows = self.rows(None, NVBANDWIDTH)
        self.assertIn(",4200,4100,GB/s,1.024,", rows["gpu-hbm-copy-sm"])  # theirs counts a byte once
        self.assertIn(",390,400,GB/s,0.975,", rows["gpu-p2p-bidir-read"])  # one direction of three matrices
        self.assertIn(",1.2,1.19,us,0.992,", rows["gpu-host-latency"])  # less is better

    def test_a_peer_that_did_not_run_has_no_rows(self):
        self.assertEqual(self.rows(None, None), {})
        self.assertEqual(set(self.rows(TORCH, None)), {"gpu-gemm-bf16-8192"})

    def test_needs_a_run(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(SystemExit, "no run of sxbench"):
            gpu_vs_peers.main([folder])


if __name__ == "__main__":
    unittest.main()
