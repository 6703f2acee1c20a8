#include "metrics/source.h"

#include "base/clock.h"
#include "record/typed.h"

namespace sxb::metrics {

StampedSample stamped_sample(const char* source) {
  StampedSample sample;
  sample.mono_ns = monotonic_ns();
  sample.wall_ns = wall_ns();
  sample.fields.source = source;
  return sample;
}

Json data_of(const StampedSample& sample) {
  Json data = {{"mono_ns", sample.mono_ns}, {"wall_ns", sample.wall_ns}};
  data.update(record::write(sample.fields));
  return data;
}

const std::vector<OpenSources>& source_kinds() {
  static const std::vector<OpenSources> rows = {open_host, open_nics, open_rdma_ports, open_gpus};
  return rows;
}

}  // namespace sxb::metrics
