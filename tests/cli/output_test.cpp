// Output that could not be written, and what a verb's end says of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/output.h"
#include "cli/app.h"
#include "cli/ui/terminal.h"

namespace sxb::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

int run_with_stdout(int to, std::vector<const char*> arguments, const Verbs& rows = verbs()) {
  std::signal(SIGPIPE, SIG_IGN);
  const int before = ::dup(STDOUT_FILENO);
  ::dup2(to, STDOUT_FILENO);
  arguments.insert(arguments.begin(), "sxbench");
  const int code = run_app(static_cast<int>(arguments.size()), arguments.data(), rows);
  ::dup2(before, STDOUT_FILENO);
  ::close(before);
  return code;
}

/// A verb that prints and ends with 3, and one that does more than to print.
void add_print(CLI::App& app, ExitCode& result) {
  app.add_subcommand("print", "Print")->callback([&result] {
    print_out("a result\n");
    result = ExitCode::kGoalMissed;
  });
  app.add_subcommand("work", "Work")->callback([] {
    print_out("a row\n");
    forgive_lost_output();
  });
  app.add_subcommand("wrong", "Be wrong")->callback([&result] {
    print_out("a result\n");
    result = ExitCode::kUsage;
  });
}

TEST(LostOutput, IsAnErrorWhereTheOutputIsTheResult) {
  const int full = ::open("/dev/full", O_WRONLY);
  const std::vector<std::vector<const char*>> lines = {
      {"--help"}, {"--version"}, {"run", "--help"}, {"config", "list"}, {"gpu", "--list"}};
  for (const auto& arguments : lines) {
    CaptureStderr();
    EXPECT_EQ(run_with_stdout(full, arguments), 4) << arguments.front();
    EXPECT_EQ(GetCapturedStderr(),
              "error: cannot write to standard output: No space left on device\n"
              "help: free space there, or send it elsewhere\n")
        << arguments.front();
  }
  ::close(full);
}

TEST(LostOutput, OutranksAVerdictButNoOtherError) {
  const int full = ::open("/dev/full", O_WRONLY);
  CaptureStderr();
  EXPECT_EQ(run_with_stdout(full, {"print"}, {add_print}), 4);
  EXPECT_EQ(run_with_stdout(full, {"wrong"}, {add_print}), 2);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("cannot write to standard output"));
  ::close(full);
}

TEST(LostOutput, OfAVerbThatWorksIsAWarning) {
  const int full = ::open("/dev/full", O_WRONLY);
  CaptureStderr();
  EXPECT_EQ(run_with_stdout(full, {"work"}, {add_print}), 0);
  EXPECT_THAT(GetCapturedStderr(), ::testing::StartsWith("warning: standard output could not be written: No "
                                                         "space left on device"));
  ::close(full);
}

TEST(LostOutput, ForAReaderThatIsGoneIsNoError) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  CaptureStderr();
  EXPECT_EQ(run_with_stdout(ends[1], {"--help"}), 0);
  EXPECT_EQ(run_with_stdout(ends[1], {"print"}, {add_print}), 3);
  EXPECT_EQ(GetCapturedStderr(), "");
  ::close(ends[1]);
}

class ListOf : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "sxb-list-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  /// stdout, then stderr.
  std::pair<std::string, std::string> list(int code) {
    ::testing::internal::CaptureStdout();
    CaptureStderr();
    const std::vector<const char*> arguments = {"sxbench", "list", dir_.c_str()};
    EXPECT_EQ(run_app(3, arguments.data()), code);
    const std::string out = ::testing::internal::GetCapturedStdout();
    return {out, GetCapturedStderr()};
  }
  std::filesystem::path dir_;
};

TEST_F(ListOf, AFolderWithoutRunsSaysSo) {
  const auto [out, err] = list(0);
  EXPECT_EQ(out, "");
  EXPECT_EQ(err, "there are no runs in " + dir_.string() + "; sxbench run makes one\n");
}

TEST_F(ListOf, ARunIsNoFolderOfRuns) {
  std::FILE* journal = std::fopen((dir_ / "records.jsonl").c_str(), "w");
  std::fclose(journal);
  const auto [out, err] = list(2);
  EXPECT_EQ(out, "");
  EXPECT_THAT(err, HasSubstr("error: this is a run, not a folder of runs\n"));
  EXPECT_THAT(err, HasSubstr("help: sxbench show " + dir_.string() + " shows its tasks\n"));
}

}  // namespace
}  // namespace sxb::cli
