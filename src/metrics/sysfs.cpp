#include "metrics/sysfs.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace sxb::metrics {

namespace fs = std::filesystem;

namespace {

std::optional<std::int64_t> parse_count(std::string_view text) {
  text = trim(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "32.0 GT/s PCIe" -> 5; 0 if it says nothing.
int pcie_generation(std::string_view speed) {
  constexpr std::pair<std::string_view, int> kSpeeds[] = {{"2.5", 1}, {"5", 2},  {"8", 3},
                                                          {"16", 4},  {"32", 5}, {"64", 6}};
  std::string_view number = trim(speed.substr(0, speed.find(' ')));
  if (number.ends_with(".0")) number.remove_suffix(2);
  for (const auto& [text, generation] : kSpeeds) {
    if (number == text) return generation;
  }
  return 0;
}

}  // namespace

std::optional<std::int64_t> read_count(const fs::path& path) {
  const auto text = read_file(path);
  return text ? parse_count(*text) : std::nullopt;
}

std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

PcieLink read_pcie_link(const fs::path& device) {
  const auto speed = read_file(device / "current_link_speed");
  const auto lanes = read_count(device / "current_link_width");
  if (!speed || !lanes || *lanes <= 0) return {};
  const int generation = pcie_generation(trim(*speed));
  if (generation == 0) return {};
  return {generation, *lanes};
}

}  // namespace sxb::metrics
