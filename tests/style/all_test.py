"""scripts/test.sh --ci and --all with pretended tools: what it prints last and its exit code are what CI judges by."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TOOLS = {
    "scripts/setup.sh": "exit ${SETUP:-0}",
    "scripts/lint.sh": 'echo "2 passed, ${LINT:-0} failed"; [ "${LINT:-0}" = 0 ]',
    "bin/cmake": 'case "$*" in *--version*) echo "cmake version 3.25.1" ;; --build*tsan*) exit ${TSAN_BUILD:-0} ;; esac',
    "bin/ctest": 'case "$*" in *asan*) n=${ASAN:-0} ;; *) n=0 ;; esac\n'
                 '[ -z "${NONE:-}" ] || { echo "No tests were found!!!"; exit 8; }\n'
                 'while [ $# -gt 0 ]; do [ "$1" != --output-junit ] || printf "%s" "${JUNIT:-<a/>}" > "$2"; shift; done\n'
                 'echo "99% tests passed, $n tests failed out of 10"; [ $n = 0 ]',
    "bin/ninja": "",
    "bin/nvidia-smi": "exit 1",
}


class All(unittest.TestCase):
    def call(self, *arguments, **environment):
        with tempfile.TemporaryDirectory() as folder:
            repo = pathlib.Path(folder)
            shutil.copytree(SOURCE / "scripts", repo / "scripts")
            shutil.copytree(SOURCE / ".ci", repo / ".ci")
            for name, text in TOOLS.items():
                tool = repo / name
                tool.parent.mkdir(exist_ok=True)
                tool.write_text(f"#!/bin/sh\n{text}\n")
                tool.chmod(0o755)
            run = subprocess.run([repo / arguments[0], *arguments[1:]], capture_output=True, text=True,
                                 env={**os.environ, "PATH": f"{repo}/bin:{os.environ['PATH']}", **environment})
        lines = run.stdout.splitlines()
        return run.returncode, lines[-1] if lines else "", run.stdout

    def test_everything_passes(self):
        status, last, output = self.call("scripts/test.sh", "--all")
        self.assertEqual((status, last), (0, "34 passed, 0 failed"))  # three times ctest, twice lint
        for part in ("set-up", "lint", "release build", "release tests", "lint, compiled", "asan tests", "tsan tests"):
            self.assertRegex(output, rf"(?m)^{part} +0\.\d min  ok$")

    def test_a_failed_test_is_counted(self):
        status, last, output = self.call("scripts/test.sh", "--all", ASAN="3")
        self.assertEqual((status, last), (1, "31 passed, 3 failed"))
        self.assertRegex(output, r"(?m)^asan tests .*FAILED$")
        self.assertRegex(output, r"(?m)^tsan tests .*ok$")

    def test_a_failed_step_counts_and_its_tests_do_not_run(self):
        status, last, output = self.call("scripts/test.sh", "--all", TSAN_BUILD="1")
        self.assertEqual((status, last), (1, "24 passed, 1 failed"))
        self.assertNotIn("tsan tests", output)

    def test_failed_lint_and_set_up_count(self):
        self.assertEqual(self.call(".ci/run", LINT="1")[:2], (1, "12 passed, 1 failed"))
        self.assertEqual(self.call(".ci/run", SETUP="4")[0], 1)

    def test_ci_is_lint_and_release(self):
        status, last, output = self.call(".ci/run", ASAN="3")
        self.assertEqual((status, last), (0, "12 passed, 0 failed"))
        for part in ("set-up", "lint", "release build", "release tests"):
            self.assertRegex(output, rf"(?m)^{part} +0\.\d min  ok$")
        self.assertNotIn("asan", output)

    def test_no_tests_is_a_failure(self):
        self.assertEqual(self.call(".ci/run", NONE="1")[0], 1)

    def test_one_preset_ends_with_the_summary_of_ctest(self):
        status, last, _ = self.call("scripts/test.sh", "--preset", "asan", "-R", "x", ASAN="2")
        self.assertEqual((status, last), (1, "99% tests passed, 2 tests failed out of 10"))

    def test_what_was_skipped_ends_the_run(self):
        skipped = {"Deploy.x": "a.cpp:1: Skipped\nrsync is not installed\n\n[  SKIPPED ] Deploy.x (0 ms)",
                   "Deploy.y": "a.cpp:1: Skipped\nrsync is not installed\n\n[  SKIPPED ] Deploy.y (0 ms)",
                   "Gpu.x": "b.cpp:1: Skipped\nneeds four GPUs, this machine has 0\n\n[  SKIPPED ] Gpu.x (0 ms)",
                   "Style.lint": "Ran 3 tests in 1 s\n\nOK (skipped=2)"}
        junit = lambda *names: "<testsuite><testcase name='ok' status='run'><system-out/></testcase>" + "".join(
            f"<testcase name='{name}' status='notrun'><skipped message='SKIP_REGULAR_EXPRESSION_MATCHED'/><system-out>"
            f"{skipped[name]}</system-out></testcase>" for name in names) + "</testsuite>"
        status, last, output = self.call("scripts/test.sh", JUNIT=junit(*skipped))
        self.assertEqual((status, last), (0, "4 tests were skipped, 3 of them must run in CI"))
        self.assertIn("skipped    2  rsync is not installed: Deploy.x, Deploy.y\n", output)
        self.assertIn("skipped    1  needs four GPUs, this machine has 0: Gpu.x\n", output)
        self.assertIn("skipped    1  2 of its cases were skipped: Style.lint\n", output)
        # In CI they must run, unless there is no GPU.
        status, last, output = self.call(".ci/run", JUNIT=junit(*skipped))
        self.assertEqual((status, last), (1, "12 passed, 1 failed"))
        self.assertRegex(output, r"(?m)^release tests .*FAILED$")
        self.assertEqual(self.call(".ci/run", JUNIT=junit("Gpu.x"))[:2], (0, "12 passed, 0 failed"))
        self.assertEqual(self.call("scripts/test.sh", JUNIT=junit())[1], "99% tests passed, 0 tests failed out of 10")

    def test_a_program_that_is_missing_did_not_run(self):
        junit = "<testsuite><testcase name='x_NOT_BUILT' status='notrun'/></testsuite>"
        self.assertEqual(self.call(".ci/run", JUNIT=junit)[0], 1)

    def test_fuzzing_is_one_command(self):
        status, last, _ = self.call("scripts/test.sh", "--fuzz", "5", "host")
        self.assertEqual((status, last), (0, "99% tests passed, 0 tests failed out of 10"))
        self.assertEqual(self.call("scripts/test.sh", "--fuzz", "long")[0], 2)

    def test_all_takes_no_arguments(self):
        self.assertEqual(self.call("scripts/test.sh", "--all", "-R", "x")[0], 2)


if __name__ == "__main__":
    unittest.main()
