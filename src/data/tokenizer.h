// A SentencePiece model (Llama's tokenizer.model): text to token ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sxb::data {

class Tokenizer {
 public:
  /// Errors: not a SentencePiece model, or a model without BOS or EOS.
  static Result<Tokenizer> open(const std::filesystem::path& model);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids without BOS and EOS. Without byte fallback, text that no piece has becomes unknown().
  Result<std::vector<int>> encode(std::string_view text) const;
  Result<std::string> decode(const std::vector<int>& ids) const;

  std::int64_t vocab() const;
  int bos() const;
  int eos() const;
  int unknown() const;              ///< the id of text that it has no piece for; -1: none
  const std::string& hash() const;  ///< of the model file

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sxb::data
