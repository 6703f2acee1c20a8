#include "metrics/source.h"

namespace sxb::metrics {

const std::vector<OpenSources>& source_kinds() {
  static const std::vector<OpenSources> rows = {open_host, open_nics, open_rdma_ports, open_gpus};
  return rows;
}

}  // namespace sxb::metrics
