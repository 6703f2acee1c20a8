// SentencePiece models.
#include <vector>

#include "data/tokenizer.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  static fuzz::MemoryFile file;
  const auto tokenizer = data::Tokenizer::open(file.put(fuzz::text_of(data, size)));
  if (!tokenizer.ok()) {
    fuzz::check_errors(tokenizer.errors());
    return 0;
  }
  SXB_FUZZ_CHECK(tokenizer->bos() >= 0 && tokenizer->bos() < tokenizer->vocab());
  SXB_FUZZ_CHECK(tokenizer->eos() >= 0 && tokenizer->eos() < tokenizer->vocab());
  for (const char* text : {"", "What is ECN? A mark.\n", "  Größe 12345 µs → 日本語\t"}) {
    const auto ids = tokenizer->encode(text);
    if (!ids.ok()) continue;
    for (const int id : *ids) SXB_FUZZ_CHECK(id >= 0 && id < tokenizer->vocab());
    static_cast<void>(tokenizer->decode(*ids));
  }
  return 0;
}
