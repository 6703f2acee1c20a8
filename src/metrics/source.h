// What the sampler reads at every tick.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "record/kinds/node.h"

namespace sxb::metrics {

struct Missing {
  std::string name;  ///< "gpu3", "gpu3:power_w", "nic:eth0", "rdma" ...
  std::string reason;
};

/// A sample and when it was taken: rates come from the difference of two counters over the difference of
/// their stamps.
struct StampedSample {
  std::int64_t mono_ns = 0, wall_ns = 0;
  record::Sample fields;
};
/// Of `source`, stamped now: call it right before the counters are read.
StampedSample stamped_sample(const char* source);
/// The data of its record.
Json data_of(const StampedSample& sample);

/// What one source gives at one tick.
struct Reading {
  std::vector<StampedSample> samples;
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

}  // namespace sxb::metrics
