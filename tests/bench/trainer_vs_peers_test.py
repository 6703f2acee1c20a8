"""The whole script against pretended commands: nvidia-smi, sxbench and the peers' Python are small scripts
that leave behind what the real ones do."""

import csv
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import canned
import trainer_vs_peers

NVIDIA_SMI = """import sys
for i in range({gpus}): print(f"GPU {{i}}: NVIDIA H200 (UUID: GPU-{{i}})")
"""
# Takes part in the order of the runs, and leaves a copy of a recorded run (28 s of measured steps).
SXBENCH = """import os, shutil, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index("--out") + 1])
open(os.environ["CALLS"], "a").write("ours " + " ".join(sys.argv[1:]) + chr(10))
shutil.copytree({recorded!r}, out / "run")
(out / "latest").symlink_to("run")
"""
PYTHON = """import os, sys
if sys.argv[1] == "-c":
    if {lacks!r} and {lacks!r} in sys.argv[2]: sys.exit("ModuleNotFoundError: No module named '{lacks}'")
    sys.exit(0)
call = ["peer", os.environ.get("NCCL_NVLS_ENABLE", "-"), *sys.argv[1:]]
open(os.environ["CALLS"], "a").write(" ".join(call) + chr(10))
print({output!r})
"""


class TrainerVsPeersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def pretend(self, name, code):
        file = self.folder / name
        file.write_text(f"#!{sys.executable} -IS\n{code}")  # -IS starts in half the time
        file.chmod(0o755)
        return file

    def run_script(self, *options, gpus=4, lacks="", output=None):
        self.pretend("nvidia-smi", NVIDIA_SMI.format(gpus=gpus))
        sxbench = self.pretend("sxbench", SXBENCH.format(recorded=str(canned.RECORDED)))
        python = self.pretend("python", PYTHON.format(lacks=lacks, output=output or canned.peer_output()))
        env = dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}", CALLS=str(self.folder / "calls"))
        env.pop("NCCL_NVLS_ENABLE", None)
        return subprocess.run(
            [
                canned.SCRIPTS / "trainer_vs_peers.sh",
                "--sxbench",
                sxbench,
                "--python",
                python,
                "--out",
                self.out,
                "--seconds",
                "20",
                *options,
            ],
            capture_output=True,
            text=True,
            env=env,
        )

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def summary(self):
        with open(self.out / "summary.csv") as file:
            return {row["id"]: row for row in csv.DictReader(file)}

    def test_sides_alternate_and_rows_with_the_same_run_of_ours_share_it(self):
        done = self.run_script("--only", "7b-guide,7b-2048")
        self.assertEqual(done.returncode, 0, done.stderr)
        sides = [
            call.split()[0] if call.startswith("ours") else "fsdp2" if "fsdp2.py" in call else "deepspeed"
            for call in self.calls()
        ]
        self.assertEqual(sides, ["ours", "fsdp2", "deepspeed", "ours", "fsdp2", "deepspeed"])
        self.assertEqual(list(self.summary()), ["7b-2048", "7b-guide"])
        self.assertEqual(self.summary()["7b-2048"]["ratio"], "1.041")
        self.assertIn("| 7b-2048 |", (self.out / "summary.md").read_text())
        # What our run recorded of NCCL's variables holds for the peer too.
        self.assertTrue(all(call.startswith("peer 0 ") for call in self.calls() if call.startswith("peer")))

    def test_one_round_ends_with_ours(self):
        self.run_script("--only", "7b-4096", "--rounds", "1")
        self.assertEqual([call[:4] for call in self.calls()], ["ours", "peer", "ours"])

    def test_a_run_shorter_than_asked_is_repeated_with_the_measured_rate(self):
        self.run_script("--only", "7b-2048", "--rounds", "1", "--seconds", "200")
        steps = [
            int(call.split("--steps ")[1].split()[0]) for call in self.calls() if call.startswith("ours")
        ]
        self.assertEqual(len(steps), 4)  # twice each, then given up
        self.assertGreater(steps[1], 200 / 1.16)

    def test_a_missing_package_is_said_in_the_row_and_the_others_run(self):
        done = self.run_script("--only", "7b-guide,7b-2048", lacks="deepspeed")
        self.assertEqual(done.returncode, 1)
        self.assertIn("7b-guide has no full comparison: peer: ", done.stderr)
        self.assertIn("No module named 'deepspeed'", (self.out / "summary.md").read_text())
        self.assertEqual(self.summary()["7b-guide"]["peer"], "missing")
        self.assertEqual(self.summary()["7b-2048"]["ratio"], "1.041")

    def test_a_peer_that_fails_is_an_error_with_its_last_line(self):
        done = self.run_script("--only", "7b-2048", output="torch.OutOfMemoryError: no room")
        self.assertEqual(done.returncode, 1)
        self.assertIn("torch.OutOfMemoryError: no room", done.stderr)
        self.assertEqual(self.summary()["7b-2048"]["ratio"], "missing")

    def test_one_gpu_runs_only_the_row_for_one(self):
        done = self.run_script(gpus=1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(self.summary()), ["7b-8l-1gpu"])
        self.assertIn("left out: 7b-2048 needs 4 GPUs, this machine has 1", done.stderr)
        self.assertIn("--set arch.layers=8", self.calls()[0])
        refused = self.run_script("--only", "13b-2048", gpus=1)
        self.assertEqual(refused.returncode, 4)
        self.assertIn("13b-2048 needs 4 GPUs", refused.stderr)

    def test_wrong_usage(self):
        self.assertIn("--only names no row: 8b", self.run_script("--only", "8b").stderr)
        self.out.mkdir()
        (self.out / "old").write_text("")
        self.assertIn("is not empty", self.run_script("--only", "7b-2048").stderr)

    def test_arguments_after_two_dashes_go_to_sxbench(self):
        self.run_script("--only", "7b-2048", "--rounds", "1", "--", "--set", "training.reduce_precision=fp32")
        self.assertIn("training.reduce_precision=fp32", self.calls()[0])

    def test_steps_cover_the_seconds(self):
        warmup, steps = trainer_vs_peers.steps_for(60, 8, tokens=16384, rate=16384)
        self.assertEqual(warmup, 8)
        self.assertGreaterEqual(steps - warmup, 60)


if __name__ == "__main__":
    unittest.main()
