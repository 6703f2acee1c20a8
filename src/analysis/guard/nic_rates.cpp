#include "analysis/guard/nic_rates.h"

#include <fmt/format.h>

#include <algorithm>

#include "stats/stats.h"

namespace sxb::analysis {

std::map<std::string, double> line_rates(const Network& network) {
  std::map<std::string, double> lines;
  for (const Network::Nic& nic : network.nics) lines[nic.name] = nic.gBps();
  return lines;
}

std::vector<NicRate> nic_rates(const TaskSamples& samples, const std::map<std::string, double>& lines,
                               double lag_share) {
  std::vector<NicRate> out;
  std::vector<double> sent;
  for (const NicUse& use : samples.nics) {
    const auto line = lines.find(use.name.substr(0, use.name.find('/')));  // adapter/port, or interface
    if (line == lines.end()) continue;
    NicRate rate{use.node, use.name, use.tx_peak_gBps, use.rx_peak_gBps, std::nullopt, false, ""};
    if (line->second > 0) rate.line_gBps = line->second;
    if (rate.tx_gBps) sent.push_back(*rate.tx_gBps);
    out.push_back(std::move(rate));
  }
  const double median = sent.empty() ? 0 : stats::median(sent);
  for (NicRate& rate : out) {
    if (!rate.tx_gBps || median <= 0 || *rate.tx_gBps >= lag_share * median) continue;
    rate.lags = true;
    rate.note = fmt::format("sent {:.1f} GB/s where the median NIC sent {:.1f} ({:.0f} %)", *rate.tx_gBps,
                            median, *rate.tx_gBps / median * 100);
  }
  return out;
}

std::optional<Check> guard_nics(const std::string& subject, const std::vector<NicRate>& nics) {
  std::optional<Check> nearest;
  for (const NicRate& nic : nics) {
    if (!nic.line_gBps) continue;
    const double rate = std::max(nic.tx_gBps.value_or(0), nic.rx_gBps.value_or(0));
    if (rate <= 0) continue;
    Check check{subject,
                "nic_counter",
                rate,
                "GB/s",
                *nic.line_gBps,
                "network line rate",
                fmt::format("{:.1f} GB/s through {} of {}", rate, nic.name, nic.node),
                fmt::format("{:g} Gbit/s = {:g} GB/s line rate", *nic.line_gBps * 8, *nic.line_gBps)};
    if (!nearest || check.share() > nearest->share()) nearest = std::move(check);
  }
  return nearest;
}

}  // namespace sxb::analysis
