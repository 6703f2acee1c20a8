// What the node is: host, GPUs, interfaces, and how the GPUs are linked.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/build_info.h"
#include "base/files.h"
#include "base/text.h"
#include "metrics/host.h"
#include "metrics/nic.h"
#include "metrics/nvml.h"
#include "metrics/rdma.h"
#include "metrics/sampler.h"

namespace sxb::metrics {
namespace {

using nvml::call;
using nvml::kSuccess;

struct OpenGpu {
  int index;
  nvml::Device device;
};

std::vector<OpenGpu> opened_gpus(const Nvml& nvml, const std::vector<int>& wanted) {
  std::vector<OpenGpu> gpus;
  for (const int index : nvml.indices(wanted)) {
    if (const auto device = nvml.device(index)) gpus.push_back({index, *device});
  }
  return gpus;
}

std::string format_pci(const nvml::PciInfo& pci) {
  return fmt::format("{:04x}:{:02x}:{:02x}", pci.domain, pci.bus, pci.device);
}

Gpu describe_gpu(const nvml::Api& api, const OpenGpu& gpu) {
  Gpu facts;
  facts.index = gpu.index;
  char text[nvml::kTextSize] = {};
  if (call(api.name, gpu.device, text, nvml::kTextSize) == kSuccess) facts.name = text;
  if (call(api.uuid, gpu.device, text, nvml::kTextSize) == kSuccess) facts.uuid = text;
  nvml::PciInfo pci{};
  if (call(api.pci_info, gpu.device, &pci) == kSuccess) facts.pci = format_pci(pci);
  nvml::MemoryV2 memory{};
  memory.version = nvml::kMemoryV2Version;
  if (call(api.memory_info, gpu.device, &memory) == kSuccess) {
    facts.memory_bytes = static_cast<std::int64_t>(memory.total);
  }
  return facts;
}

/// The links that are up; nothing if this GPU has no NVLink at all.
std::optional<std::vector<unsigned>> active_links(const nvml::Api& api, nvml::Device device) {
  std::optional<std::vector<unsigned>> links;
  for (unsigned link = 0; link < nvml::kNvlinkMaxLinks; ++link) {
    unsigned active = 0;
    if (call(api.nvlink_state, device, link, &active) != kSuccess) continue;
    if (!links) links.emplace();
    if (active == nvml::kFeatureEnabled) links->push_back(link);
  }
  return links;
}

record::NodeGpu node_gpu(const nvml::Api& api, const OpenGpu& gpu) {
  const Gpu known = describe_gpu(api, gpu);
  record::NodeGpu facts;
  facts.index = known.index;
  facts.name = known.name;
  facts.uuid = known.uuid;
  facts.pci = known.pci;
  if (known.memory_bytes > 0) facts.memory_bytes = known.memory_bytes;
  unsigned value = 0;
  if (call(api.power_limit, gpu.device, &value) == kSuccess) facts.power_limit_w = value / 1000.0;
  if (call(api.max_clock, gpu.device, nvml::kClockSm, &value) == kSuccess) facts.sm_clock_max_mhz = value;
  if (call(api.clock, gpu.device, nvml::kClockSm, &value) == kSuccess) facts.sm_clock_mhz = value;
  const auto is_on = [&] { return value == nvml::kFeatureEnabled; };
  unsigned pending = 0;  // what holds after the next reboot
  if (call(api.persistence, gpu.device, &value) == kSuccess) facts.persistence = is_on();
  if (call(api.ecc, gpu.device, &value, &pending) == kSuccess) facts.ecc = is_on();
  if (call(api.mig, gpu.device, &value, &pending) == kSuccess) facts.mig = is_on();
  if (const auto links = active_links(api, gpu.device)) {
    facts.nvlinks = static_cast<std::int64_t>(links->size());
  }
  return facts;
}

/// Links from `a` straight to `b`; switches in between do not count here.
std::size_t direct_links(const nvml::Api& api, const OpenGpu& a, const OpenGpu& b) {
  nvml::PciInfo target{};
  const auto links = active_links(api, a.device);
  if (!links || call(api.pci_info, b.device, &target) != kSuccess) return 0;
  return static_cast<std::size_t>(std::count_if(links->begin(), links->end(), [&](unsigned link) {
    nvml::PciInfo remote{};
    return call(api.nvlink_remote, a.device, link, &remote) == kSuccess &&
           format_pci(remote) == format_pci(target);
  }));
}

std::string pcie_path(const nvml::Api& api, const OpenGpu& a, const OpenGpu& b) {
  int level = -1;
  if (call(api.common_ancestor, a.device, b.device, &level) != kSuccess) return "?";
  switch (level) {
    case nvml::kTopologyInternal:
    case nvml::kTopologySingle:
      return "PIX";
    case nvml::kTopologyMultiple:
      return "PXB";
    case nvml::kTopologyHostBridge:
      return "PHB";
    case nvml::kTopologyNode:
      return "NODE";
    case nvml::kTopologySystem:
      return "SYS";
    default:
      return "?";
  }
}

/// One cell of the matrix, in the words of `nvidia-smi topo -m`.
std::string path_between(const nvml::Api& api, const OpenGpu& a, const OpenGpu& b) {
  if (a.index == b.index) return "X";
  std::size_t links = direct_links(api, a, b);
  int p2p = -1;
  if (links == 0 && call(api.p2p_status, a.device, b.device, nvml::kP2pCapsNvlink, &p2p) == kSuccess &&
      p2p == nvml::kP2pStatusOk) {
    // Through NVSwitch: all links of a GPU go to switches, so the one with fewer of them is the limit.
    const auto from = active_links(api, a.device);
    const auto to = active_links(api, b.device);
    if (from && to) links = std::min(from->size(), to->size());
  }
  return links > 0 ? fmt::format("NV{}", links) : pcie_path(api, a, b);
}

std::vector<std::vector<std::string>> topology(const nvml::Api& api, const std::vector<OpenGpu>& gpus) {
  std::vector<std::vector<std::string>> matrix;
  for (const OpenGpu& a : gpus) {
    std::vector<std::string>& row = matrix.emplace_back();
    for (const OpenGpu& b : gpus) row.push_back(path_between(api, a, b));
  }
  return matrix;
}

/// What /proc and /etc say; a fact they do not give is left out.
record::Node host_facts(const Roots& roots) {
  record::Node facts;
  if (const auto text = read_file(roots.proc + "/sys/kernel/hostname")) facts.hostname = trim(*text);
  facts.build_id = build_id();
  if (const auto text = read_file(roots.etc + "/os-release"))
    facts.os = first_value(*text, "PRETTY_NAME", '=');
  if (const auto text = read_file(roots.proc + "/sys/kernel/osrelease")) facts.kernel = trim(*text);
  if (const auto text = read_file(roots.proc + "/cpuinfo")) {
    facts.cpu_model = first_value(*text, "model name", ':');
    const auto lines = split(*text, '\n');
    const auto cpus = std::count_if(lines.begin(), lines.end(),
                                    [](const std::string& line) { return line.starts_with("processor"); });
    if (cpus > 0) facts.cpus = cpus;
  }
  if (const auto text = read_file(roots.proc + "/meminfo")) {
    if (const std::int64_t bytes = meminfo_bytes(*text, "MemTotal"); bytes > 0) facts.memory_bytes = bytes;
  }
  return facts;
}

}  // namespace

std::vector<Gpu> list_gpus(const Roots& roots) {
  std::vector<Gpu> list;
  const auto nvml = Nvml::open(roots.nvml_library);
  if (!nvml) return list;
  for (const int index : (*nvml)->indices({})) {
    // One that does not answer is still a GPU of this machine: without it the others would change their
    // numbers.
    const auto device = (*nvml)->device(index);
    list.push_back(device.ok() ? describe_gpu((*nvml)->api(), {index, *device}) : Gpu{index, "", "", "", 0});
  }
  return list;
}

record::Node node_facts(const std::vector<int>& gpus, const Roots& roots) {
  record::Node facts = host_facts(roots);
  if (const auto nvml = Nvml::open(roots.nvml_library)) {
    facts.driver = (*nvml)->driver();
    const std::vector<OpenGpu> open = opened_gpus(**nvml, gpus);
    for (const OpenGpu& gpu : open) facts.gpus.push_back(node_gpu((*nvml)->api(), gpu));
    facts.topology = topology((*nvml)->api(), open);
  }
  facts.nics = network_interfaces(roots);
  facts.rdma = rdma_adapters(roots);
  return facts;
}

}  // namespace sxb::metrics
