"""Reads a dataset that `sxbench data prepare` wrote, in the order and with the masks of sxbench's trainer.

Standard library only. The format and the order are those of docs/data.md; tests/bench/packed_test.py holds
this reader to the same pinned order as the trainer's own.
"""

import array
import json
import struct
import sys
from pathlib import Path

SCHEMA = 1
TOKEN_MASK = 0x00FFFFFF
PADDING = 1 << 29
DOCUMENT_START = 1 << 30
LOSS = 1 << 31
IGNORED = -1  # target of a position that does not count in the loss

_HEADER = struct.Struct("<8sIIQQ")  # magic, version, seq_len, rows, unused
_U64 = (1 << 64) - 1


def _mix(x):
    x = (x + 0x9E3779B97F4A7C15) & _U64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _U64
    return x ^ (x >> 31)


def row_at(position, rows, seed):
    """The row at `position` of the endless shuffled sequence: per epoch a Feistel network, cycle walking."""
    epoch, value = divmod(position, rows)
    key = _mix(_mix(seed & _U64) ^ epoch)
    half_bits = ((rows - 1).bit_length() + 1) // 2
    if half_bits == 0:
        return 0
    mask = (1 << half_bits) - 1
    while True:
        left, right = value >> half_bits, value & mask
        for round_ in range(6):
            left, right = right, left ^ (_mix(right ^ _mix((key + round_) & _U64)) & mask)
        value = left << half_bits | right
        if value < rows:
            return value


class Row:
    """One packed row, as lists of seq_len integers: token, target, position and document of each place."""

    def __init__(self, words):
        self.token, self.target, self.position, self.document = [], [], [], []
        document, begin, padding = -1, 0, None
        for i, word in enumerate(words):
            is_padding = bool(word & PADDING)
            # A run of padding is a document of its own: nothing attends across it.
            starts = i == 0 or bool(word & DOCUMENT_START) or is_padding != padding
            if starts:
                document, begin, padding = document + 1, i, is_padding
            self.token.append(word & TOKEN_MASK)
            self.target.append(IGNORED)
            self.position.append(i - begin)
            self.document.append(document)
            if word & LOSS and not starts:
                self.target[i - 1] = word & TOKEN_MASK

    def loss_tokens(self):
        return sum(target != IGNORED for target in self.target)


class PackedDataset:
    def __init__(self, folder):
        folder = Path(folder)
        index = json.loads((folder / "index.json").read_text())
        if index["schema"] != SCHEMA:
            raise ValueError(f"{folder}: schema {index['schema']}, this reader knows {SCHEMA}")
        self.seq_len = index["seq_len"]
        self.rows = index["counts"]["rows"]
        self.vocab = index["vocab"]
        self._words = array.array("I")
        for shard in index["shards"]:
            data = (folder / shard["file"]).read_bytes()
            magic, version, seq_len, rows, _ = _HEADER.unpack_from(data)
            if (magic, version, seq_len, rows) != (b"SXBPACK\0", SCHEMA, self.seq_len, shard["rows"]):
                raise ValueError(f"{folder / shard['file']}: the header does not match index.json")
            self._words.frombytes(data[_HEADER.size :])
        if sys.byteorder != "little":
            self._words.byteswap()
        if len(self._words) != self.rows * self.seq_len:
            raise ValueError(
                f"{folder}: {len(self._words)} words, {self.rows} rows of {self.seq_len} expected"
            )

    def row(self, i):
        return Row(self._words[i * self.seq_len : (i + 1) * self.seq_len])

    def micro_batch(self, micro_step, rank, world, size, seed):
        """The rows that rank `rank` of `world` reads in micro-step `micro_step` (from 0)."""
        first = (micro_step * world + rank) * size
        return [self.row(row_at(first + b, self.rows, seed)) for b in range(size)]
