#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

namespace sxb {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
  }

  fs::path dir_;
};

/// Sets a variable of the environment for one test.
class ScopedEnv {
 public:
  ScopedEnv(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) {
      old_ = old;
      had_value_ = true;
    }
    if (value != nullptr) {
      ::setenv(name, value, 1);
    } else {
      ::unsetenv(name);
    }
  }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;
  ~ScopedEnv() {
    if (had_value_) {
      ::setenv(name_, old_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string old_;
  bool had_value_ = false;
};

TEST_F(FilesTest, WritesWhatReadGivesBack) {
  const std::string content("line\n\0binary\xff", 13);
  const fs::path path = dir_ / "new" / "folder" / "file";
  ASSERT_TRUE(write_file_atomic(path, content).ok());
  EXPECT_EQ(*read_file(path), content);
}

TEST_F(FilesTest, AtomicWriteReplacesAndLeavesNothingBeside) {
  const fs::path path = dir_ / "file";
  ASSERT_TRUE(write_file_atomic(path, "a long first content").ok());
  ASSERT_TRUE(write_file_atomic(path, "short").ok());
  EXPECT_EQ(*read_file(path), "short");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FilesTest, AReaderNeverSeesAPartOfAWrite) {
  const fs::path path = dir_ / "file";
  const std::string contents[] = {std::string(200'000, 'a'), std::string(100'000, 'b')};
  ASSERT_TRUE(write_file_atomic(path, contents[0]).ok());
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 1; i <= 40; ++i) EXPECT_TRUE(write_file_atomic(path, contents[i % 2]).ok());
    done = true;
  });
  while (!done) {
    const auto seen = read_file(path);
    EXPECT_TRUE(seen.ok() && (*seen == contents[0] || *seen == contents[1]));
  }
  writer.join();
}

TEST_F(FilesTest, AFailedWriteKeepsTheOldFileAndSaysWhere) {
  // The target is a folder that is not empty: the temporary file is written, the rename fails.
  const fs::path path = dir_ / "target";
  fs::create_directories(path / "occupied");
  const Status status = write_file_atomic(path, "x");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().where, path.string());
  EXPECT_EQ(status.error().code, ExitCode::kEnvironment);
  EXPECT_TRUE(fs::exists(path / "occupied"));
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FilesTest, ParentThatIsAFileIsAnError) {
  ASSERT_TRUE(write_file_atomic(dir_ / "file", "x").ok());
  EXPECT_FALSE(write_file_atomic(dir_ / "file" / "below", "y").ok());
  EXPECT_EQ(*read_file(dir_ / "file"), "x");
}

TEST_F(FilesTest, ReadErrorsNameThePath) {
  const auto missing = read_file(dir_ / "missing");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().where, (dir_ / "missing").string());
  const auto folder = read_file(dir_);
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.error().what.find("folder"), std::string::npos);
}

TEST_F(FilesTest, SwapsALinkWithoutAMomentWithoutIt) {
  const fs::path link = dir_ / "latest";
  ASSERT_TRUE(swap_symlink(link, "run-1").ok());
  ASSERT_TRUE(swap_symlink(link, "run-2").ok());
  EXPECT_EQ(fs::read_symlink(link), "run-2");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FilesTest, ExecutableDirHoldsThisTest) { EXPECT_TRUE(fs::exists(executable_dir() / "base_test")); }

TEST_F(FilesTest, ConfigsComeFromTheEnvironmentFirst) {
  const ScopedEnv configs("SXBENCH_CONFIGS", dir_.c_str());
  EXPECT_EQ(shipped_configs_dir(), dir_);
}

TEST_F(FilesTest, CacheFollowsTheXdgRule) {
  const ScopedEnv home("HOME", "/home/ada");
  const ScopedEnv xdg_cache("XDG_CACHE_HOME", nullptr);
  const ScopedEnv xdg_config("XDG_CONFIG_HOME", nullptr);
  const ScopedEnv own("SXBENCH_CACHE", nullptr);
  EXPECT_EQ(cache_dir(), "/home/ada/.cache/sxbench");
  EXPECT_EQ(user_config_dir(), "/home/ada/.config/sxbench");
  const ScopedEnv xdg_set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(cache_dir(), "/xdg/sxbench");
  const ScopedEnv own_set("SXBENCH_CACHE", "/fast/cache");
  EXPECT_EQ(cache_dir(), "/fast/cache");
}

}  // namespace
}  // namespace sxb
