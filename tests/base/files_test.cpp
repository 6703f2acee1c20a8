#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

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

/// As another host of the same home folder, or another container, that writes there too.
TEST_F(FilesTest, TheProcessIdMakesNoNameItsOwn) {
  const fs::path file = dir_ / "file", link = dir_ / "link";
  for (const fs::path& path : {file, link}) {
    std::ofstream(path.string() + ".tmp" + std::to_string(::getpid())) << "half of another's";
  }
  ASSERT_TRUE(write_file_atomic(file, "whole").ok());
  ASSERT_TRUE(swap_symlink(link, "file").ok());
  EXPECT_EQ(read_file(link).value(), "whole");
  for (const fs::path& path : {file, link}) {
    EXPECT_EQ(read_file(path.string() + ".tmp" + std::to_string(::getpid())).value(), "half of another's");
  }
  EXPECT_EQ(entries(), 4U);
}

TEST_F(FilesTest, OfManyWritersOneWinsWithItsWholeContent) {
  constexpr int kWriters = 8, kRounds = 20;
  constexpr std::size_t kBytes = 200'000;
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      const std::string content(kBytes, static_cast<char>('a' + writer));
      for (int i = 0; i < kRounds; ++i) {
        failed += write_file_atomic(dir_ / "file", content).ok() ? 0 : 1;
        failed += swap_symlink(dir_ / "link", "file").ok() ? 0 : 1;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
  const std::string content = read_file(dir_ / "link").value();
  ASSERT_EQ(content.size(), kBytes);
  EXPECT_EQ(content, std::string(kBytes, content.front()));
  EXPECT_EQ(entries(), 2U) << "nothing temporary is left";
}

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
  const ScopedEnv home("HOME", dir_.c_str());
  const ScopedEnv xdg_cache("XDG_CACHE_HOME", nullptr);
  const ScopedEnv xdg_config("XDG_CONFIG_HOME", nullptr);
  const ScopedEnv own("SXBENCH_CACHE", nullptr);
  EXPECT_EQ(cache_dir(), dir_ / ".cache/sxbench");
  EXPECT_EQ(*usable_cache_dir(), dir_ / ".cache/sxbench");
  EXPECT_EQ(user_config_dir(), dir_ / ".config/sxbench");
  const ScopedEnv xdg_set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(cache_dir(), "/xdg/sxbench");
  const ScopedEnv own_set("SXBENCH_CACHE", "/fast/cache");
  EXPECT_EQ(cache_dir(), "/fast/cache");
}

/// What a process without a home thinks of its cache: `uid` is nobody's in the password database.
class Homeless : public FilesTest {
 protected:
  /// Calls `check` in a process of its own that is user `uid`; true if it returns true there.
  template <typename Check>
  static bool as_user(uid_t uid, Check check) {
    const pid_t child = ::fork();
    if (child == 0) {
      const bool changed = ::setgid(uid) == 0 && ::setuid(uid) == 0;
      ::_exit(changed && check() ? 0 : 1);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  static constexpr uid_t kNobodys = 54'321;
};

TEST_F(Homeless, AskThePasswordDatabase) {
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr) GTEST_SKIP() << "this user is not in the password database";
  const fs::path home = entry->pw_dir;
  if (::access(home.c_str(), W_OK) != 0 || home == "/") GTEST_SKIP() << "this user has no home to write to";
  const ScopedEnv xdg_cache("XDG_CACHE_HOME", nullptr);
  const ScopedEnv xdg_config("XDG_CONFIG_HOME", nullptr);
  const ScopedEnv own("SXBENCH_CACHE", nullptr);
  ASSERT_TRUE(write_file_atomic(dir_ / "file", "x").ok());
  for (const std::string& said :
       {std::string(), std::string("/"), std::string("relative"), (dir_ / "file").string()}) {
    const ScopedEnv unusable("HOME", said.empty() ? nullptr : said.c_str());
    EXPECT_EQ(cache_dir(), home / ".cache/sxbench") << said;
  }
  const ScopedEnv none("HOME", nullptr);
  EXPECT_EQ(user_config_dir(), home / ".config/sxbench");
}

TEST_F(Homeless, HaveAFolderOfTheirOwnBesideOthers) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be a user whom the password database does not know";
  ASSERT_EQ(::getpwuid(kNobodys), nullptr);
  const ScopedEnv xdg_cache("XDG_CACHE_HOME", nullptr);
  const ScopedEnv xdg_config("XDG_CONFIG_HOME", nullptr);
  const ScopedEnv own("SXBENCH_CACHE", nullptr);
  const ScopedEnv home("HOME", nullptr);
  const ScopedEnv tmp("TMPDIR", dir_.c_str());
  fs::permissions(dir_, fs::perms::all | fs::perms::sticky_bit);
  const fs::path expected = dir_ / "sxbench-54321";
  EXPECT_TRUE(as_user(kNobodys, [&] {
    const bool named = cache_dir() == expected && !fs::exists(expected);
    const Result<fs::path> made = usable_cache_dir();
    return named && made.ok() && *made == expected && usable_cache_dir().ok() &&
           !fs::exists(user_config_dir());
  }));
  struct stat found = {};
  ASSERT_EQ(::lstat(expected.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0700u);
  EXPECT_EQ(found.st_uid, kNobodys);
  // One that another user has made before.
  ASSERT_EQ(::chown(expected.c_str(), 0, 0), 0);
  EXPECT_TRUE(as_user(kNobodys, [&] {
    const Result<fs::path> refused = usable_cache_dir();
    return !refused.ok() && refused.error().what.find("belongs to another user") != std::string::npos;
  }));
}

TEST_F(FilesTest, APrivateFolderIsNobodyElses) {
  EXPECT_TRUE(make_private_dir(dir_ / "mine").ok());
  EXPECT_TRUE(make_private_dir(dir_ / "mine").ok()) << "it is there now";
  const auto refusal = [&](const char* name) {
    const Status status = make_private_dir(dir_ / name);
    EXPECT_FALSE(status.ok()) << name;
    if (status.ok()) return std::string();
    EXPECT_EQ(status.error().where, (dir_ / name).string());
    EXPECT_NE(status.error().help.find("SXBENCH_CACHE"), std::string::npos);
    EXPECT_EQ(status.error().code, ExitCode::kEnvironment);
    return status.error().what;
  };
  fs::create_symlink("mine", dir_ / "link");
  EXPECT_NE(refusal("link").find("is a link"), std::string::npos);
  ASSERT_TRUE(write_file_atomic(dir_ / "file", "x").ok());
  EXPECT_NE(refusal("file").find("is no folder"), std::string::npos);
  fs::create_directory(dir_ / "shared");
  fs::permissions(dir_ / "shared", fs::perms::all);
  EXPECT_NE(refusal("shared").find("written to by other users"), std::string::npos);
  EXPECT_NE(refusal("no/such").find("cannot make"), std::string::npos);
}

TEST_F(FilesTest, TheUmaskSaysWhoMayReadAFile) {
  const auto mode_of_new = [&](mode_t mask) {
    const mode_t before = ::umask(mask);
    EXPECT_TRUE(write_file_atomic(dir_ / "file", "x").ok());
    ::umask(before);
    struct stat found = {};
    EXPECT_EQ(::stat((dir_ / "file").c_str(), &found), 0);
    return found.st_mode & 07777;
  };
  EXPECT_EQ(mode_of_new(022), 0644u);
  EXPECT_EQ(mode_of_new(027), 0640u);
  EXPECT_EQ(mode_of_new(077), 0600u);
  EXPECT_EQ(mode_of_new(002), 0664u);
}

TEST_F(FilesTest, APathNamesAnOpenFileUntilItIsAnother) {
  const fs::path path = dir_ / "file", moved = dir_ / "moved";
  ASSERT_TRUE(write_file_atomic(path, "x").ok());
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(names_open_file(path, fd));
  fs::rename(path, moved);
  EXPECT_FALSE(names_open_file(path, fd));
  EXPECT_TRUE(names_open_file(moved, fd));
  fs::create_symlink(moved, path);
  EXPECT_FALSE(names_open_file(path, fd)) << "a link to it";
  fs::remove(path);
  ASSERT_TRUE(write_file_atomic(path, "x").ok());
  EXPECT_FALSE(names_open_file(path, fd)) << "another with the same content";
  ::close(fd);
}

}  // namespace
}  // namespace sxb
