// `sxbench data prepare` and `sxbench data info` as a user types them.
#include <gmock/gmock.h>

#include "base/files.h"
#include "base/json.h"
#include "cli/verbs/verbs.h"
#include "temp_dir.h"

namespace sxb::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

class DataVerb : public data::TempDir {
 protected:
  ExitCode run(const std::string& arguments) {
    CLI::App app;
    ExitCode result = ExitCode::kTaskFailed;
    add_data(app, result);
    CaptureStdout();
    CaptureStderr();
    app.parse("data " + arguments);
    out_ = GetCapturedStdout();
    err_ = GetCapturedStderr();
    return result;
  }
  std::string folder() const { return (dir_ / "ops").string(); }
  std::string out_, err_;
};

TEST_F(DataVerb, PreparesTheShippedDatasetByName) {
  ASSERT_EQ(run("prepare --dataset cluster-ops --seq-len 1024 --out " + folder()), ExitCode::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("prepared " + folder()));
  EXPECT_THAT(out_, HasSubstr("truncated    0\n"));
  EXPECT_EQ(err_, "");

  ASSERT_EQ(run("info " + folder() + " --json"), ExitCode::kOk) << err_;
  const auto info = parse_json(out_, "info");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ((*info)["name"], "cluster-ops");
  EXPECT_EQ((*info)["seq_len"], 1024);
  EXPECT_EQ((*info)["vocab"], 1024);
  EXPECT_EQ((*info)["truncated"], 0);
  const auto rows = (*info)["rows"].get<std::int64_t>();
  const auto padding = (*info)["padding"].get<std::int64_t>();
  EXPECT_EQ((*info)["tokens"].get<std::int64_t>() + padding, rows * 1024);
  EXPECT_LT(static_cast<double>(padding), 0.1 * static_cast<double>(rows) * 1024) << "packing fills its rows";

  ASSERT_EQ(run("info " + folder()), ExitCode::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("cluster-ops (vocabulary 1024)"));
}

TEST_F(DataVerb, WarnsAboutCutDocuments) {
  ASSERT_EQ(run("prepare --dataset cluster-ops --seq-len 128 --out " + folder()), ExitCode::kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("were cut to 128 tokens"));
  EXPECT_THAT(err_, HasSubstr("--seq-len"));
}

TEST_F(DataVerb, SaysWhatWillNotBeLearned) {
  const std::string file = (dir_ / "data.json").string();
  ASSERT_TRUE(write_file_atomic(file, R"([{"instruction": "a", "output": "b"}, {"instruction": ")" +
                                          std::string(400, 'e') + R"(", "output": "b"}])")
                  .ok());
  const std::string tokenizer = SXB_SOURCE_DIR "/tests/fixtures/fuzz/tokenizer/bpe_unknown";
  ASSERT_EQ(
      run("prepare --dataset " + file + " --tokenizer " + tokenizer + " --seq-len 300 --out " + folder()),
      ExitCode::kOk)
      << err_;
  EXPECT_THAT(out_, HasSubstr("documents    1\n"));
  EXPECT_THAT(out_, HasSubstr("left out     1\n"));
  EXPECT_THAT(err_, HasSubstr("1 document was left out"));
  EXPECT_THAT(err_, HasSubstr("raise --seq-len"));
  EXPECT_THAT(err_, HasSubstr("are the tokenizer's unknown token"));
  ASSERT_EQ(run("info " + folder() + " --json"), ExitCode::kOk) << err_;
  const auto info = parse_json(out_, "info");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ((*info)["left_out"], 1);
  EXPECT_EQ((*info)["rows_without_loss"], 0);
  EXPECT_GT((*info)["unknown"], 0);
}

TEST_F(DataVerb, ShippedTokenizerServesAnyDataset) {
  const std::string file = (dir_ / "my data.json").string();
  ASSERT_TRUE(write_file_atomic(file, R"([{"instruction": "What is ECN?", "output": "A mark."}])").ok());
  ASSERT_EQ(run("prepare --dataset '" + file + "' --tokenizer cluster-ops --out " + folder()), ExitCode::kOk)
      << err_;
  EXPECT_TRUE(std::filesystem::exists(dir_ / "ops" / "my-data-00000.bin"));
}

TEST_F(DataVerb, ErrorsSayWhatToDo) {
  EXPECT_EQ(run("prepare --dataset cluster-opps --out " + folder()), ExitCode::kUsage);
  EXPECT_THAT(err_, HasSubstr("did you mean \"cluster-ops\"?"));
  EXPECT_EQ(out_, "");
  const std::string file = (dir_ / "my data.json").string();
  ASSERT_TRUE(write_file_atomic(file, R"([{"instruction": "What is ECN?", "output": "A mark."}])").ok());
  EXPECT_EQ(run("prepare --dataset '" + file + "' --out " + folder()), ExitCode::kUsage);
  EXPECT_THAT(err_, HasSubstr("--tokenizer PATH"));
  EXPECT_EQ(run("prepare --dataset " + dir_.string() + " --out " + folder()), ExitCode::kUsage);
  EXPECT_THAT(err_, HasSubstr("not a prepared dataset"));
  EXPECT_EQ(run("info " + folder()), ExitCode::kUsage);
  EXPECT_THAT(err_, HasSubstr("not a prepared dataset"));
  EXPECT_FALSE(std::filesystem::exists(folder()));
}

}  // namespace
}  // namespace sxb::cli
