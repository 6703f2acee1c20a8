#include "engine/train/model/layout.h"

namespace sxb::engine::train {
namespace {

std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Appends parameters to a unit; `align()` starts the next matrix on an aligned offset.
class UnitBuilder {
 public:
  explicit UnitBuilder(std::string name) { unit_.name = std::move(name); }
  std::int64_t align() { return unit_.numel = round_up(unit_.numel, kAlignment); }
  void add(std::string name, std::int64_t rows, std::int64_t cols, bool is_norm = false) {
    unit_.params.push_back({std::move(name), unit_.numel, rows, cols, is_norm});
    unit_.numel += rows * cols;
  }
  UnitLayout finish(int world) {
    unit_.numel = round_up(unit_.numel, kAlignment * world);
    return std::move(unit_);
  }

 private:
  UnitLayout unit_;
};

}  // namespace

Layout make_layout(const config::Architecture& arch, int world) {
  Layout layout;
  layout.arch = arch;
  const std::int64_t D = arch.hidden;
  const std::int64_t kv = arch.kv_heads * arch.head_dim();

  UnitBuilder embedding("embedding");
  embedding.add("model.embed_tokens.weight", arch.vocab, D);
  layout.units.push_back(embedding.finish(world));

  for (std::int64_t i = 0; i < arch.layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    UnitBuilder block("block " + std::to_string(i));
    layout.block.attn_norm = block.align();
    block.add(prefix + "input_layernorm.weight", 1, D, true);
    layout.block.qkv = block.align();
    block.add(prefix + "self_attn.q_proj.weight", D, D);
    block.add(prefix + "self_attn.k_proj.weight", kv, D);
    block.add(prefix + "self_attn.v_proj.weight", kv, D);
    layout.block.o = block.align();
    block.add(prefix + "self_attn.o_proj.weight", D, D);
    layout.block.mlp_norm = block.align();
    block.add(prefix + "post_attention_layernorm.weight", 1, D, true);
    layout.block.gate_up = block.align();
    block.add(prefix + "mlp.gate_proj.weight", arch.ffn, D);
    block.add(prefix + "mlp.up_proj.weight", arch.ffn, D);
    layout.block.down = block.align();
    block.add(prefix + "mlp.down_proj.weight", D, arch.ffn);
    layout.units.push_back(block.finish(world));
  }

  UnitBuilder head("head");
  layout.head_norm = head.align();
  head.add("model.norm.weight", 1, D, true);
  layout.head_weight = head.align();
  head.add("lm_head.weight", arch.vocab, D);
  layout.units.push_back(head.finish(world));

  std::uint64_t first = 0;
  for (const UnitLayout& unit : layout.units) {
    layout.first_element.push_back(first);
    const Param& last = unit.params.back();
    first += static_cast<std::uint64_t>(last.offset + last.numel());
  }
  return layout;
}

}  // namespace sxb::engine::train
