#include "config/hardware/hardware.h"

#include "base/files.h"
#include "config/hardware/sourced.h"

namespace sxb::config {
namespace {

struct GpuFigure {
  const char* key;
  double GpuHardware::*member;
  double min, max;
  Need need;
};
constexpr GpuFigure kGpuFigures[] = {
    {"fp64_tflops", &GpuHardware::fp64_tflops, 0, 1e6, Need::kOptional},
    {"fp32_tflops", &GpuHardware::fp32_tflops, 0, 1e6, Need::kOptional},
    {"tf32_dense_tflops", &GpuHardware::tf32_dense_tflops, 0, 1e6, Need::kOptional},
    {"fp16_dense_tflops", &GpuHardware::fp16_dense_tflops, 0, 1e6, Need::kOptional},
    {"bf16_dense_tflops", &GpuHardware::bf16_dense_tflops, 1, 1e6, Need::kRequired},
    {"fp8_dense_tflops", &GpuHardware::fp8_dense_tflops, 0, 1e6, Need::kOptional},
    {"memory_gib", &GpuHardware::memory_gib, 1, 1e5, Need::kRequired},
    {"memory_bandwidth_gBps", &GpuHardware::memory_bandwidth_gBps, 1, 1e6, Need::kRequired},
    {"nvlink_gBps", &GpuHardware::nvlink_gBps, 0, 1e5, Need::kOptional},
    {"pcie_generation", &GpuHardware::pcie_generation, 1, 9, Need::kOptional},
    {"pcie_lanes", &GpuHardware::pcie_lanes, 1, 32, Need::kOptional},
    {"power_limit_w", &GpuHardware::power_limit_w, 1, 1e4, Need::kRequired},
    {"nvlink_reduction", &GpuHardware::nvlink_reduction, 0, 1, Need::kOptional},
};

GpuHardware read_gpu(ObjectReader reader, const Sources& sources) {
  GpuHardware gpu;
  reader.text("name", gpu.name, Need::kRequired);
  for (const GpuFigure& figure : kGpuFigures) {
    sources.figure(reader, figure.key, gpu.*figure.member, figure.min, figure.max, figure.need, gpu.sources,
                   figure.key);
  }
  reader.finish();
  return gpu;
}

Result<std::optional<GpuHardware>> find_in(const std::filesystem::path& path, const std::string& name) {
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(path));
  SXB_ASSIGN_OR_RETURN(const std::vector<GpuHardware> gpus, parse_gpus(json, path.string()));
  for (const GpuHardware& gpu : gpus) {
    if (gpu.name == name) return std::optional(gpu);
  }
  return std::optional<GpuHardware>();
}

}  // namespace

double GpuHardware::peak_tflops(const std::string& precision) const {
  if (precision == "bf16") return bf16_dense_tflops;
  if (precision == "fp16") return fp16_dense_tflops;
  if (precision == "tf32") return tf32_dense_tflops;
  if (precision == "fp32") return fp32_tflops;
  if (precision == "fp64") return fp64_tflops;
  return precision == "fp8" ? fp8_dense_tflops : 0;
}

Result<std::vector<GpuHardware>> parse_gpus(const Json& json, const std::string& where) {
  Errors errors;
  ObjectReader reader(json, where, "", errors);
  std::string schema;
  reader.text("$schema", schema);
  Sources sources;
  sources.read_texts(reader.child("sources"));
  std::vector<GpuHardware> table;
  const Json* gpus = reader.find("gpus");
  if (gpus == nullptr || !gpus->is_array()) {
    reader.error("gpus", "the array \"gpus\" is missing", "see configs/hardware/gpus.json of sxbench");
  } else {
    for (std::size_t i = 0; i < gpus->size(); ++i)
      table.push_back(read_gpu(reader.element("gpus", i), sources));
  }
  reader.finish();
  if (!errors.empty()) return errors;
  return table;
}

Result<std::optional<GpuHardware>> find_gpu(const std::string& name) {
  const std::filesystem::path own = user_config_dir() / "hardware" / "gpus.json";
  std::error_code ec;
  if (std::filesystem::exists(own, ec)) {
    SXB_ASSIGN_OR_RETURN(auto found, find_in(own, name));
    if (found) return found;
  }
  return find_in(shipped_configs_dir() / "hardware" / "gpus.json", name);
}

}  // namespace sxb::config
