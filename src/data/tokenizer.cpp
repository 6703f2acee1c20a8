#include "data/tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <exception>
#include <iostream>

#include "base/files.h"
#include "base/hash.h"

namespace sxb::data {
namespace {

// SentencePiece before 0.1.97 (Ubuntu 22.04 has 0.1.96) tells std::cerr while it loads a model without a
// normalisation map, and offers no way to ask it not to. What is wrong with a model, it returns.
class MutedCerr {
 public:
  MutedCerr() : buffer_(std::cerr.rdbuf(nullptr)) {}
  ~MutedCerr() {
    std::cerr.rdbuf(buffer_);  // also clears the failure that writing to no buffer has set
  }
  MutedCerr(const MutedCerr&) = delete;
  MutedCerr& operator=(const MutedCerr&) = delete;

 private:
  std::streambuf* buffer_;
};

/// Of a damaged model the library returns some errors and throws others: its table of pieces throws for an
/// empty one.
bool load(sentencepiece::SentencePieceProcessor& processor, const std::string& bytes) {
  const MutedCerr muted;
  try {
    return !bytes.empty() && processor.LoadFromSerializedProto(bytes).ok();
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

struct Tokenizer::Impl {
  sentencepiece::SentencePieceProcessor processor;
  std::string hash;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::open(const std::filesystem::path& model) {
  SXB_ASSIGN_OR_RETURN(const std::string bytes, read_file(model));
  const char* help = "give the SentencePiece tokenizer.model of the model, e.g. of Llama-2";
  auto impl = std::make_unique<Impl>();
  if (!load(impl->processor, bytes)) {
    return Error{"this is not a SentencePiece model", model.string(), help};
  }
  const auto& processor = impl->processor;
  if (processor.bos_id() < 0 || processor.eos_id() < 0) {
    return Error{fmt::format("the tokenizer has no {} token", processor.bos_id() < 0 ? "BOS" : "EOS"),
                 model.string(), help};
  }
  impl->hash = hash_hex(bytes);
  return Tokenizer(std::move(impl));
}

Result<std::vector<int>> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = impl_->processor.Encode({text.data(), text.size()}, &ids);
  if (!status.ok()) return Error{"cannot tokenise: " + status.ToString(), "", ""};
  return ids;
}

Result<std::string> Tokenizer::decode(const std::vector<int>& ids) const {
  std::string text;
  const auto status = impl_->processor.Decode(ids, &text);
  if (!status.ok()) return Error{"cannot decode the tokens: " + status.ToString(), "", ""};
  return text;
}

std::int64_t Tokenizer::vocab() const { return impl_->processor.GetPieceSize(); }
int Tokenizer::bos() const { return impl_->processor.bos_id(); }
int Tokenizer::eos() const { return impl_->processor.eos_id(); }
int Tokenizer::unknown() const { return impl_->processor.unk_id(); }
const std::string& Tokenizer::hash() const { return impl_->hash; }

}  // namespace sxb::data
