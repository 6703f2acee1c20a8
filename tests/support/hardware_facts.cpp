#include "support/hardware_facts.h"

#include <gtest/gtest.h>

#include "base/files.h"

namespace sxb::testing {

config::Interconnects shipped_paths() {
  const std::string path = SXB_SOURCE_DIR "/configs/hardware/interconnects.json";
  const auto json = load_json(path);
  EXPECT_TRUE(json.ok());
  const auto paths = config::parse_interconnects(*json, path);
  EXPECT_TRUE(paths.ok()) << format_errors(paths.errors());
  return *paths;
}

analysis::Hardware shipped_hardware() {
  const std::string path = SXB_SOURCE_DIR "/configs/hardware/gpus.json";
  const auto gpus = config::parse_gpus(*load_json(path), path);
  EXPECT_TRUE(gpus.ok()) << format_errors(gpus.errors());
  const auto find = [table = *gpus](const std::string& name) -> std::optional<config::GpuHardware> {
    for (const config::GpuHardware& gpu : table) {
      if (gpu.name == name) return gpu;
    }
    return std::nullopt;
  };
  return {find, shipped_paths()};
}

}  // namespace sxb::testing
