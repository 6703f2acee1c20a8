// The physical facts of the GPUs that a run used, from the shipped hardware table.
#include <map>

#include "analysis/analysis.h"
#include "analysis/json_read.h"

namespace sxb::analysis {

Result<HardwareLookup> hardware_table(const Dataset& dataset) {
  std::map<std::string, config::GpuHardware> known;
  for (const TaskData& task : dataset.tasks) {
    for (const Entry& entry : task.of(record::kind::kDevice)) {
      const std::string name = text(entry.record.data, "name");
      if (text(entry.record.data, "device") != "cuda" || known.contains(name)) continue;
      SXB_ASSIGN_OR_RETURN(const auto found, config::find_gpu(name));
      if (found) known.emplace(name, *found);
    }
  }
  return HardwareLookup([known](const std::string& name) -> std::optional<config::GpuHardware> {
    const auto it = known.find(name);
    return it == known.end() ? std::nullopt : std::optional(it->second);
  });
}

}  // namespace sxb::analysis
