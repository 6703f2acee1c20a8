#include "base/input_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "base/json.h"

namespace sxb {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class InputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-input-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(dir_); }

  fs::path dir_;
};

/// What is no input, each as an error with its place. A test that hangs or eats the memory has failed.
TEST_F(InputFileTest, WhatHasNoEndOrIsNoFileIsAnError) {
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  fs::create_symlink("itself", dir_ / "itself");
  fs::create_symlink("nowhere", dir_ / "dangling");
  std::ofstream(dir_ / "huge").put('x');
  fs::resize_file(dir_ / "huge", std::uintmax_t{10} << 30);  // a hole: takes no room on the disk
  const std::pair<fs::path, const char*> cases[] = {{"/dev/zero", "it has more than 64 MiB"},
                                                    {dir_ / "fifo", "nobody writes to this pipe"},
                                                    {dir_ / "itself", "Too many levels of symbolic links"},
                                                    {dir_ / "dangling", "No such file"},
                                                    {dir_ / "huge", "it has more than 64 MiB"},
                                                    {dir_, "this is a folder"},
                                                    {"/proc/self/mem", "Input/output error"}};
  for (const auto& [path, what] : cases) {
    const Result<std::string> text = read_input(path);
    ASSERT_FALSE(text.ok()) << path;
    EXPECT_THAT(text.error().what, HasSubstr(what)) << path;
    EXPECT_EQ(text.error().where, path.string());
    EXPECT_FALSE(load_json(path).ok()) << path;
  }
}

TEST_F(InputFileTest, AReadErrorIsNotTheEndOfTheFile) {
  // Opens, and then fails to be read at its beginning.
  const Result<std::string> text = read_file("/proc/self/mem");
  ASSERT_FALSE(text.ok());
  EXPECT_THAT(text.error().what, HasSubstr("Input/output error"));
}

TEST_F(InputFileTest, APipeIsReadToItsEnd) {
  const fs::path fifo = dir_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string content(300'000, 'x');  // more than a pipe holds
  std::thread writer([&] { std::ofstream(fifo) << content; });
  const Result<std::string> text = read_input(fifo);
  writer.join();
  ASSERT_TRUE(text.ok()) << format_errors(text.errors());
  EXPECT_EQ(*text, content);
}

TEST_F(InputFileTest, APipeWhoseWriterSaidNothingIsEmpty) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[1]);
  const Result<std::string> text = read_input("/proc/self/fd/" + std::to_string(ends[0]));
  ::close(ends[0]);
  ASSERT_TRUE(text.ok()) << format_errors(text.errors());
  EXPECT_EQ(*text, "");
}

TEST_F(InputFileTest, TheBoundIsTheCallers) {
  std::ofstream(dir_ / "file") << "12345";
  EXPECT_TRUE(read_input(dir_ / "file", 5).ok());
  EXPECT_FALSE(read_input(dir_ / "file", 4).ok());
  EXPECT_TRUE(read_input("/proc/self/status", 1 << 20).ok()) << "a file that says it has no bytes";
}

TEST(ExpandHome, OnlyAtTheFront) {
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  ASSERT_EQ(::setenv("HOME", "/home/ada", 1), 0);
  EXPECT_EQ(expand_home("~/x/y"), "/home/ada/x/y");
  EXPECT_EQ(expand_home("~"), "/home/ada");
  for (const char* same : {"", "x/~/y", "~ada/x", "/~/x", "a~"}) EXPECT_EQ(expand_home(same), same);
  ::setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace sxb
