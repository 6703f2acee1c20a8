#include "cli/ui/news.h"

#include <fmt/format.h>

#include "base/units.h"
#include "launch/head/step_line.h"
#include "record/kinds/kinds.h"
#include "record/typed.h"

namespace sxb::cli {

std::string name_of(const std::string& label, int repeat) {
  return repeat > 0 ? fmt::format("{}, repeat {}", label, repeat + 1) : label;
}

std::string name_of(const plan::Task& task) { return name_of(task.label(), task.repeat); }

std::optional<std::string> news_of(const plan::Task& task, const record::Record& record) {
  if (record.kind == record::kind::kStep) {
    return launch::step_line(record::read<record::Step>(record), task.model.training.steps);
  }
  if (record.kind == record::kind::kCollective) {
    return format_bytes(record::read<record::Collective>(record).size_bytes.value_or(0));
  }
  if (record.kind.starts_with("locate_")) {  // stage and round are fields of each of them
    const auto probe = record::read<record::LocateNode>(record);
    return fmt::format("round {}, {}", probe.round.value_or(0), probe.stage);
  }
  if (record.kind == record::kind::kGpuBench) return record::read<record::GpuBench>(record).test;
  if (record.kind == record::kind::kBurn) {
    return format_fixed(record::read<record::Burn>(record).second.value_or(0), 0) + " s";
  }
  return std::nullopt;
}

}  // namespace sxb::cli
