#include "data/remarks.h"

#include <fmt/format.h>

namespace sxb::data {
namespace {

std::string documents(std::int64_t count) {
  return count == 1 ? "1 document was" : fmt::format("{} documents were", count);
}

}  // namespace

std::vector<Remark> remarks_on(const PrepareSummary& counts, std::int64_t seq_len,
                               const std::string& set_seq_len) {
  std::vector<Remark> remarks;
  if (counts.left_out > 0) {
    remarks.push_back(
        {"warning", "documents_left_out",
         fmt::format("{} left out: the prompt alone fills a row of {} tokens, so nothing of the response "
                     "would be learned",
                     documents(counts.left_out), seq_len),
         fmt::format("raise {} to train on them", set_seq_len)});
  }
  if (counts.truncated > 0) {
    remarks.push_back({"info", "documents_cut",
                       fmt::format("{} cut to {} tokens", documents(counts.truncated), seq_len),
                       fmt::format("raise {} to keep them whole", set_seq_len)});
  }
  if (counts.unknown > 0) {
    remarks.push_back(
        {"warning", "unknown_tokens",
         fmt::format("{} of {} tokens are the tokenizer's unknown token: it has no piece for that text",
                     counts.unknown, counts.tokens),
         "use a tokenizer with byte fallback, as Llama's, or one made for this text"});
  }
  return remarks;
}

std::vector<Remark> remarks_on_rows(const PackedDataset& dataset) {
  const std::int64_t rows = dataset.rows_without_loss();
  if (rows == 0) return {};
  return {
      {"warning", "rows_without_loss",
       fmt::format("{} of {} rows of the dataset have no token that counts in the loss: they teach nothing",
                   rows, dataset.rows()),
       "prepare it again with this sxbench, which leaves such documents out"}};
}

}  // namespace sxb::data
