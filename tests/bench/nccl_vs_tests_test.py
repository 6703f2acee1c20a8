import unittest
from pathlib import Path

import canned  # noqa: F401 (puts scripts/bench on the path)
import nccl_vs_tests

RECORDED = Path(__file__).resolve().parents[2] / "docs" / "results" / "2026-11-21-4xh200" / "nccl-all_reduce"


class NcclVsTests(unittest.TestCase):
    def setUp(self):
        texts = [(RECORDED / f"nccl-tests-{i}.txt").read_text() for i in (1, 2)]
        self.peer = nccl_vs_tests.parse_nccl_tests("\n".join(texts))

    def test_reads_every_size_of_nccl_tests(self):
        self.assertEqual(len(self.peer), 31)  # 8 B to 8 GiB
        self.assertEqual({len(cycles) for cycles in self.peer.values()}, {2})
        text = "     1048576        262144     float     sum      -1    22.57   46.46   69.70       0    22.50   1  2  0\n"
        self.assertEqual(nccl_vs_tests.parse_nccl_tests(text), {1 << 20: [(22.57, 69.70)]})

    def test_compares_a_recorded_run(self):
        journal = next(RECORDED.rglob("records.jsonl"))
        ours = nccl_vs_tests.parse_journal(journal)["all_reduce"]
        rows = nccl_vs_tests.compare("all_reduce", ours, self.peer)
        self.assertEqual([r["size"] for r in rows], [8 << i for i in range(31)])
        last = rows[-1]
        self.assertEqual(last["unit"], "GB/s busbw")
        self.assertAlmostEqual(last["ratio"], 1.0, delta=0.01)
        self.assertTrue(last["met"])
        self.assertEqual(rows[0]["unit"], "us")

    def test_bounds_are_one_percent_and_one_microsecond(self):
        mib = 1 << 20
        judge = lambda size, mine, peer: nccl_vs_tests.compare("x", {size: [mine]}, {size: [peer]})[0]["met"]
        self.assertTrue(judge(mib, (1, 99.1), (1, 100)))
        self.assertFalse(judge(mib, (1, 98.9), (1, 100)))
        self.assertTrue(judge(8, (9.9, 1), (9, 1)))
        self.assertFalse(judge(8, (10.1, 1), (9, 1)))

    def test_a_size_that_one_side_lacks_is_no_row(self):
        rows = nccl_vs_tests.compare("x", {8: [(1, 1)], 16: [(1, 1)]}, {16: [(1, 1)], 32: [(1, 1)]})
        self.assertEqual([r["size"] for r in rows], [16])

    def test_medians_are_compared_and_the_cycles_spread_is_told(self):
        ours = {8: [(9, 1), (10, 1), (30, 1)]}
        (row,) = nccl_vs_tests.compare("x", ours, {8: [(9.5, 1)]})
        self.assertEqual((row["ours"], row["peer"], row["met"]), (10, 9.5, True))
        self.assertAlmostEqual(row["our_spread"], 2.1)
        self.assertEqual(row["peer_spread"], 0)


if __name__ == "__main__":
    unittest.main()
