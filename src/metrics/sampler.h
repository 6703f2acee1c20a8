// What the node does while the ranks work: GPU, network and host samples on the node's monotonic
// clock, and the facts of the node itself. Sources that a machine lacks are reported as missing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "metrics/source.h"

namespace sxb::metrics {

/// Where /proc and /sys and the NVML library are; tests point them at a fake tree.
struct Roots {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string etc = "/etc";
  std::string nvml_library = "libnvidia-ml.so.1";
};

struct Gpu {
  int index = 0;  ///< NVML order
  std::string name;
  std::string uuid;
  std::string pci;  ///< dddd:bb:dd, as in the "device" record
  std::int64_t memory_bytes = 0;
};
/// The GPUs that NVML finds, one that does not answer with its index alone; empty (not an error) on a machine
/// without NVIDIA driver.
std::vector<Gpu> list_gpus(const Roots& roots = {});

/// `gpus` = the indices that this node owns, empty = all.
record::Node node_facts(const std::vector<int>& gpus, const Roots& roots = {});

struct SamplerOptions {
  std::int64_t interval_ns = 100'000'000;  ///< 10 Hz
  std::vector<int> gpus;                   ///< NVML indices to sample, empty = all
  Roots roots;
};

/// Samples in its own thread from construction to destruction. `sink` gets one JSON object per
/// source and tick, from that thread; see docs/metrics.md for the fields:
///   {"mono_ns","wall_ns","source":"gpu","index",...} {"source":"nic","name",...} {"source":"host",...}
/// and once {"source":"missing","name","reason"} for each source or field that this machine lacks or loses.
class Sampler {
 public:
  using Sink = std::function<void(const Json&)>;
  Sampler(const SamplerOptions& options, Sink sink, const std::vector<OpenSources>& kinds = source_kinds());
  ~Sampler();  ///< stops and joins; the last tick is complete
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sxb::metrics
