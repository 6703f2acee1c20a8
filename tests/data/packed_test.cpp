// prepare() and PackedDataset::open(): what is written is what is read, and damage is named.
#include "data/packed.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/files.h"
#include "base/hash.h"
#include "data/alpaca.h"
#include "data/remarks.h"
#include "data/tokenizer.h"
#include "temp_dir.h"

namespace sxb::data {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kData = R"([
  {"instruction": "What is ECN?", "input": "", "output": "Explicit congestion notification."},
  {"instruction": "Explain the error.", "input": "Xid 79", "output": "The GPU has fallen off the bus."},
  {"instruction": "Name the unit of bandwidth.", "input": "", "output": "GB/s"}
])";

class PackedTest : public TempDir {
 protected:
  PackedTest() {
    (void)write_file_atomic(dir_ / "three.json", kData);
    options_.dataset = dir_ / "three.json";
    options_.tokenizer = fs::path(SXB_SOURCE_DIR) / "configs/datasets/cluster-ops/tokenizer.model";
    options_.out = dir_ / "out";
    options_.name = "three";
    options_.seq_len = 256;
    options_.rows_per_shard = 1;
  }

  void prepare_ok() {
    const auto summary = prepare(options_);
    ASSERT_TRUE(summary.ok()) << format_errors(summary.errors());
    summary_ = *summary;
  }
  /// Changes index.json by text.
  void edit_index(const std::string& from, const std::string& to) {
    std::string text = *read_file(options_.out / "index.json");
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    text.replace(at, from.size(), to);
    ASSERT_TRUE(write_file_atomic(options_.out / "index.json", text).ok());
  }
  void expect_open_fails(const std::string& what, const std::string& file) {
    const auto dataset = PackedDataset::open(options_.out);
    ASSERT_FALSE(dataset.ok());
    EXPECT_THAT(dataset.error().what, HasSubstr(what));
    EXPECT_THAT(dataset.error().where, HasSubstr(file));
    EXPECT_THAT(dataset.error().help, HasSubstr("sxbench data prepare"));
  }

  PrepareOptions options_;
  PrepareSummary summary_;
};

TEST_F(PackedTest, ReadsBackWhatWasPrepared) {
  prepare_ok();
  const auto dataset = PackedDataset::open(options_.out);
  ASSERT_TRUE(dataset.ok()) << format_errors(dataset.errors());
  EXPECT_EQ(dataset->name(), "three");
  EXPECT_EQ(dataset->seq_len(), 256);
  EXPECT_EQ(dataset->vocab(), 1024);
  EXPECT_EQ(dataset->tokenizer_hash(), Tokenizer::open(options_.tokenizer)->hash());
  EXPECT_EQ(dataset->documents(), 3);
  EXPECT_EQ(dataset->rows(), summary_.rows);
  EXPECT_EQ(dataset->hash(), summary_.hash);
  EXPECT_EQ(dataset->counts().tokens, summary_.tokens);
  EXPECT_EQ(dataset->counts().loss_tokens, summary_.loss_tokens);
  EXPECT_EQ(summary_.tokens + summary_.padding, summary_.rows * 256);
}

TEST_F(PackedTest, PromptIsMaskedAndResponseDecodesBack) {
  options_.rows_per_shard = 4096;
  prepare_ok();
  const auto dataset = PackedDataset::open(options_.out);
  const auto tokenizer = Tokenizer::open(options_.tokenizer);
  const auto entries = parse_alpaca(kData, "");
  ASSERT_TRUE(dataset.ok() && tokenizer.ok() && entries.ok());
  std::vector<std::string> prompts, texts;  // decoded: tokens without the loss bit; all tokens
  for (std::int64_t r = 0; r < dataset->rows(); ++r) {
    std::vector<std::vector<std::uint32_t>> documents;
    for (const std::uint32_t word : dataset->row(r)) {
      if ((word & kPaddingBit) != 0) continue;
      if ((word & kDocumentStartBit) != 0) documents.emplace_back();
      documents.back().push_back(word);
    }
    for (const auto& words : documents) {
      EXPECT_EQ(words.front(), 1u | kDocumentStartBit);
      EXPECT_EQ(words.back(), 2u | kLossBit);
      // The mask is one step: prompt, then response to the end.
      EXPECT_TRUE(
          std::is_partitioned(words.begin(), words.end(), [](auto w) { return (w & kLossBit) == 0; }));
      std::vector<int> prompt, all;
      for (std::size_t i = 1; i + 1 < words.size(); ++i) {
        const int id = static_cast<int>(words[i] & kTokenMask);
        if ((words[i] & kLossBit) == 0) prompt.push_back(id);
        all.push_back(id);
      }
      prompts.push_back(*tokenizer->decode(prompt));
      texts.push_back(*tokenizer->decode(all));
    }
  }
  ASSERT_EQ(prompts.size(), entries->size());
  for (const Instruction& entry : *entries) {
    EXPECT_THAT(prompts, ::testing::Contains(alpaca_prompt(entry)));
    EXPECT_THAT(texts, ::testing::Contains(alpaca_prompt(entry) + entry.output));
  }
}

TEST_F(PackedTest, TheSameInputGivesTheSameBytes) {
  prepare_ok();
  const std::string first = summary_.hash;
  options_.out = dir_ / "again";
  prepare_ok();
  EXPECT_EQ(summary_.hash, first);
  EXPECT_EQ(*read_file(dir_ / "out/three-00000.bin"), *read_file(dir_ / "again/three-00000.bin"));
}

TEST_F(PackedTest, RowsAreTheSameWhateverTheShards) {
  options_.seq_len = 96;
  prepare_ok();
  ASSERT_GE(summary_.rows, 2);
  const auto one_each = PackedDataset::open(options_.out);
  options_.out = dir_ / "single";
  options_.rows_per_shard = 100;
  prepare_ok();
  const auto single = PackedDataset::open(options_.out);
  ASSERT_TRUE(one_each.ok() && single.ok());
  for (std::int64_t r = 0; r < summary_.rows; ++r) {
    EXPECT_TRUE(std::ranges::equal(one_each->row(r), single->row(r))) << r;
  }
}

TEST_F(PackedTest, ReplacesAnOldDatasetCompletely) {
  prepare_ok();
  options_.name = "renamed";
  prepare_ok();
  EXPECT_EQ(PackedDataset::open(options_.out)->name(), "renamed");
  EXPECT_FALSE(fs::exists(options_.out / "three-00000.bin"));
  // Nothing temporary stays behind.
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 2);
}

TEST_F(PackedTest, NeverReplacesAForeignFolder) {
  ASSERT_TRUE(write_file_atomic(options_.out / "thesis.txt", "years of work").ok());
  const auto summary = prepare(options_);
  ASSERT_FALSE(summary.ok());
  EXPECT_THAT(summary.error().what, HasSubstr("not a prepared dataset"));
  EXPECT_TRUE(fs::exists(options_.out / "thesis.txt"));
}

TEST_F(PackedTest, AcceptsATrailingSlash) {
  options_.out += "/";
  prepare_ok();
  EXPECT_TRUE(PackedDataset::open(dir_ / "out").ok());
  prepare_ok();
  EXPECT_TRUE(PackedDataset::open(dir_ / "out").ok());
}

TEST_F(PackedTest, OptionsAreChecked) {
  auto bad = options_;
  bad.seq_len = 1;
  EXPECT_EQ(prepare(bad).error().where, "--seq-len");
  bad = options_;
  bad.name = "../evil";
  EXPECT_EQ(prepare(bad).error().where, "--name");
  bad = options_;
  bad.seq_len = 8;  // no prompt is that short
  EXPECT_THAT(prepare(bad).error().what, HasSubstr("no response fits"));
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(PackedTest, CountsRowsThatTeachNothing) {
  prepare_ok();
  EXPECT_EQ(PackedDataset::open(options_.out)->rows_without_loss(), 0);
  // As earlier builds wrote them: no word of the row counts in the loss.
  const fs::path file = options_.out / "three-00000.bin";
  std::string bytes = *read_file(file);
  const std::string checksum = hash_hex(bytes);
  for (std::size_t i = 32 + 3; i < bytes.size(); i += 4) bytes[i] = static_cast<char>(bytes[i] & 0x7f);
  ASSERT_TRUE(write_file_atomic(file, bytes).ok());
  edit_index(checksum, hash_hex(bytes));
  const auto dataset = PackedDataset::open(options_.out);
  ASSERT_TRUE(dataset.ok()) << format_errors(dataset.errors());
  EXPECT_EQ(dataset->rows_without_loss(), 1);
  const auto remarks = remarks_on_rows(*dataset);
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_THAT(remarks[0].what, HasSubstr("1 of " + std::to_string(summary_.rows) + " rows"));
}

// The hash names a dataset in every record: what is not there does not change it.
TEST_F(PackedTest, CountsOfWhatIsMissingStandInTheIndexOnlyIfThereIsSome) {
  prepare_ok();
  EXPECT_THAT(*read_file(options_.out / "index.json"), ::testing::Not(HasSubstr("left_out")));
  EXPECT_THAT(*read_file(options_.out / "index.json"), ::testing::Not(HasSubstr("unknown")));
  options_.tokenizer = fs::path(SXB_SOURCE_DIR) / "tests/fixtures/fuzz/tokenizer/bpe_unknown";
  options_.dataset = dir_ / "two.json";
  ASSERT_TRUE(
      write_file_atomic(options_.dataset, R"([{"instruction": "a", "output": "b"}, {"instruction": ")" +
                                              std::string(300, 'e') + R"(", "output": "b"}])")
          .ok());
  options_.seq_len = 300;
  prepare_ok();
  EXPECT_EQ(summary_.left_out, 1);
  EXPECT_EQ(summary_.documents, 1);
  EXPECT_GT(summary_.unknown, 0);
  const auto dataset = PackedDataset::open(options_.out);
  ASSERT_TRUE(dataset.ok()) << format_errors(dataset.errors());
  EXPECT_EQ(dataset->counts().left_out, 1);
  EXPECT_EQ(dataset->counts().unknown, summary_.unknown);
}

TEST_F(PackedTest, ShardsLieInTheFolderAndHaveRows) {
  prepare_ok();
  edit_index("\"three-00000.bin\"", "\"../three-00000.bin\"");
  expect_open_fails("not a plain file name", "index.json");
  edit_index("\"../three-00000.bin\"", "\"three-00000.bin\"");
  // Two whose sum is no int64.
  options_.rows_per_shard = 1;
  options_.seq_len = 96;
  prepare_ok();
  std::string text = *read_file(options_.out / "index.json");
  ASSERT_GE(summary_.rows, 2);
  for (std::size_t at = text.find("\"rows\": 1,"); at != std::string::npos; at = text.find("\"rows\": 1,"))
    text.replace(at, 10, "\"rows\": 9223372036854775807,");
  ASSERT_TRUE(write_file_atomic(options_.out / "index.json", text).ok());
  expect_open_fails("a shard of 9223372036854775807 rows", "index.json");
}

TEST_F(PackedTest, NamesAMissingIndex) { expect_open_fails("has no index.json", "out/index.json"); }

TEST_F(PackedTest, NamesAFlippedBit) {
  prepare_ok();
  const fs::path file = options_.out / "three-00000.bin";
  std::string bytes = *read_file(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  ASSERT_TRUE(write_file_atomic(file, bytes).ok());
  expect_open_fails("checksum", "three-00000.bin");
}

TEST_F(PackedTest, NamesATruncatedShard) {
  prepare_ok();
  fs::resize_file(options_.out / "three-00000.bin", fs::file_size(options_.out / "three-00000.bin") - 4);
  expect_open_fails("it is truncated", "three-00000.bin");
  fs::resize_file(options_.out / "three-00000.bin", 5);
  expect_open_fails("it is truncated", "three-00000.bin");
}

TEST_F(PackedTest, NamesAMissingShard) {
  prepare_ok();
  fs::remove(options_.out / "three-00000.bin");
  expect_open_fails("missing", "three-00000.bin");
}

TEST_F(PackedTest, NamesAWrongSchema) {
  prepare_ok();
  edit_index("\"schema\": 1", "\"schema\": 2");
  expect_open_fails("schema 2, this sxbench reads 1", "index.json");
}

TEST_F(PackedTest, NamesADamagedIndex) {
  prepare_ok();
  edit_index("\"vocab\"", "\"vocabulary\"");
  expect_open_fails("index.json is damaged", "index.json");
}

TEST_F(PackedTest, NamesAVocabularyThatIsTooSmall) {
  prepare_ok();
  edit_index("\"vocab\": 1024", "\"vocab\": 900");
  expect_open_fails("not below the vocabulary of 900", ".bin");
}

TEST_F(PackedTest, NamesAnEmptyDataset) {
  ASSERT_TRUE(
      write_file_atomic(
          options_.out / "index.json",
          R"({"schema": 1, "name": "x", "seq_len": 8, "vocab": 9, "tokenizer_hash": "0", "shards": [], "counts":
      {"documents": 0, "truncated": 0, "rows": 0, "tokens": 0, "loss_tokens": 0, "padding": 0}})")
          .ok());
  expect_open_fails("the dataset is empty", "index.json");
}

}  // namespace
}  // namespace sxb::data
