#include "metrics/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace sxb::metrics {
namespace {

namespace fs = std::filesystem;

std::optional<std::int64_t> parse_count(std::string_view text) {
  text = trim(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> read_count(const fs::path& path) {
  const auto text = read_file(path);
  return text ? parse_count(*text) : std::nullopt;
}

/// The entries of a folder in order of name; empty if it cannot be read.
std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct CpuTimes {
  std::int64_t idle = 0;  ///< jiffies idle or waiting for disks
  std::int64_t total = 0;
};

/// The "cpu" line of /proc/stat: user nice system idle iowait irq softirq steal (guest time is part of user).
std::optional<CpuTimes> parse_cpu_times(const std::string& stat) {
  std::istringstream line(stat.substr(0, stat.find('\n')));
  std::string label;
  line >> label;
  CpuTimes times;
  for (int column = 0; column < 8; ++column) {
    std::int64_t jiffies = 0;
    if (!(line >> jiffies)) return std::nullopt;
    times.total += jiffies;
    if (column == 3 || column == 4) times.idle += jiffies;
  }
  return label == "cpu" ? std::optional(times) : std::nullopt;
}

class HostSource : public Source {
 public:
  explicit HostSource(std::string proc) : proc_(std::move(proc)) {}

  bool read(Reading& out) override {
    Json sample = stamped_sample("host");
    const auto stat = read_file(proc_ + "/stat");
    const auto times = stat ? parse_cpu_times(*stat) : std::nullopt;
    if (!times) return lose("stat", out);
    const std::int64_t total = times->total - last_.total;
    // The counters are coarse (10 ms a CPU): a short interval may have none to divide by.
    if (last_.total > 0 && total > 0) {
      const double busy = static_cast<double>(total - (times->idle - last_.idle));
      sample["cpu_pct"] = std::clamp(100.0 * busy / static_cast<double>(total), 0.0, 100.0);
    }
    if (total > 0) last_ = *times;
    const auto meminfo = read_file(proc_ + "/meminfo");
    const std::int64_t memory = meminfo ? meminfo_bytes(*meminfo, "MemTotal") : -1;
    const std::int64_t available = meminfo ? meminfo_bytes(*meminfo, "MemAvailable") : -1;
    if (memory < 0 || available < 0) return lose("meminfo", out);
    sample["mem_used_bytes"] = memory - available;
    out.samples.push_back(std::move(sample));
    return true;
  }

 private:
  bool lose(const char* file, Reading& out) const {
    out.missing.push_back({"host", fmt::format("{}/{} cannot be read or parsed", proc_, file)});
    return false;
  }

  std::string proc_;
  CpuTimes last_;
};

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
    const Json stamp = stamped_sample("nic");
    const auto text = read_file(net_dev_);
    const std::vector<NicCounters> nics = text ? parse_net_dev(*text) : std::vector<NicCounters>{};
    std::set<std::string> seen;
    for (const NicCounters& nic : nics) {
      if (!wanted(nic.name)) continue;
      seen.insert(nic.name);
      Json sample = stamp;
      sample["name"] = nic.name;
      static constexpr std::pair<const char*, std::size_t> kColumns[] = {
          {"rx_bytes", 0},  {"tx_bytes", 8},   {"rx_packets", 1}, {"tx_packets", 9},
          {"rx_errors", 2}, {"tx_errors", 10}, {"rx_dropped", 3}, {"tx_dropped", 11}};
      for (const auto& [field, column] : kColumns) sample[field] = nic.columns[column];
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

/// One port of an RDMA adapter. Its traffic does not pass the kernel and is not in /proc/net/dev.
class RdmaSource : public Source {
 public:
  RdmaSource(std::string adapter, std::string port, fs::path counters)
      : adapter_(std::move(adapter)), port_(std::move(port)), counters_(std::move(counters)) {}

  bool read(Reading& out) override {
    Json sample = stamped_sample("rdma");
    const auto tx = read_count(counters_ / "port_xmit_data");
    const auto rx = read_count(counters_ / "port_rcv_data");
    if (!tx || !rx) {
      out.missing.push_back(
          {fmt::format("rdma:{}/{}", adapter_, port_),
           fmt::format("{} has no readable port_xmit_data and port_rcv_data", counters_.string())});
      return false;
    }
    constexpr std::int64_t kLane = 4;  // the counters are in words of four bytes (IBTA PortXmitData)
    sample["name"] = fmt::format("{}/{}", adapter_, port_);
    sample["rx_bytes"] = *rx * kLane;
    sample["tx_bytes"] = *tx * kLane;
    out.samples.push_back(std::move(sample));
    return true;
  }

 private:
  std::string adapter_, port_;
  fs::path counters_;
};

void add_rdma_sources(const fs::path& infiniband, Sources& sources) {
  std::vector<std::unique_ptr<Source>> ports;
  for (const std::string& adapter : entries(infiniband)) {
    const fs::path folder = infiniband / adapter / "ports";
    for (const std::string& port : entries(folder)) {
      ports.push_back(std::make_unique<RdmaSource>(adapter, port, folder / port / "counters"));
    }
  }
  if (ports.empty()) sources.missing.push_back({"rdma", "no RDMA port in " + infiniband.string()});
  for (auto& port : ports) sources.present.push_back(std::move(port));
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

/// The slot that a PCI device sits in, as negotiated; adds nothing for a device without one.
void put_pcie_link(const fs::path& device, Json& facts) {
  const auto speed = read_file(device / "current_link_speed");
  const auto lanes = read_count(device / "current_link_width");
  if (!speed || !lanes || *lanes <= 0) return;
  if (const int generation = pcie_generation(trim(*speed)); generation > 0) {
    facts["pcie_generation"] = generation;
    facts["pcie_lanes"] = *lanes;
  }
}

/// "400 Gb/sec (4X NDR)" -> 400; 0 if it says nothing.
double rate_gbps(const std::string& text) {
  std::istringstream words(text);
  double rate = 0;
  return (words >> rate) ? rate : 0;
}

}  // namespace

Json rdma_adapters(const Roots& roots) {
  Json adapters = Json::array();
  const fs::path folder = fs::path(roots.sys) / "class/infiniband";
  for (const std::string& name : entries(folder)) {
    Json adapter{{"name", name}};
    double rate = 0;
    for (const std::string& port : entries(folder / name / "ports")) {
      if (const auto text = read_file(folder / name / "ports" / port / "rate")) rate += rate_gbps(*text);
    }
    if (rate > 0) adapter["rate_gbps"] = rate;
    put_pcie_link(folder / name / "device", adapter);
    adapters.push_back(std::move(adapter));
  }
  return adapters;
}

Sources host_sources(const Roots& roots) {
  Sources sources;
  sources.present.push_back(std::make_unique<HostSource>(roots.proc));
  sources.present.push_back(std::make_unique<NicSource>(roots));
  add_rdma_sources(fs::path(roots.sys) / "class/infiniband", sources);
  return sources;
}

Json network_interfaces(const Roots& roots) {
  Json nics = Json::array();
  const fs::path folder = fs::path(roots.sys) / "class/net";
  for (const std::string& name : entries(folder)) {
    std::error_code ignored;
    if (!fs::is_directory(folder / name, ignored) || is_container_end(folder / name)) continue;
    Json nic{{"name", name}};
    // Loopback and virtual interfaces have no speed: the kernel refuses the read or says -1.
    if (const auto speed = read_count(folder / name / "speed"); speed && *speed > 0)
      nic["speed_mbps"] = *speed;
    if (const auto mtu = read_count(folder / name / "mtu")) nic["mtu"] = *mtu;
    if (const auto state = read_file(folder / name / "operstate")) nic["state"] = trim(*state);
    put_pcie_link(folder / name / "device", nic);
    nics.push_back(std::move(nic));
  }
  return nics;
}

std::int64_t meminfo_bytes(const std::string& meminfo, const std::string& key) {
  std::istringstream lines(meminfo);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream value(line.substr(key.size() + 1));
    std::int64_t kib = 0;
    return (value >> kib) ? kib * 1024 : -1;
  }
  return -1;
}

}  // namespace sxb::metrics
