// Hostfiles.
#include "config/cluster/cluster.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  static fuzz::MemoryFile file;
  const auto cluster = config::load_hostfile(file.put(fuzz::text_of(data, size)));
  if (!cluster.ok()) {
    fuzz::check_errors(cluster.errors());
    return 0;
  }
  SXB_FUZZ_CHECK(!cluster->nodes.empty());
  const Json json = config::to_json(*cluster);
  const auto again = config::parse_cluster(json, "again");
  SXB_FUZZ_CHECK(again.ok() && config::to_json(*again) == json);
  return 0;
}
