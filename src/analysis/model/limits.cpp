#include "analysis/model/limits.h"

#include <fmt/format.h>

namespace sxb::analysis {
namespace {

bool one_of(const std::string& collective, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (collective == name) return true;
  }
  return false;
}

Limit network_limit(double busbw, const std::string& arithmetic) {
  return {busbw, "network line rate", fmt::format("{} = {:.1f} GB/s", arithmetic, busbw)};
}

std::optional<Limit> network_busbw(const std::string& collective, const Placement& p) {
  const double n = p.ranks;
  const double k = p.hosts;
  const double g = n / k;
  const double line = p.network_gBps;
  const std::string nics = fmt::format("{:g} GB/s of NICs per host", line);
  if (collective == "all_reduce") {
    const double out_of_host = p.in_network_reduction ? 1 : 2 * (k - 1) / k;
    const std::string times = p.in_network_reduction ? "1" : fmt::format("(2({:g}-1)/{:g})", k, k);
    return network_limit(2 * (n - 1) / n * line / out_of_host,
                         fmt::format("{} x 2({:g}-1)/{:g} / {}", nics, n, n, times));
  }
  if (one_of(collective, {"all_gather", "reduce_scatter", "gather", "scatter"})) {
    return network_limit(line * (n - 1) / (n - g), fmt::format("{} x ({:g}-1)/({:g}-{:g})", nics, n, n, g));
  }
  if (one_of(collective, {"alltoall", "hypercube"})) {
    return network_limit(line / g * (n - 1) / (n - g),
                         fmt::format("{} / {:g} x ({:g}-1)/({:g}-{:g})", nics, g, n, n, g));
  }
  if (one_of(collective, {"broadcast", "reduce", "sendrecv"})) return Limit{line, "network line rate", nics};
  return std::nullopt;
}

std::optional<Limit> nvlink_busbw(const std::string& collective, const Placement& p) {
  const std::string link = fmt::format("{:g} GB/s NVLink", p.nvlink_gBps);
  if (collective == "all_reduce") {
    const double busbw = p.nvlink_gBps * 2 * (p.ranks - 1) / p.ranks;
    return Limit{busbw, "NVLink",
                 fmt::format("{} x 2({}-1)/{} = {:.1f} GB/s", link, p.ranks, p.ranks, busbw)};
  }
  if (one_of(collective, {"all_gather", "reduce_scatter", "alltoall", "gather", "scatter", "hypercube",
                          "broadcast", "reduce", "sendrecv"})) {
    return Limit{p.nvlink_gBps, "NVLink", link};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Limit> busbw_limit(const std::string& collective, const Placement& placement) {
  if (placement.ranks < 2 || placement.hosts < 1) return std::nullopt;
  if (placement.hosts > 1)
    return placement.network_gBps <= 0 ? std::nullopt : network_busbw(collective, placement);
  return placement.nvlink_gBps <= 0 ? std::nullopt : nvlink_busbw(collective, placement);
}

double all_reduce_wire_gBps(double algbw_gBps, double busbw_gBps, int hosts, bool ring) {
  return hosts == 2 && !ring ? algbw_gBps : busbw_gBps;
}

}  // namespace sxb::analysis
