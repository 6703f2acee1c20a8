#include "launch/head/step_line.h"

#include <fmt/format.h>

#include <optional>

#include "base/units.h"

namespace sxb::launch {

std::string step_line(const plan::Task& task, const record::Record& step) {
  const auto number = [&](const char* key) -> std::optional<double> {
    const auto it = step.data.find(key);
    if (it == step.data.end() || !it->is_number()) return std::nullopt;
    return it->get<double>();
  };
  std::string line = fmt::format("step {:.0f}/{}", number("step").value_or(0), task.model.training.steps);
  if (const auto v = number("loss")) line += fmt::format("  loss {:.4f}", *v);
  if (const auto v = number("lr")) line += fmt::format("  lr {:.2e}", *v);
  if (const auto v = number("tokens_per_s")) line += fmt::format("  {:.0f} tokens/s", *v);
  if (const auto v = number("mfu")) line += fmt::format("  MFU {:.1f} %", *v * 100);
  if (const auto v = number("memory_bytes")) line += "  " + format_bytes(static_cast<std::int64_t>(*v));
  return line;
}

}  // namespace sxb::launch
