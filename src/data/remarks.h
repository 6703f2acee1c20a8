// What the user of a dataset must know of it, though it can be used: for `data prepare` and the findings of a
// run.
#pragma once

#include <string>
#include <vector>

#include "data/packed.h"

namespace sxb::data {

struct Remark {
  const char* severity;  ///< of a finding
  std::string code;
  std::string what, help;
};

/// Documents that were cut or left out, text that the tokenizer does not know. `set_seq_len` is the flag or
/// key to raise.
std::vector<Remark> remarks_on(const PrepareSummary& counts, std::int64_t seq_len,
                               const std::string& set_seq_len);

/// Rows that teach nothing, which preparing does not write any more.
std::vector<Remark> remarks_on_rows(const PackedDataset& dataset);

}  // namespace sxb::data
