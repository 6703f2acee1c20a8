#include "launch/head/step_line.h"

#include <fmt/format.h>

#include "base/units.h"

namespace sxb::launch {

std::string step_line(const record::Step& step, std::int64_t steps) {
  std::string line = fmt::format("step {}/{}", step.step.value_or(0), steps);
  if (step.loss) line += fmt::format("  loss {:.4f}", *step.loss);
  if (step.lr) line += fmt::format("  lr {:.2e}", *step.lr);
  if (step.tokens_per_s) line += fmt::format("  {:.0f} tokens/s", *step.tokens_per_s);
  if (step.mfu) line += fmt::format("  MFU {:.1f} %", *step.mfu * 100);
  if (step.memory_bytes) line += "  " + format_bytes(*step.memory_bytes);
  return line;
}

}  // namespace sxb::launch
