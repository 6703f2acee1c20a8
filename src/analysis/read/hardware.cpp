// The physical facts of the GPUs that a run used, from the shipped hardware tables.
#include "analysis/read/hardware.h"

#include <map>

namespace sxb::analysis {

Result<Hardware> load_hardware(const Dataset& dataset) {
  std::map<std::string, config::GpuHardware> known;
  for (const TaskData& task : dataset.tasks) {
    for (const auto& entry : task.of<record::Device>()) {
      const std::string& name = entry.data.name;
      if (entry.data.device != "cuda" || known.contains(name)) continue;
      SXB_ASSIGN_OR_RETURN(const auto found, config::find_gpu(name));
      if (found) known.emplace(name, *found);
    }
  }
  Hardware hardware;
  SXB_ASSIGN_OR_RETURN(hardware.paths, config::load_interconnects());
  hardware.gpu = [known](const std::string& name) -> std::optional<config::GpuHardware> {
    const auto it = known.find(name);
    return it == known.end() ? std::nullopt : std::optional(it->second);
  };
  return hardware;
}

}  // namespace sxb::analysis
