#include "analysis/read/find_run.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "analysis/read/dataset.h"

namespace sxb::analysis {
namespace {

namespace fs = std::filesystem;

class FindRun : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-find-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    make(kOld);
    make(kNew);
    // A copy has the times of the copying: the older run may look younger.
    fs::last_write_time(dir_ / kOld / "records.jsonl",
                        fs::file_time_type::clock::now() + std::chrono::hours(1));
  }
  void TearDown() override { fs::remove_all(dir_); }
  void make(const std::string& name) {
    fs::create_directories(dir_ / name);
    std::ofstream(dir_ / name / "records.jsonl") << "{}\n";
  }
  std::string found() {
    const auto run = find_run(dir_);
    return run.ok() ? run->filename().string() : format_errors(run.errors());
  }

  static constexpr const char* kOld = "20261101T000000Z-z-1a2b3c";
  static constexpr const char* kNew = "20261121T000000Z-a-1a2b3c";
  fs::path dir_;
};

TEST_F(FindRun, TheLinkCounts) {
  fs::create_directory_symlink(kOld, dir_ / "latest");
  EXPECT_EQ(found(), "latest");
  EXPECT_FALSE(newest_without_link(dir_).has_value());
  EXPECT_EQ(*find_run(dir_ / kNew), dir_ / kNew) << "a run is itself";
  EXPECT_FALSE(newest_without_link(dir_ / kNew).has_value());
}

TEST_F(FindRun, WithoutTheLinkTheNewestIsTaken) {
  EXPECT_EQ(found(), kNew);
  EXPECT_EQ(newest_without_link(dir_), dir_ / kNew);
  make("renamed");
  EXPECT_EQ(found(), kNew) << "a name without a date says less";
  std::ofstream(dir_ / "notes.txt") << "x";
  fs::create_directories(dir_ / "20271121T000000Z-empty-1a2b3c");
  EXPECT_EQ(found(), kNew) << "no run";
}

TEST_F(FindRun, ALinkThatLeadsNowhereIsNone) {
  fs::create_directory_symlink("gone", dir_ / "latest");
  EXPECT_EQ(found(), kNew);
  fs::remove(dir_ / "latest");
  fs::create_directory_symlink("latest", dir_ / "latest");
  EXPECT_EQ(found(), kNew);
}

TEST_F(FindRun, AFolderNamedLatestIsNoLink) {
  make("latest");
  EXPECT_EQ(found(), kNew) << "what it was copied from, or a run after it, has the date";
  fs::remove_all(dir_ / kNew);
  fs::remove_all(dir_ / kOld);
  EXPECT_EQ(found(), "latest");
}

TEST_F(FindRun, RunsWithoutADateAreOrderedByTime) {
  fs::remove_all(dir_ / kNew);
  fs::remove_all(dir_ / kOld);
  make("b");
  make("a");
  fs::last_write_time(dir_ / "a" / "records.jsonl", fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(found(), "a");
}

TEST_F(FindRun, NothingIsAnError) {
  fs::remove_all(dir_ / kNew);
  fs::remove_all(dir_ / kOld);
  EXPECT_THAT(found(), ::testing::HasSubstr("no run found"));
  EXPECT_THAT(format_errors(find_run(dir_ / "none").errors()), ::testing::HasSubstr("no such folder"));
}

}  // namespace
}  // namespace sxb::analysis
