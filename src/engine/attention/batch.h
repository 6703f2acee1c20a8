// One micro-batch on its way from the packed shards to the device.
#pragma once

#include <cstdint>
#include <vector>

namespace sxb::engine {

/// T = rows * seq_len tokens of `rows` packed rows, on the host.
struct HostBatch {
  std::int64_t rows = 0;
  std::int64_t seq_len = 0;
  std::vector<std::int32_t> token;     ///< (T)
  std::vector<std::int32_t> target;    ///< (T) token to predict, or -1: not in the loss
  std::vector<std::int32_t> position;  ///< (T) from the start of the document
  std::vector<std::int32_t> start;     ///< (documents + 1) first token of each document, then T
  std::int64_t max_document = 0;       ///< longest document, tokens
  bool whole_rows = true;              ///< every row is one document: no mask is needed
  std::int64_t tokens = 0;             ///< padding excluded
  std::int64_t loss_tokens = 0;
  std::int64_t documents = 0;  ///< padding runs are not documents
  double sum_len_sq = 0;       ///< over documents

  std::int64_t T() const { return rows * seq_len; }
};

}  // namespace sxb::engine
