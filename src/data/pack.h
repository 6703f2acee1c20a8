// Documents into rows of seq_len words (packed.h has the meaning of the bits).
#pragma once

#include <cstdint>
#include <vector>

#include "data/packed.h"

namespace sxb::data {

using Document = std::vector<std::uint32_t>;  ///< words, the first with kDocumentStartBit

/// BOS prompt response EOS as words; response and EOS carry kLossBit. `prompt_tokens` is the number
/// of leading `ids` that belong to the prompt.
Document make_document(const std::vector<int>& ids, std::size_t prompt_tokens, int bos, int eos);

struct Packed {
  std::vector<std::uint32_t> words;  ///< (rows, seq_len)
  PrepareSummary counts;             ///< all but the hash
};
/// Puts each document whole into one row, in the given order, into the row with the least room that
/// still holds it (the oldest among equals). Not longest first: rows with a like mix of lengths cost
/// the ranks of a step the same attention time. Documents beyond seq_len are cut to it and counted; one that
/// then has no token that counts in the loss is left out, and counted as that. `unknown` is the id to count.
Packed pack(std::vector<Document> documents, std::int64_t seq_len, int unknown = -1);

}  // namespace sxb::data
