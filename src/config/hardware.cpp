#include "sxbench/config/hardware.h"

#include "sxbench/base/files.h"
#include "sxbench/config/reader.h"

namespace sxb::config {
namespace {

GpuHardware read_gpu(ObjectReader reader) {
  GpuHardware gpu;
  reader.text("name", gpu.name, Need::kRequired);
  reader.number("bf16_dense_tflops", gpu.bf16_dense_tflops, 1, 1e6, Need::kRequired);
  reader.number("fp8_dense_tflops", gpu.fp8_dense_tflops, 0, 1e6);
  reader.number("memory_gib", gpu.memory_gib, 1, 1e5, Need::kRequired);
  reader.number("memory_bandwidth_gBps", gpu.memory_bandwidth_gBps, 1, 1e6, Need::kRequired);
  reader.number("nvlink_gBps", gpu.nvlink_gBps, 0, 1e5);
  reader.number("power_limit_w", gpu.power_limit_w, 1, 1e4, Need::kRequired);
  reader.text("source", gpu.source, Need::kRequired);
  reader.finish();
  return gpu;
}

}  // namespace

Result<std::optional<GpuHardware>> find_gpu(const std::string& name) {
  const std::filesystem::path path = shipped_configs_dir() / "hardware" / "gpus.json";
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(path));
  Errors errors;
  ObjectReader reader(json, path.string(), "", errors);
  std::optional<GpuHardware> found;
  const Json* gpus = reader.find("gpus");
  if (gpus == nullptr || !gpus->is_array()) {
    reader.error("gpus", "the array \"gpus\" is missing", "see configs/hardware/gpus.json of sxbench");
  } else {
    for (std::size_t i = 0; i < gpus->size(); ++i) {
      GpuHardware gpu = read_gpu(reader.element("gpus", i));
      if (gpu.name == name) found = gpu;
    }
  }
  reader.finish();
  if (!errors.empty()) return errors;
  return found;
}

}  // namespace sxb::config
