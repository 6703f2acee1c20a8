import csv
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import canned
import comparison


class ComparisonTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.peer_file = self.folder / "peer.txt"
        self.peer_file.write_text(canned.peer_output())

    def row(self, ours=(canned.RECORDED,), peer=None):
        return comparison.row(
            "7b-2048", "7B, 8x2048", 1.10, list(ours), peer or [self.peer_file], "raw", "2026-11-21"
        )

    def changed_run(self, change):
        """A copy of the recorded run with `change` applied to its report."""
        run = self.folder / "changed"
        shutil.copytree(canned.RECORDED, run)
        file = run / "reports" / "sft_metrics.json"
        report = json.loads(file.read_text())
        change(report)
        file.write_text(json.dumps(report))
        return run

    def test_quantiles_are_type_7(self):
        self.assertEqual(comparison.quantile([1, 2, 3, 4], 0.5), 2.5)
        self.assertAlmostEqual(comparison.quantile([4, 1, 3, 2], 0.95), 3.85)
        self.assertEqual(comparison.quantile([7], 0.95), 7)

    def test_reads_ours_as_its_own_report_does(self):
        run = comparison.ours(canned.RECORDED)
        figures = json.loads((canned.RECORDED / "reports" / "sft_metrics.json").read_text())["tasks"][0][
            "figures"
        ]
        self.assertEqual(len(run.step_ms), 24)
        self.assertAlmostEqual(comparison.quantile(run.step_ms, 0.95), figures["step_time_ms_p95"])
        self.assertAlmostEqual(run.tokens_per_s, 16384 / figures["step_time_ms_median"] * 1e3)
        self.assertAlmostEqual(run.mj_per_token, figures["energy_mj_per_token"])
        self.assertEqual(run.facts["driver"], "580.159.04")
        self.assertEqual(run.facts["power cap, W"], 700)

    def test_reads_a_peer_among_other_lines(self):
        run = comparison.peer(self.peer_file)
        self.assertAlmostEqual(run.tokens_per_s, 16384 / 1.2)
        self.assertEqual((run.mj_per_token, run.sm_mhz, run.peak_gib), (50.5, 1430, 103.2))

    def test_makes_the_row_of_performance_csv(self):
        second = self.folder / "second.txt"
        second.write_text(canned.peer_output(step_ms=[1260.0] * 3))
        rows = list(csv.reader(io.StringIO(comparison.to_csv([self.row(peer=[self.peer_file, second])]))))
        with open(canned.ROOT / "docs" / "performance.csv") as file:
            self.assertEqual(rows[0], next(csv.reader(file)))
        # Ours 16384 / 1.1525166 s; the peer's median of 13653 and 13003.
        self.assertEqual(
            rows[1],
            [
                "7b-2048",
                "7B, 8x2048",
                "14216",
                "13328",
                "tokens/s/GPU",
                "1.067",
                ">=1.10",
                "raw",
                "2026-11-21",
            ],
        )

    def test_exposed_communication_is_a_share_of_the_measured_steps(self):
        def change(report):
            steps = report["tasks"][0]["steps"]
            steps["exposed_comm_ms"] = [
                500.0 if not m else 0.01 * t
                for m, t in zip(steps["measured"], steps["step_time_ms"], strict=True)
            ]

        self.assertAlmostEqual(comparison.ours(self.changed_run(change)).exposed_pct, 1.0)

    def test_an_unmeasured_figure_is_missing_with_its_reason(self):
        self.peer_file.write_text(canned.peer_output(power_w=None, missing={"power_w": "no NVML"}))
        text = comparison.to_markdown([self.row()])
        self.assertIn("693 / missing |", text)
        self.assertIn("- 7b-2048, peer, power_w: no NVML", text)
        self.assertIn("- 7b-2048, ours, exposed_pct: not among the figures", text)
        for line in text.splitlines():
            self.assertNotIn("|  |", line)
            self.assertNotIn("None", line)

    def test_a_failed_peer_is_named_with_its_last_line(self):
        self.peer_file.write_text("Traceback\ntorch.OutOfMemoryError: CUDA out of memory\n\n")
        row = self.row()
        self.assertIn("its last line: torch.OutOfMemoryError: CUDA out of memory", row.why_missing)
        self.assertIsNone(row.ratio)
        self.assertIn(",14216,missing,tokens/s/GPU,missing,>=1.10,", comparison.to_csv([row]))

    def test_one_failed_run_of_a_side_is_not_hidden_by_the_others(self):
        self.assertIn("does not exist", self.row(peer=[self.peer_file, self.folder / "none.txt"]).why_missing)

    def test_a_failed_or_damaged_run_of_ours_is_an_error(self):
        def fail(report):
            report["tasks"][0]["status"] = "failed"

        self.assertIn("ended as 'failed'", self.row(ours=[self.changed_run(fail)]).why_missing)
        self.assertIn("did not get as far as its report", self.row(ours=[self.folder / "none"]).why_missing)
        damaged = self.folder / "damaged" / "reports"
        damaged.mkdir(parents=True)
        (damaged / "sft_metrics.json").write_text('{"tasks": [')
        self.assertIn("is damaged", self.row(ours=[damaged.parent]).why_missing)

    def test_no_measured_step_is_an_error(self):
        def change(report):
            steps = report["tasks"][0]["steps"]
            steps["measured"] = [False] * len(steps["measured"])

        self.assertIn("no measured step", self.row(ours=[self.changed_run(change)]).why_missing)


if __name__ == "__main__":
    unittest.main()
