#include "launch/os/own_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "launch/node/node_key.h"
#include "launch/os/private_dir.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OwnFolders : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-own-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(dir_); }

  static mode_t mode_of(const fs::path& path) {
    struct stat status = {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  }

  /// Makes `path` look `age_s` old.
  static void make_old(const fs::path& path, int age_s) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::seconds(age_s));
  }

  fs::path dir_;
};

TEST_F(OwnFolders, FilesInItAreForThisUserAlone) {
  const ::mode_t before = ::umask(0);
  const Result<OwnFolder> folder = OwnFolder::make(dir_ / "f");
  ASSERT_TRUE(folder.ok()) << format_errors(folder.errors());
  ASSERT_TRUE(folder->write("a", "secret").ok());
  ASSERT_TRUE(folder->write("a", "another").ok()) << "in the place of the first";
  ::umask(before);
  EXPECT_EQ(mode_of(dir_ / "f"), 0700u);
  EXPECT_EQ(mode_of(dir_ / "f/a"), 0600u);
  EXPECT_EQ(folder->read("a").value(), "another");
  folder->remove("a");
  EXPECT_FALSE(folder->read("a").ok());
}

TEST_F(OwnFolders, WhatAnotherUserPreparedIsRefused) {
  fs::create_directory(dir_ / "real");
  fs::permissions(dir_ / "real", fs::perms::owner_all);
  fs::create_directory_symlink(dir_ / "real", dir_ / "link");
  EXPECT_FALSE(OwnFolder::make(dir_ / "link").ok()) << "a symbolic link";
  fs::create_directory(dir_ / "open");
  fs::permissions(dir_ / "open", fs::perms::all);
  const Result<OwnFolder> open = OwnFolder::make(dir_ / "open");
  ASSERT_FALSE(open.ok());
  EXPECT_THAT(open.error().what, HasSubstr("other users may enter"));
  std::ofstream(dir_ / "file") << "x";
  EXPECT_FALSE(OwnFolder::make(dir_ / "file").ok());
  if (::geteuid() == 0) {
    fs::create_directory(dir_ / "foreign");
    fs::permissions(dir_ / "foreign", fs::perms::owner_all);
    ASSERT_EQ(::chown((dir_ / "foreign").c_str(), 12345, 12345), 0);
    EXPECT_THAT(OwnFolder::make(dir_ / "foreign").error().what, HasSubstr("another user (uid 12345)"));
  }
}

TEST_F(OwnFolders, ALinkInItIsNotFollowed) {
  const Result<OwnFolder> folder = OwnFolder::make(dir_ / "f");
  ASSERT_TRUE(folder.ok());
  std::ofstream(dir_ / "target") << "theirs";
  fs::create_symlink(dir_ / "target", dir_ / "f/a");
  EXPECT_FALSE(folder->read("a").ok());
  ASSERT_TRUE(folder->write("a", "ours").ok());
  EXPECT_EQ(fs::file_size(dir_ / "target"), 6u) << "the link was replaced, not followed";
  folder->remove_all();
  EXPECT_FALSE(fs::exists(dir_ / "f"));
  EXPECT_TRUE(fs::exists(dir_ / "target"));
}

/// A process that has claimed `path`, until it is killed.
pid_t claim_in_a_process(const fs::path& path) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const Result<OwnFolder> folder = OwnFolder::make(path);
    const char ok = folder.ok() && folder->claim() == OwnFolder::Claim::kOurs ? 'y' : 'n';
    if (::write(ready[1], &ok, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char ok = 0;
  EXPECT_EQ(::read(ready[0], &ok, 1), 1);
  EXPECT_EQ(ok, 'y');
  ::close(ready[0]);
  ::close(ready[1]);
  return pid;
}

TEST_F(OwnFolders, WhatAKilledProcessLeftBehindIsRemovedAndNothingElse) {
  const pid_t pid = claim_in_a_process(dir_ / "sxbench-pid1");
  ASSERT_GT(pid, 0);
  std::ofstream(dir_ / "sxbench-pid1/ssh_config") << "x";
  fs::create_directory(dir_ / "another");
  fs::create_directory(dir_ / "target");
  fs::permissions(dir_ / "target", fs::perms::owner_all);
  std::ofstream(dir_ / "target/file") << "x";
  fs::create_directory_symlink(dir_ / "target", dir_ / "sxbench-pid2");
  remove_unclaimed_folders(dir_, "sxbench-pid");
  EXPECT_TRUE(fs::exists(dir_ / "sxbench-pid1/ssh_config")) << "its owner lives";
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  remove_unclaimed_folders(dir_, "sxbench-pid");
  EXPECT_FALSE(fs::exists(dir_ / "sxbench-pid1"));
  EXPECT_TRUE(fs::exists(dir_ / "another"));
  EXPECT_TRUE(fs::exists(dir_ / "target/file")) << "behind a link that somebody put there";
}

TEST_F(OwnFolders, APrivateDirIsGoneWithItsOwnerAndNotBefore) {
  fs::path path;
  {
    const Result<PrivateDir> dir = PrivateDir::create("test");
    ASSERT_TRUE(dir.ok());
    path = dir->path();
    EXPECT_EQ(mode_of(path), 0700u);
    std::ofstream(path / "socket") << "x";
    EXPECT_TRUE(PrivateDir::create("test").ok());
    EXPECT_TRUE(fs::exists(path / "socket")) << "the other one took it for left behind";
  }
  EXPECT_FALSE(fs::exists(path));
}

const std::string kRunId = "0123456789abcdef0123456789abcdef";

TEST_F(OwnFolders, ANodesKeyIsKeptUntilItIsRemoved) {
  const NodeKeyFolders folders = {{dir_ / "keys"}};
  const Result<std::string> key = make_node_key(folders, kRunId, "node1");
  ASSERT_TRUE(key.ok()) << format_errors(key.errors());
  ASSERT_TRUE(make_node_key(folders, kRunId, "node2").ok()) << "on the same file system";
  EXPECT_EQ(mode_of(dir_ / "keys"), 0700u);
  EXPECT_EQ(mode_of(dir_ / "keys" / (kRunId + "-node1")), 0600u);
  const Result<KeyPair> pair = read_node_key(folders, kRunId, "node1");
  ASSERT_TRUE(pair.ok()) << format_errors(pair.errors());
  EXPECT_EQ(pair->public_key, *key);
  remove_node_key(folders, kRunId, "node1");
  const Result<KeyPair> gone = read_node_key(folders, kRunId, "node1");
  ASSERT_FALSE(gone.ok());
  EXPECT_THAT(gone.error().what, HasSubstr("node1 made for this run is gone"));
  EXPECT_EQ(gone.error().code, ExitCode::kEnvironment);
  EXPECT_TRUE(read_node_key(folders, kRunId, "node2").ok());
}

TEST_F(OwnFolders, KeysOfRunsThatWereKilledGoAfterADay) {
  const NodeKeyFolders folders = {{dir_ / "keys"}};
  for (const char* node : {"old", "young"}) ASSERT_TRUE(make_node_key(folders, kRunId, node).ok());
  make_old(dir_ / "keys" / (kRunId + "-old"), 25 * 3600);
  make_old(dir_ / "keys" / (kRunId + "-young"), 23 * 3600);
  ASSERT_TRUE(make_node_key(folders, kRunId, "new").ok());
  EXPECT_FALSE(read_node_key(folders, kRunId, "old").ok());
  EXPECT_TRUE(read_node_key(folders, kRunId, "young").ok());
}

TEST_F(OwnFolders, AKeyGoesWhereItCanBeKeptAndItsNameIsNoPath) {
  fs::create_directory(dir_ / "open");
  fs::permissions(dir_ / "open", fs::perms::all);  // as another user may have prepared it
  const NodeKeyFolders folders = {{dir_ / "open", dir_ / "cache/keys"}};
  ASSERT_TRUE(make_node_key(folders, kRunId, "node1").ok());
  EXPECT_TRUE(fs::is_empty(dir_ / "open"));
  EXPECT_TRUE(read_node_key(folders, kRunId, "node1").ok());
  for (const char* node : {"", "../node1", "/etc/passwd"})
    EXPECT_FALSE(make_node_key(folders, kRunId, node).ok()) << node;
  EXPECT_FALSE(make_node_key(folders, "../x", "node1").ok());
  const Result<std::string> nowhere = make_node_key({{dir_ / "open"}}, kRunId, "node1");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_THAT(nowhere.error().where, HasSubstr("open"));
}

}  // namespace
}  // namespace sxb::launch
