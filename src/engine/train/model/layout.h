// Where every parameter lives: the model is a list of units (embedding, blocks, head), each one flat
// buffer. Matrices that are multiplied together lie together (q|k|v, gate|up), so the fused GEMM
// reads one contiguous matrix and a collective moves one contiguous buffer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/model/model.h"

namespace sxb::engine::train {

/// One named tensor of the Hugging Face checkpoint, a (rows, cols) range of its unit.
struct Param {
  std::string name;         ///< "model.layers.0.self_attn.q_proj.weight"
  std::int64_t offset = 0;  ///< elements from the start of the unit
  std::int64_t rows = 0;    ///< 1 for norm weights, which are vectors of `cols`
  std::int64_t cols = 0;
  bool is_norm = false;
  std::int64_t numel() const { return rows * cols; }
};

struct UnitLayout {
  std::string name;
  std::vector<Param> params;
  std::int64_t numel = 0;  ///< with alignment gaps, padded so that every rank gets an equal share
};

/// Offsets in elements of the six matrices of a block.
struct BlockOffsets {
  std::int64_t attn_norm, qkv, o, mlp_norm, gate_up, down;
};

struct Layout {
  config::Architecture arch;
  std::vector<UnitLayout> units;  ///< [0] embedding, [1..L] blocks, [L+1] final norm and head
  BlockOffsets block{};
  std::int64_t head_norm = 0, head_weight = 0;  ///< offsets in the last unit
  /// Index of the first element of unit u in the whole model: the counter of the weight generator,
  /// independent of the number of ranks (computed without the padding).
  std::vector<std::uint64_t> first_element;

  int embedding() const { return 0; }
  int first_block() const { return 1; }
  int head() const { return static_cast<int>(units.size()) - 1; }
  int count() const { return static_cast<int>(units.size()); }
};

/// `world`: ranks that share a unit; each unit's numel is a multiple of world * kAlignment.
Layout make_layout(const config::Architecture& arch, int world);

/// Elements; 256 bytes of BF16 keep every matrix aligned for 16-byte accesses and the copy engines.
inline constexpr std::int64_t kAlignment = 128;

}  // namespace sxb::engine::train
