// What the files of /proc and /sys say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sxb::metrics {

/// The number that a file holds; nothing if it cannot be read or holds none.
std::optional<std::int64_t> read_count(const std::filesystem::path& path);

/// The entries of a folder in order of name; empty if it cannot be read.
std::vector<std::string> entries(const std::filesystem::path& folder);

/// The slot that a PCI device sits in, as negotiated; nothing for a device without one.
struct PcieLink {
  std::optional<int> generation;
  std::optional<std::int64_t> lanes;
};
PcieLink read_pcie_link(const std::filesystem::path& device);

}  // namespace sxb::metrics
