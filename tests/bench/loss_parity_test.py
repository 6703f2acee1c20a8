import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import canned
import loss_parity

CURVE = [10.0, 9.0, 8.0, 7.0]


def shifted(by, first=0.0):
    return [CURVE[0] + first] + [loss + by for loss in CURVE[1:]]


class LossParityTest(unittest.TestCase):
    def test_a_difference_within_the_noise_passes(self):
        self.assertTrue(loss_parity.judge([CURVE, shifted(0.03)], [shifted(0.05), shifted(0.09)], "bf16").ok)

    def test_a_difference_above_the_noise_fails(self):
        verdict = loss_parity.judge([CURVE, shifted(0.03)], [shifted(0.1), shifted(0.13)], "bf16")
        self.assertFalse(verdict.ok)
        self.assertAlmostEqual(verdict.between.largest, 0.1)
        self.assertIn("FAIL", loss_parity.text(verdict, [CURVE], [CURVE], "bf16"))

    def test_one_outlier_fails_though_the_mean_passes(self):
        peer = shifted(0.0)
        peer[3] += 0.2
        noisy = [c + 0.05 for c in CURVE]
        noisy[0] = CURVE[0]
        self.assertFalse(loss_parity.judge([CURVE, noisy], [peer, peer], "bf16").ok)

    def test_step_one_must_agree_whatever_the_noise(self):
        self.assertFalse(
            loss_parity.judge([CURVE, shifted(3)], [shifted(0, first=0.1), shifted(3)], "bf16").ok
        )

    def test_without_noise_rounding_decides(self):
        near, far = [c * (1 + 5e-5) for c in CURVE], [c * (1 + 5e-4) for c in CURVE]
        near[0] = far[0] = CURVE[0]
        self.assertTrue(loss_parity.judge([CURVE, CURVE], [near, near], "fp32").ok)
        self.assertFalse(loss_parity.judge([CURVE, CURVE], [far, far], "fp32").ok)

    def test_curves_of_other_lengths_are_refused(self):
        with self.assertRaises(loss_parity.BadCurve):
            loss_parity.judge([CURVE, CURVE], [CURVE, CURVE[:3]], "bf16")

    def test_command_reads_a_recorded_run_and_reports_a_lost_step(self):
        report = canned.RECORDED / "reports" / "sft_metrics.json"
        losses = loss_parity.ours(report)
        self.assertEqual(len(losses), 30)
        with tempfile.TemporaryDirectory() as folder:
            good, bad = Path(folder) / "good", Path(folder) / "bad"
            good.write_text("".join(f"{i} {loss!r}\n" for i, loss in enumerate(losses, 1)))
            bad.write_text("".join(f"{i} {loss!r}\n" for i, loss in enumerate(losses, 1) if i != 4))
            command = [
                sys.executable,
                "-B",
                canned.SCRIPTS / "loss_parity.py",
                "--ours",
                report,
                report,
                "--peer",
                good,
            ]
            passed = subprocess.run([*command, good], capture_output=True, text=True)
            self.assertEqual((passed.returncode, passed.stdout.splitlines()[-1]), (0, "PASS"))
            lost = subprocess.run([*command, bad], capture_output=True, text=True)
            self.assertNotEqual(lost.returncode, 0)
            self.assertIn("line 4 is step 5", lost.stderr)


if __name__ == "__main__":
    unittest.main()
