#include "launch/head/journal.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/files.h"
#include "base/text.h"

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
  Result<Journal> journal = Journal::create(dir_ / "results", "smoke", "abcdef0123");
  ASSERT_TRUE(journal.ok()) << format_errors(journal.errors());
  EXPECT_FALSE(fs::is_symlink(dir_ / "results" / "latest")) << "not before there is something to resume";
  ASSERT_TRUE(journal->publish().ok());
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

class ReopenTest : public JournalTest {
 protected:
  void SetUp() override {
    JournalTest::SetUp();
    Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
    ASSERT_TRUE(journal.ok());
    run_ = journal->dir();
    record::Record run = make(record::kind::kRun, {{"name", "a"}});
    run.task = run.node = "";  // the head's
    ASSERT_TRUE(journal->append(run).ok());
    ASSERT_TRUE(journal->append(make(record::kind::kTaskStart, {{"attempt", 1}})).ok());
    ASSERT_TRUE(journal->append(make(record::kind::kTaskEnd, {{"status", "ok"}})).ok());
  }
  fs::path run_;
};

TEST_F(ReopenTest, GoesOnAfterACutAtAnyByte) {
  const fs::path file = run_ / "records.jsonl";
  const std::string whole = *read_file(file);
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t size = last; size <= whole.size(); ++size) {
    fs::resize_file(file, 0);
    std::ofstream(file) << whole.substr(0, size);
    {
      Result<Journal> journal = Journal::reopen(run_);
      ASSERT_TRUE(journal.ok()) << format_errors(journal.errors());
      const bool kept = size >= whole.size() - 1;  // all but perhaps the newline
      EXPECT_EQ(journal->torn_bytes(), kept ? 0 : size - last) << size;
      ASSERT_TRUE(journal->append(make(record::kind::kRunEnd)).ok());
      EXPECT_EQ(lines(file).size(), kept ? 4u : 3u) << size;
    }
    const Result<JournalState> state = read_journal(run_);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->run->name, "a");
    EXPECT_EQ(state->tasks.at("t1").attempts, 1);
    EXPECT_EQ(state->tasks.at("t1").ok, size >= whole.size() - 1) << size;
  }
}

TEST_F(ReopenTest, OnlyOneProcessWritesAJournal) {
  EXPECT_FALSE(is_being_written(run_));
  const Result<Journal> first = Journal::reopen(run_);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(is_being_written(run_));
  const Result<Journal> second = Journal::reopen(run_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().what, HasSubstr("another sxbench is writing this run"));
}

TEST_F(ReopenTest, SamplesOfAnEarlierAttemptAreSetAside) {
  Result<Journal> journal = Journal::reopen(run_);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->append(make(record::kind::kSample, {{"source", "gpu"}})).ok());
  ASSERT_TRUE(journal->sync().ok());
  ASSERT_TRUE(journal->set_aside_samples("t1", 1).ok());
  ASSERT_TRUE(journal->append(make(record::kind::kSample, {{"source", "gpu"}})).ok());
  EXPECT_EQ(lines(run_ / "samples" / "t1-n1.jsonl.attempt1").size(), 1u);
  EXPECT_EQ(lines(run_ / "samples" / "t1-n1.jsonl").size(), 1u);
}

TEST_F(ReopenTest, ATaskThatWasStartedAgainHasNoResultYet) {
  Result<Journal> journal = Journal::reopen(run_);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->append(make(record::kind::kTaskStart, {{"attempt", 2}})).ok());
  const Result<JournalState> state = read_journal(run_);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->tasks.at("t1").attempts, 2);
  EXPECT_FALSE(state->tasks.at("t1").ok);
}

TEST_F(JournalTest, KnowsUpToWhichStepATrainingIsRecorded) {
  Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(journal.ok());
  const auto step = [&](int number) {
    ASSERT_TRUE(journal->append(make(record::kind::kStep, {{"step", number}})).ok());
  };
  EXPECT_EQ(recorded_steps(journal->dir(), "t1"), 0);
  step(1), step(2), step(3);
  EXPECT_EQ(recorded_steps(journal->dir(), "t1"), 3);
  // The next attempt goes on after step 2; what it lost of the way stays lost until it comes again.
  ASSERT_TRUE(journal->append(make(record::kind::kTaskStart)).ok());
  step(3), step(4), step(6);
  EXPECT_EQ(recorded_steps(journal->dir(), "t1"), 4);
  step(5), step(6);
  EXPECT_EQ(recorded_steps(journal->dir(), "t1"), 6);
  EXPECT_EQ(recorded_steps(journal->dir(), "t2"), 0);
  EXPECT_EQ(recorded_steps(dir_ / "none", "t1"), 0);
}

TEST_F(ReopenTest, WhatIsNoRecordIsCountedAndPassedOver) {
  {
    std::ofstream out(run_ / "records.jsonl", std::ios::app);
    out << "not JSON\n"
           "[1]\n"
           R"({"v":1,"kind":"task_end","task":"t1","data":null})"
           "\n"
           R"({"v":1,"kind":"task_end","task":"t1","data":{"status":5}})"
           "\n"
           R"({"v":1,"kind":"nonsense","task":"t1","data":{}})"
           "\n";
  }
  const std::size_t all = lines(run_ / "records.jsonl").size();
  const Result<JournalState> state = read_journal(run_);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->damaged_lines, 5);
  EXPECT_EQ(state->first_damaged_line, static_cast<std::int64_t>(all) - 4);
  EXPECT_TRUE(state->tasks.at("t1").ok) << "as the last whole record says";
}

TEST_F(ReopenTest, AFolderThatIsNoRunIsNamed) {
  const Result<JournalState> state = read_journal(dir_);
  ASSERT_FALSE(state.ok());
  EXPECT_EQ(state.error().where, dir_.string());
}

TEST_F(JournalTest, SeesThatItsFolderWasMoved) {
  Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->append(make(record::kind::kRunEnd, {{"status", "ok"}})).ok());
  const std::filesystem::path moved = dir_ / "elsewhere";
  std::filesystem::rename(journal->dir(), moved);
  const Status gone = journal->append(make(record::kind::kRunEnd, {{"status", "ok"}}));
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, ExitCode::kEnvironment);
  EXPECT_THAT(gone.error().help, testing::HasSubstr((moved / "records.jsonl").string()));
  EXPECT_EQ(lines(moved / "records.jsonl").size(), 1U);
}

TEST_F(JournalTest, SavesWhatItHasWhenItsFolderIsRemoved) {
  Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->append(make(record::kind::kRunEnd, {{"status", "before"}})).ok());
  std::filesystem::remove_all(journal->dir());
  const Status gone = journal->append(make(record::kind::kRunEnd, {{"status", "after"}}));
  ASSERT_FALSE(gone.ok());
  const std::filesystem::path saved = dir_ / (journal->run_id() + ".records.jsonl");
  EXPECT_THAT(gone.error().help, testing::HasSubstr(saved.string()));
  ASSERT_EQ(lines(saved).size(), 1U);
  EXPECT_THAT(lines(saved)[0], testing::HasSubstr("before"));
}

TEST_F(JournalTest, WritesSamplesFromTheWireAsItWouldWriteTheRecord) {
  Result<Journal> journal = Journal::create(dir_, "a", "abcdef");
  ASSERT_TRUE(journal.ok());
  const record::Record sample = make(record::kind::kSample, {{"source", "gpu"}, {"index", 3}});
  ASSERT_TRUE(journal->append(sample).ok());
  const std::string text = dump(record::to_json(sample));
  ASSERT_TRUE(journal->append_samples("t1", "n1", text + "\n" + text + "\n").ok());
  const std::vector<std::string> written = lines(journal->dir() / "samples" / "t1-n1.jsonl");
  ASSERT_EQ(written.size(), 3u);
  EXPECT_EQ(written[0], written[1]);
  EXPECT_EQ(written[1], written[2]);
}

}  // namespace
}  // namespace sxb::launch
