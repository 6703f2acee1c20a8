#include "metrics/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "base/files.h"
#include "metrics/sampler.h"

namespace sxb::metrics {
namespace {

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
    StampedSample sample = stamped_sample("host");
    const auto stat = read_file(proc_ + "/stat");
    const auto times = stat ? parse_cpu_times(*stat) : std::nullopt;
    if (!times) return lose("stat", out);
    const std::int64_t total = times->total - last_.total;
    // The counters are coarse (10 ms a CPU): a short interval may have none to divide by.
    if (last_.total > 0 && total > 0) {
      const double busy = static_cast<double>(total - (times->idle - last_.idle));
      sample.fields.cpu_pct = std::clamp(100.0 * busy / static_cast<double>(total), 0.0, 100.0);
    }
    if (total > 0) last_ = *times;
    const auto meminfo = read_file(proc_ + "/meminfo");
    const std::int64_t memory = meminfo ? meminfo_bytes(*meminfo, "MemTotal") : -1;
    const std::int64_t available = meminfo ? meminfo_bytes(*meminfo, "MemAvailable") : -1;
    if (memory < 0 || available < 0) return lose("meminfo", out);
    sample.fields.mem_used_bytes = memory - available;
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

}  // namespace

Sources open_host(const SamplerOptions& options) {
  Sources sources;
  sources.present.push_back(std::make_unique<HostSource>(options.roots.proc));
  return sources;
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
