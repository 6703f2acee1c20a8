// Cluster configs.
#include "config/cluster/cluster.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  const auto json = parse_json(fuzz::text_of(data, size), "cluster.json");
  if (!json.ok()) {
    fuzz::check_errors(json.errors());
    return 0;
  }
  const auto cluster = config::parse_cluster(*json, "cluster.json");
  if (!cluster.ok()) {
    fuzz::check_errors(cluster.errors());
    return 0;
  }
  // A run writes it into its journal and reads it from there again.
  const Json written = config::to_json(*cluster);
  const auto journalled = parse_json(dump(written), "journal");
  SXB_FUZZ_CHECK(journalled.ok());
  const auto again = config::parse_cluster(*journalled, "journal");
  SXB_FUZZ_CHECK(again.ok() && dump(config::to_json(*again)) == dump(written));
  return 0;
}
