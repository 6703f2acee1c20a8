#include "metrics/rdma.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>
#include <utility>

#include "base/files.h"
#include "metrics/sysfs.h"

namespace sxb::metrics {

namespace fs = std::filesystem;

namespace {

/// One port of an RDMA adapter. Its traffic does not pass the kernel and is not in /proc/net/dev.
class RdmaSource : public Source {
 public:
  RdmaSource(std::string adapter, std::string port, fs::path counters)
      : adapter_(std::move(adapter)), port_(std::move(port)), counters_(std::move(counters)) {}

  bool read(Reading& out) override {
    StampedSample sample = stamped_sample("rdma");
    const auto tx = read_count(counters_ / "port_xmit_data");
    const auto rx = read_count(counters_ / "port_rcv_data");
    if (!tx || !rx) {
      out.missing.push_back(
          {fmt::format("rdma:{}/{}", adapter_, port_),
           fmt::format("{} has no readable port_xmit_data and port_rcv_data", counters_.string())});
      return false;
    }
    constexpr std::int64_t kLane = 4;  // the counters are in words of four bytes (IBTA PortXmitData)
    sample.fields.name = fmt::format("{}/{}", adapter_, port_);
    sample.fields.rx_bytes = *rx * kLane;
    sample.fields.tx_bytes = *tx * kLane;
    out.samples.push_back(std::move(sample));
    return true;
  }

 private:
  std::string adapter_, port_;
  fs::path counters_;
};

/// "400 Gb/sec (4X NDR)" -> 400; 0 if it says nothing.
double rate_gbps(const std::string& text) {
  std::istringstream words(text);
  double rate = 0;
  return (words >> rate) ? rate : 0;
}

fs::path infiniband(const Roots& roots) { return fs::path(roots.sys) / "class/infiniband"; }

}  // namespace

Sources open_rdma_ports(const SamplerOptions& options) {
  Sources sources;
  const fs::path adapters = infiniband(options.roots);
  for (const std::string& adapter : entries(adapters)) {
    const fs::path folder = adapters / adapter / "ports";
    for (const std::string& port : entries(folder)) {
      sources.present.push_back(std::make_unique<RdmaSource>(adapter, port, folder / port / "counters"));
    }
  }
  if (sources.present.empty()) sources.missing.push_back({"rdma", "no RDMA port in " + adapters.string()});
  return sources;
}

std::vector<record::NodeRdma> rdma_adapters(const Roots& roots) {
  std::vector<record::NodeRdma> adapters;
  const fs::path folder = infiniband(roots);
  for (const std::string& name : entries(folder)) {
    record::NodeRdma adapter;
    adapter.name = name;
    double rate = 0;
    for (const std::string& port : entries(folder / name / "ports")) {
      if (const auto text = read_file(folder / name / "ports" / port / "rate")) rate += rate_gbps(*text);
    }
    if (rate > 0) adapter.rate_gbps = rate;
    const PcieLink link = read_pcie_link(folder / name / "device");
    adapter.pcie_generation = link.generation;
    adapter.pcie_lanes = link.lanes;
    adapters.push_back(std::move(adapter));
  }
  return adapters;
}

}  // namespace sxb::metrics
