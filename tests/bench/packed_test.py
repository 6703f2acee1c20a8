import json
import struct
import tempfile
import unittest
from pathlib import Path

import canned  # noqa: F401 (puts scripts/bench on the path)
from packed import DOCUMENT_START, IGNORED, LOSS, PADDING, PackedDataset, Row, row_at


class PackedTest(unittest.TestCase):
    def test_order_is_the_one_that_the_trainer_pins(self):
        # RowOrder.IsPinned in tests/data/order_test.cpp.
        self.assertEqual([row_at(i, 8, 42) for i in range(8)], [3, 2, 1, 7, 5, 4, 0, 6])
        self.assertEqual([row_at(8 + i, 8, 42) for i in range(8)], [6, 2, 3, 0, 5, 7, 1, 4])
        self.assertEqual(row_at(5, 1, 42), 0)

    def test_a_row_knows_documents_targets_and_padding(self):
        row = Row([5 | DOCUMENT_START, 6, 7 | LOSS, 8 | LOSS | DOCUMENT_START, 9 | LOSS, PADDING, PADDING])
        self.assertEqual(row.token, [5, 6, 7, 8, 9, 0, 0])
        self.assertEqual(row.document, [0, 0, 0, 1, 1, 2, 2])
        self.assertEqual(row.position, [0, 1, 2, 0, 1, 0, 1])
        # The first token of a document is predicted by nothing, whatever its bit says.
        self.assertEqual(row.target, [IGNORED, 7, IGNORED, 9, IGNORED, IGNORED, IGNORED])
        self.assertEqual(row.loss_tokens(), 2)

    def write(self, folder, magic=b"SXBPACK\0"):
        words = range(10, 18)  # 4 rows of 2
        (folder / "d-00000.bin").write_bytes(struct.pack("<8sIIQQ8I", magic, 1, 2, 4, 0, *words))
        (folder / "index.json").write_text(
            json.dumps(
                {
                    "schema": 1,
                    "seq_len": 2,
                    "vocab": 100,
                    "counts": {"rows": 4},
                    "shards": [{"file": "d-00000.bin", "rows": 4}],
                }
            )
        )
        return folder

    def test_ranks_and_splits_of_a_step_read_the_same_rows(self):
        with tempfile.TemporaryDirectory() as folder:
            data = PackedDataset(self.write(Path(folder)))

            def read(world, size, splits):
                """First tokens of all rows of step 1."""
                return sorted(
                    row.token[0]
                    for split in range(splits)
                    for rank in range(world)
                    for row in data.micro_batch(splits + split, rank, world, size, seed=7)
                )

            self.assertEqual(read(1, 2, 1), read(2, 1, 1))
            self.assertEqual(read(1, 2, 1), read(1, 1, 2))
            self.assertEqual(data.row(3).token, [16, 17])

    def test_another_format_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(ValueError, "header does not match"):
                PackedDataset(self.write(Path(folder), magic=b"SOMETHIN"))


if __name__ == "__main__":
    unittest.main()
