// Node sets, and the lists of counts beside them.
#include <algorithm>
#include <vector>

#include "config/cluster/node_set.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto counts = config::parse_count_list(text, "--nodes"); counts.ok()) {
    for (const int count : *counts) SXB_FUZZ_CHECK(count >= 1);
  }
  const auto names = config::expand_node_set(text, {{"rack1", {"node001", "node002"}}});
  if (!names.ok()) {
    fuzz::check_errors(names.errors());
    return 0;
  }
  // Folded and expanded again they are the same nodes.
  const auto again = config::expand_node_set(config::fold_node_set(*names));
  SXB_FUZZ_CHECK(again.ok());
  std::vector<std::string> before = *names, after = *again;
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  SXB_FUZZ_CHECK(!before.empty() && before == after);
  SXB_FUZZ_CHECK(std::adjacent_find(before.begin(), before.end()) == before.end());
  return 0;
}
