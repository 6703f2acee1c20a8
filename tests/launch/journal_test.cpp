#include "launch/journal.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "sxbench/base/files.h"
#include "sxbench/base/text.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-journal-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(dir_); }

  static record::Record make(const char* kind, Json data = Json::object()) {
    return {kind, "t1", "n1", 0, 1, 2, std::move(data)};
  }
  std::vector<std::string> lines(const fs::path& path) {
    Result<std::string> text = read_file(path);
    EXPECT_TRUE(text.ok()) << path;
    if (!text.ok()) return {};
    EXPECT_TRUE(text->empty() || text->back() == '\n') << "torn line in " << path;
    std::vector<std::string> result = split(*text, '\n');
    result.pop_back();
    return result;
  }
  fs::path dir_;
};

TEST_F(JournalTest, CreatesTheRunFolderAndPointsLatestAtIt) {
  const Result<Journal> journal = Journal::create(dir_ / "results", "smoke", "abcdef0123");
  ASSERT_TRUE(journal.ok()) << format_errors(journal.errors());
  EXPECT_THAT(journal->run_id(), ::testing::MatchesRegex("[0-9]{8}T[0-9]{6}Z-smoke-abcdef"));
  EXPECT_EQ(fs::read_symlink(dir_ / "results" / "latest"), journal->run_id());
  EXPECT_TRUE(fs::is_directory(journal->dir() / "samples"));
  EXPECT_TRUE(fs::is_directory(journal->dir() / "logs"));
}

TEST_F(JournalTest, TwoRunsOfOneSecondGetTwoFolders) {
  const Result<Journal> first = Journal::create(dir_, "a", "abcdef");
  const Result<Journal> second = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->dir(), second->dir());
  EXPECT_EQ(fs::read_symlink(dir_ / "latest"), second->run_id());
}

TEST_F(JournalTest, SortsRecordsByKind) {
  Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->append(make(record::kind::kStep, {{"step", 1}})).ok());
  ASSERT_TRUE(journal->append(make(record::kind::kSample, {{"source", "gpu"}})).ok());
  ASSERT_TRUE(journal->append(make(record::kind::kHeartbeat)).ok());
  ASSERT_TRUE(journal->log("n1", "hello").ok());
  ASSERT_TRUE(journal->sync().ok());
  ASSERT_TRUE(journal->log("n1", "again").ok());
  const std::vector<std::string> records = lines(journal->dir() / "records.jsonl");
  ASSERT_EQ(records.size(), 1u);
  const Result<Json> json = parse_json(records[0], "test");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(record::parse_record(*json, "test")->data["step"], 1);
  EXPECT_EQ(lines(journal->dir() / "samples" / "t1-n1.jsonl").size(), 1u);
  EXPECT_THAT(lines(journal->dir() / "logs" / "n1.log"), ::testing::ElementsAre("hello", "again"));
}

TEST_F(JournalTest, KeepsTheEventsOfATraceInAFileOfTheirOwn) {
  Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(journal.ok());
  const Json events = {{{"name", "forward"}, {"ph", "X"}}};
  ASSERT_TRUE(journal->append(make(record::kind::kTrace, {{"events", Json::array()}})).ok());
  ASSERT_TRUE(journal->append(make(record::kind::kTrace, {{"events", events}})).ok());  // a second attempt
  const Result<Json> kept = load_json(journal->dir() / "traces" / "t1-rank0.json");
  ASSERT_TRUE(kept.ok()) << format_errors(kept.errors());
  EXPECT_EQ(*kept, events);
  EXPECT_TRUE(lines(journal->dir() / "records.jsonl").empty());
}

TEST_F(JournalTest, AFullDiskIsAnErrorAndLeavesWholeLines) {
  const fs::path path = dir_ / "file";
  const pid_t child = ::fork();
  if (child == 0) {
    // A limit on the file size stops a write half-way, as a full disk does.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {25, 25};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Result<LineFile> file = LineFile::open(path);
    if (!file.ok() || !file->append("0123456789").ok() || !file->append("0123456789").ok()) ::_exit(1);
    ::_exit(file->append("0123456789").ok() ? 2 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(lines(path).size(), 2u);
}

TEST_F(JournalTest, TheErrorOfAFullDiskNamesTheRemedy) {
  Result<LineFile> full = LineFile::open("/dev/full");
  ASSERT_TRUE(full.ok());
  const Status status = full->append("x");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, HasSubstr("No space left"));
  EXPECT_THAT(status.error().help, HasSubstr("--out"));
  EXPECT_EQ(status.error().code, ExitCode::kEnvironment);
}

}  // namespace
}  // namespace sxb::launch
