#include "analysis/limits.h"

namespace sxb::analysis {
namespace {

std::optional<double> network_busbw(const std::string& collective, const Placement& p) {
  const double n = p.ranks;
  const double k = p.hosts;
  const double g = n / k;
  const double line = p.network_gBps;
  if (collective == "all_reduce") {
    const double out_of_host = p.in_network_reduction ? 1 : 2 * (k - 1) / k;
    return 2 * (n - 1) / n * line / out_of_host;
  }
  if (collective == "all_gather" || collective == "reduce_scatter") return line * (n - 1) / (n - g);
  if (collective == "alltoall") return line / g * (n - 1) / (n - g);
  if (collective == "broadcast" || collective == "reduce" || collective == "sendrecv") return line;
  return std::nullopt;
}

std::optional<double> nvlink_busbw(const std::string& collective, const Placement& p) {
  if (collective == "all_reduce") return p.nvlink_gBps * 2 * (p.ranks - 1) / p.ranks;
  for (const char* name : {"all_gather", "reduce_scatter", "alltoall", "broadcast", "reduce", "sendrecv"}) {
    if (collective == name) return p.nvlink_gBps;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Limit> busbw_limit(const std::string& collective, const Placement& placement) {
  if (placement.ranks < 2 || placement.hosts < 1) return std::nullopt;
  if (placement.hosts > 1) {
    if (placement.network_gBps <= 0) return std::nullopt;
    const auto busbw = network_busbw(collective, placement);
    return busbw ? std::optional(Limit{*busbw, "network line rate"}) : std::nullopt;
  }
  if (placement.nvlink_gBps <= 0) return std::nullopt;
  const auto busbw = nvlink_busbw(collective, placement);
  return busbw ? std::optional(Limit{*busbw, "NVLink"}) : std::nullopt;
}

double all_reduce_wire_gBps(double algbw_gBps, double busbw_gBps, int hosts, bool ring) {
  return hosts == 2 && !ring ? algbw_gBps : busbw_gBps;
}

}  // namespace sxb::analysis
