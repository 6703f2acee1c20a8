// A verb as a newcomer would add it: a function, and a row of the table.
#include <gmock/gmock.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "cli/app.h"

namespace sxb::cli {
namespace {

using ::testing::HasSubstr;

void add_greet(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand("greet", "Say hello");
  auto name = std::make_shared<std::string>();
  verb->add_option("--name", *name, "whom to greet")->required();
  verb->callback([name, &result] {
    std::printf("hello %s\n", name->c_str());
    result = ExitCode::kGoalMissed;
  });
}

void add_break(CLI::App& app, ExitCode& /*result*/) {
  app.add_subcommand("break", "Throw")->callback([] { throw std::runtime_error("the disk is gone"); });
}

int run_with(const Verbs& rows, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "sxbench");
  return run_app(static_cast<int>(arguments.size()), arguments.data(), rows);
}

TEST(Extension, AVerbIsAFileAndARow) {
  Verbs rows = verbs();
  rows.push_back(add_greet);
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run_with(rows, {"greet", "--name", "world"}), static_cast<int>(ExitCode::kGoalMissed));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "hello world\n");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with(rows, {"gret"}), static_cast<int>(ExitCode::kUsage));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("did you mean \"greet\""));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with(rows, {"greet", "--nme", "x"}), static_cast<int>(ExitCode::kUsage));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("did you mean \"--name\""));
}

TEST(Extension, WhatAVerbThrowsIsOneError) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with({add_break}, {"break"}), static_cast<int>(ExitCode::kEnvironment));
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("error: sxbench had to stop: the disk is gone\n"));
  EXPECT_EQ(text.find("error:"), text.rfind("error:")) << text;
}

}  // namespace
}  // namespace sxb::cli
