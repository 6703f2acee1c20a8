// What the sampler reads at every tick.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace sxb::metrics {

struct Missing {
  std::string name;  ///< "gpu3", "gpu3:power_w", "nic:eth0", "rdma" ...
  std::string reason;
};

/// What one source gives at one tick.
struct Reading {
  std::vector<Json> samples;
  std::vector<Missing> missing;  ///< what it has lost since the last tick
};

class Source {
 public:
  virtual ~Source() = default;
  /// Appends to `out`. False: the source is gone for good (`out.missing` says why); not called again.
  virtual bool read(Reading& out) = 0;
};

struct Sources {
  std::vector<std::unique_ptr<Source>> present;
  std::vector<Missing> missing;
};

struct SamplerOptions;
/// What a machine has of one kind of source.
using OpenSources = Sources (*)(const SamplerOptions& options);
/// Every kind, in the order in which they are read. A new kind is a file with its function, declared below,
/// and its row.
const std::vector<OpenSources>& source_kinds();

Sources open_host(const SamplerOptions& options);        ///< CPU and memory
Sources open_nics(const SamplerOptions& options);        ///< network interfaces
Sources open_rdma_ports(const SamplerOptions& options);  ///< each port of each RDMA adapter
/// Each of the options' GPUs. Fields that a GPU does not offer are listed in Sources::missing as
/// "gpu<index>:<fields>" and then left out of its samples.
Sources open_gpus(const SamplerOptions& options);

/// An empty sample of `source`, stamped now: call it right before the counters are read, because rates
/// come from the difference of two counters over the difference of their stamps.
inline Json stamped_sample(const char* source) {
  return Json{{"mono_ns", monotonic_ns()}, {"wall_ns", wall_ns()}, {"source", source}};
}

}  // namespace sxb::metrics
