#include "data/pack.h"

#include <algorithm>
#include <set>
#include <utility>

namespace sxb::data {

Document make_document(const std::vector<int>& ids, std::size_t prompt_tokens, int bos, int eos) {
  Document words;
  words.reserve(ids.size() + 2);
  words.push_back(static_cast<std::uint32_t>(bos) | kDocumentStartBit);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    words.push_back(static_cast<std::uint32_t>(ids[i]) | (i < prompt_tokens ? 0u : kLossBit));
  }
  words.push_back(static_cast<std::uint32_t>(eos) | kLossBit);
  return words;
}

namespace {

bool counts_in_loss(std::uint32_t word) { return (word & kLossBit) != 0; }

/// Cuts what is too long; leaves out what then teaches nothing.
void cut(std::vector<Document>& documents, std::size_t row_words, PrepareSummary& counts) {
  const auto teaches_nothing = [&](Document& document) {
    if (document.size() <= row_words) return false;
    document.resize(row_words);
    const bool none = std::none_of(document.begin(), document.end(), counts_in_loss);
    ++(none ? counts.left_out : counts.truncated);
    return none;
  };
  std::erase_if(documents, teaches_nothing);
}

}  // namespace

Packed pack(std::vector<Document> documents, std::int64_t seq_len, int unknown) {
  const auto row_words = static_cast<std::size_t>(seq_len);
  std::vector<std::vector<std::uint32_t>> rows;
  std::set<std::pair<std::size_t, std::size_t>> room;  // (free words, row)
  Packed packed;
  cut(documents, row_words, packed.counts);
  for (const Document& document : documents) {
    const auto fit = room.lower_bound({document.size(), 0});
    std::size_t row = rows.size();
    if (fit == room.end()) {
      rows.emplace_back();
    } else {
      row = fit->second;
      room.erase(fit);
    }
    rows[row].insert(rows[row].end(), document.begin(), document.end());
    const std::size_t free_words = row_words - rows[row].size();
    if (free_words > 0) room.emplace(free_words, row);
  }
  packed.words.reserve(rows.size() * row_words);
  for (auto& row : rows) {
    packed.counts.tokens += static_cast<std::int64_t>(row.size());
    packed.counts.loss_tokens += std::count_if(row.begin(), row.end(), counts_in_loss);
    packed.counts.unknown += std::count_if(
        row.begin(), row.end(), [&](auto w) { return static_cast<int>(w & kTokenMask) == unknown; });
    row.resize(row_words, kPaddingBit);
    packed.words.insert(packed.words.end(), row.begin(), row.end());
  }
  packed.counts.documents = static_cast<std::int64_t>(documents.size());
  packed.counts.rows = static_cast<std::int64_t>(rows.size());
  packed.counts.padding = packed.counts.rows * seq_len - packed.counts.tokens;
  return packed;
}

}  // namespace sxb::data
