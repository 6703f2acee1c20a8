#include "metrics/nic.h"

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "metrics/sysfs.h"

namespace sxb::metrics {

namespace fs = std::filesystem;

namespace {

/// A bridge port without hardware behind it.
bool is_container_end(const fs::path& interface) {
  std::error_code ignored;
  return fs::exists(interface / "brport", ignored) && !fs::exists(interface / "device", ignored);
}

struct NicCounters {
  std::string name;
  std::array<std::int64_t, 16> columns;  ///< rx: bytes packets errs drop ...; tx the same from 8
};

std::vector<NicCounters> parse_net_dev(const std::string& text) {
  std::vector<NicCounters> nics;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');  // the two header lines have none
    if (colon == std::string::npos) continue;
    NicCounters nic{std::string(trim(std::string_view(line).substr(0, colon))), {}};
    std::istringstream columns(line.substr(colon + 1));
    bool complete = true;
    for (std::int64_t& value : nic.columns) complete = complete && (columns >> value);
    if (complete) nics.push_back(std::move(nic));
  }
  return nics;
}

/// All interfaces at once from /proc/net/dev: one file a tick, however many there are.
class NicSource : public Source {
 public:
  explicit NicSource(const Roots& roots)
      : net_dev_(roots.proc + "/net/dev"), sys_(roots.sys + "/class/net") {}

  bool read(Reading& out) override {
    const StampedSample stamp = stamped_sample("nic");
    const auto text = read_file(net_dev_);
    const std::vector<NicCounters> nics = text ? parse_net_dev(*text) : std::vector<NicCounters>{};
    std::set<std::string> seen;
    for (const NicCounters& nic : nics) {
      if (!wanted(nic.name)) continue;
      seen.insert(nic.name);
      StampedSample sample = stamp;
      sample.fields.name = nic.name;
      using Counter = std::optional<std::int64_t> record::Sample::*;
      static constexpr std::pair<Counter, std::size_t> kColumns[] = {
          {&record::Sample::rx_bytes, 0},   {&record::Sample::tx_bytes, 8},
          {&record::Sample::rx_packets, 1}, {&record::Sample::tx_packets, 9},
          {&record::Sample::rx_errors, 2},  {&record::Sample::tx_errors, 10},
          {&record::Sample::rx_dropped, 3}, {&record::Sample::tx_dropped, 11}};
      for (const auto& [counter, column] : kColumns) sample.fields.*counter = nic.columns[column];
      out.samples.push_back(std::move(sample));
    }
    for (const std::string& name : last_seen_) {
      if (!seen.contains(name)) out.missing.push_back({"nic:" + name, "no longer in " + net_dev_});
    }
    last_seen_ = std::move(seen);
    if (!last_seen_.empty()) return true;
    out.missing.push_back({"nic", net_dev_ + " lists no interface"});
    return false;
  }

 private:
  bool wanted(const std::string& name) {
    auto [known, is_new] = wanted_.try_emplace(name, false);
    if (is_new) known->second = !is_container_end(sys_ / name);
    return known->second;
  }

  std::string net_dev_;
  fs::path sys_;
  std::map<std::string, bool> wanted_;
  std::set<std::string> last_seen_;
};

}  // namespace

Sources open_nics(const SamplerOptions& options) {
  Sources sources;
  sources.present.push_back(std::make_unique<NicSource>(options.roots));
  return sources;
}

std::vector<record::NodeNic> network_interfaces(const Roots& roots) {
  std::vector<record::NodeNic> nics;
  const fs::path folder = fs::path(roots.sys) / "class/net";
  for (const std::string& name : entries(folder)) {
    std::error_code ignored;
    if (!fs::is_directory(folder / name, ignored) || is_container_end(folder / name)) continue;
    record::NodeNic nic;
    nic.name = name;
    // Loopback and virtual interfaces have no speed: the kernel refuses the read or says -1.
    if (const auto speed = read_count(folder / name / "speed"); speed && *speed > 0) nic.speed_mbps = speed;
    nic.mtu = read_count(folder / name / "mtu");
    if (const auto state = read_file(folder / name / "operstate")) nic.state = trim(*state);
    const PcieLink link = read_pcie_link(folder / name / "device");
    nic.pcie_generation = link.generation;
    nic.pcie_lanes = link.lanes;
    nics.push_back(std::move(nic));
  }
  return nics;
}

}  // namespace sxb::metrics
