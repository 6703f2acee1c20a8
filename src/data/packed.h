// Packed instruction data: documents (prompt + response) packed into rows of seq_len tokens, in
// memory-mapped shards. One 32-bit word per token carries everything the trainer needs:
//   bits 0-23 token id | bit 29 padding | bit 30 first token of a document | bit 31 counts in the loss
// "Counts in the loss" marks a token that is to be PREDICTED (response tokens and EOS): position t
// has the target word[t+1] if that word has the loss bit and does not start a document.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace sxb::data {

inline constexpr std::uint32_t kTokenMask = 0x00ffffffu;
inline constexpr std::uint32_t kPaddingBit = 1u << 29;
inline constexpr std::uint32_t kDocumentStartBit = 1u << 30;
inline constexpr std::uint32_t kLossBit = 1u << 31;

/// What preparing gave. `tokens` leaves padding out; `truncated` counts documents cut to seq_len.
struct PrepareSummary {
  std::int64_t documents = 0, truncated = 0, rows = 0, tokens = 0, loss_tokens = 0, padding = 0;
  std::int64_t left_out = 0;  ///< documents whose prompt fills a row: nothing of them would count in the loss
  std::int64_t unknown = 0;   ///< of `tokens` those that the tokenizer has no piece for
  std::string hash;
};

/// A prepared dataset: index.json (tokenizer hash, vocabulary, counts, checksum per shard) + *.bin.
class PackedDataset {
 public:
  /// Opens and verifies: schema, sizes, checksums of every shard. Errors name the file and remedy.
  static Result<PackedDataset> open(const std::filesystem::path& dir);
  PackedDataset(PackedDataset&&) noexcept;
  PackedDataset& operator=(PackedDataset&&) noexcept;
  ~PackedDataset();

  std::int64_t rows() const;
  std::int64_t seq_len() const;
  std::int64_t vocab() const;  ///< of the tokenizer; every id is below it
  std::int64_t bos() const;    ///< first token of every document; -1 = index.json does not say
  std::int64_t eos() const;    ///< last one
  std::int64_t documents() const;
  const PrepareSummary& counts() const;
  /// Rows in which no token counts in the loss: those of earlier builds and of other programs may have some.
  std::int64_t rows_without_loss() const;
  const std::string& name() const;
  const std::string& hash() const;            ///< of the canonical index
  const std::string& tokenizer_hash() const;  ///< hash_hex of the tokenizer's file
  /// Row `i` (seq_len words) straight from the mapping.
  std::span<const std::uint32_t> row(std::int64_t i) const;

 private:
  struct Impl;
  explicit PackedDataset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct PrepareOptions {
  std::filesystem::path dataset;    ///< Alpaca .json (array) or .jsonl
  std::filesystem::path tokenizer;  ///< SentencePiece .model
  std::filesystem::path out;        ///< folder to write; replaced atomically
  std::int64_t seq_len = 2048;
  std::int64_t rows_per_shard = 4096;
  std::string name;
};
/// Tokenises with the Alpaca prompt, packs, writes shards and index. The same input gives the same
/// bytes. `out` must be new, empty or a prepared dataset: anything else is refused, not replaced.
Result<PrepareSummary> prepare(const PrepareOptions& options);

/// Order in which rows are visited: a permutation per epoch drawn from the seed; the global batch of
/// step s is positions [s*B, (s+1)*B) of the endless sequence, so a resumed run continues exactly.
std::int64_t row_at(std::int64_t position, std::int64_t rows, std::uint64_t seed);

}  // namespace sxb::data
