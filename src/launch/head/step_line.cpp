#include "launch/head/step_line.h"

#include <fmt/format.h>

#include "base/units.h"

namespace sxb::launch {

std::string step_line(const record::Step& step, std::int64_t steps) {
  std::string line = fmt::format("step {}/{}", step.step.value_or(0), steps);
  if (step.loss) line += "  loss " + format_fixed(*step.loss, 4);
  if (step.lr) line += fmt::format("  lr {:.2e}", *step.lr);
  if (step.tokens_per_s) line += "  " + format_fixed(*step.tokens_per_s, 0) + " tokens/s";
  if (step.mfu) line += "  MFU " + format_fixed(*step.mfu * 100, 1) + " %";
  if (step.memory_bytes) line += "  " + format_bytes(*step.memory_bytes);
  return line;
}

}  // namespace sxb::launch
