#include "base/result.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include <memory>
#include <string>

namespace sxb {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error{"odd", "number", "give an even one", ExitCode::kTaskFailed};
  return number / 2;
}

Result<int> quarter(int number) {
  SXB_ASSIGN_OR_RETURN(const int first, half(number));
  SXB_ASSIGN_OR_RETURN(const int second, half(first));
  return second;
}

Status check_even(int number) {
  SXB_RETURN_IF_ERROR(half(number));
  return ok_status();
}

TEST(Result, HoldsAValue) {
  const Result<int> result = half(8);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, 4);
  EXPECT_TRUE(result.errors().empty());
}

TEST(Result, HoldsOneError) {
  const Result<int> result = half(7);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "odd");
  EXPECT_EQ(result.error().code, ExitCode::kTaskFailed);
}

TEST(Result, MacrosPassTheErrorsOfTheFailingCall) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().where, "number");
  EXPECT_TRUE(check_even(2).ok());
  EXPECT_EQ(check_even(3).error().help, "give an even one");
}

TEST(Result, KeepsAllErrorsInOrder) {
  const Result<int> result = Errors{{"first", "", ""}, {"second", "", ""}};
  ASSERT_EQ(result.errors().size(), 2U);
  EXPECT_EQ(result.error().what, "first");
  EXPECT_EQ(result.errors()[1].what, "second");
}

TEST(Result, MovesAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(ResultDeathTest, WrongAccessIsABugAndStops) {
  const Result<int> failed = half(1);
  EXPECT_DEATH(static_cast<void>(failed.value()), "internal error.*odd");
  const Result<int> fine = half(2);
  EXPECT_DEATH(static_cast<void>(fine.error()), "internal error");
}

TEST(FormatError, PrintsWhatWhereAndHelp) {
  EXPECT_EQ(format_error({"unknown key \"gpu\"", "cluster.json:/nodes/0/gpu", "did you mean \"gpus\"?"}),
            "error: unknown key \"gpu\"\n"
            "  --> cluster.json:/nodes/0/gpu\n"
            "help: did you mean \"gpus\"?\n");
}

TEST(FormatError, LeavesOutEmptyParts) {
  EXPECT_EQ(format_error({"it broke", "", ""}), "error: it broke\n");
  EXPECT_EQ(format_errors({{"a", "", ""}, {"b", "", "c"}}), "error: a\nerror: b\nhelp: c\n");
}

TEST(Result, AnExceptionBecomesAnError) {
  const Error error = unexpected(std::runtime_error("no space"));
  EXPECT_NE(error.what.find("no space"), std::string::npos);
  EXPECT_FALSE(error.help.empty());
  EXPECT_EQ(error.code, ExitCode::kEnvironment);
}

}  // namespace
}  // namespace sxb
