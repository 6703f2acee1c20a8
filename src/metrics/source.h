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

/// An empty sample of `source`, stamped now: call it right before the counters are read, because rates
/// come from the difference of two counters over the difference of their stamps.
inline Json stamped_sample(const char* source) {
  return Json{{"mono_ns", monotonic_ns()}, {"wall_ns", wall_ns()}, {"source", source}};
}

}  // namespace sxb::metrics
