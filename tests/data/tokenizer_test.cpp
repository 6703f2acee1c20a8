#include "data/tokenizer.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "temp_dir.h"

namespace sxb::data {
namespace {

using ::testing::HasSubstr;

Tokenizer shipped() {
  return *Tokenizer::open(std::filesystem::path(SXB_SOURCE_DIR) /
                          "configs/datasets/cluster-ops/tokenizer.model");
}

TEST(Tokenizer, HasLlamasLayout) {
  const Tokenizer tokenizer = shipped();
  EXPECT_EQ(tokenizer.vocab(), 1024);
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_EQ(tokenizer.eos(), 2);
  EXPECT_EQ(tokenizer.hash().size(), 32u);
}

TEST(Tokenizer, RoundTripsWhatItNeverSaw) {
  const Tokenizer tokenizer = shipped();
  for (const std::string text : {"NCCL_IB_HCA==mlx5_0", "  two spaces,\n\ttab\n\n",
                                 "Größe 12345 µs → 日本語 🙂", "</s><s>"}) {
    const auto ids = tokenizer.encode(text);
    ASSERT_TRUE(ids.ok());
    for (const int id : *ids) {
      EXPECT_GT(id, 2) << "control and unknown tokens never come from text";
      EXPECT_LT(id, tokenizer.vocab());
    }
    EXPECT_EQ(*tokenizer.decode(*ids), text);
  }
}

TEST(Tokenizer, SplitsDigits) {
  const Tokenizer tokenizer = shipped();
  EXPECT_EQ(tokenizer.encode("a12345")->size(), tokenizer.encode("a")->size() + 5);
}

TEST(Tokenizer, WithoutByteFallbackSaysWhatItDoesNotKnow) {
  const auto tokenizer =
      Tokenizer::open(std::filesystem::path(SXB_SOURCE_DIR) / "tests/fixtures/fuzz/tokenizer/bpe_unknown");
  ASSERT_TRUE(tokenizer.ok()) << format_errors(tokenizer.errors());
  EXPECT_EQ(tokenizer->unknown(), 0);
  EXPECT_THAT(*tokenizer->encode("a日a"), ::testing::Contains(0));
  EXPECT_THAT(*tokenizer->encode("the"), ::testing::Not(::testing::Contains(0)));
  EXPECT_THAT(*shipped().encode("a日a"), ::testing::Not(::testing::Contains(0)));
}

// Found by the fuzz target: the library throws for a piece without text.
TEST(Tokenizer, ADamagedModelIsAnErrorAndNoException) {
  const auto tokenizer =
      Tokenizer::open(std::filesystem::path(SXB_SOURCE_DIR) / "tests/fixtures/fuzz/tokenizer/empty_piece");
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(tokenizer.error().what, HasSubstr("not a SentencePiece model"));
}

class TokenizerFile : public TempDir {};

TEST_F(TokenizerFile, RefusesOtherFiles) {
  const auto file = dir_ / "tokenizer.model";
  EXPECT_FALSE(Tokenizer::open(file).ok());
  for (const char* content : {"", "{\"version\": \"1.0\"}"}) {
    ASSERT_TRUE(write_file_atomic(file, content).ok());
    const auto tokenizer = Tokenizer::open(file);
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_THAT(tokenizer.error().what, HasSubstr("not a SentencePiece model"));
    EXPECT_EQ(tokenizer.error().where, file.string());
  }
}

}  // namespace
}  // namespace sxb::data
