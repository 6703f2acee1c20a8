#include "cli/ui/run_status.h"

#include <gmock/gmock.h>

#include <limits>

namespace sxb::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

plan::Task task(const std::string& id, plan::Phase phase, const std::string& model = "") {
  plan::Task result;
  result.id = id;
  result.phase = phase;
  result.model.name = model;
  result.model.training.steps = 11;
  return result;
}

record::Record step(std::int64_t number) {
  return {record::kind::kStep, "", "", 0, 0, 0, {{"step", number}}};
}

launch::TaskOutcome took(double seconds) {
  launch::TaskOutcome outcome;
  outcome.duration_s = seconds;
  return outcome;
}

TEST(RunStatusTest, CountsWhatIsDoneAlready) {
  RunStatus status;
  status.run_started({"run", 5, {task("a", plan::Phase::kNccl)}, true});
  EXPECT_EQ(status.done(), 4);
  EXPECT_EQ(status.text(0), "4 of 5 done, 0 running, 0 failed, ETA unknown");
}

TEST(RunStatusTest, AnyNumberOfAStepGivesAnEstimate) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  plan::Task a = task("a", plan::Phase::kSft), b = task("b", plan::Phase::kSft);
  RunStatus status;
  status.run_started({"run", 2, {a, b}, false});
  for (const auto& [first, last] :
       {std::pair<std::int64_t, std::int64_t>(1, kMost), {-kMost, kMost}, {kMost, 2}}) {
    status.task_started(a, 0);
    status.record(a, step(first), kSecond);
    status.record(a, step(last), 2 * kSecond);
    const auto eta = status.eta(3 * kSecond);
    EXPECT_GE(eta ? eta->ns : 0, 0);
    EXPECT_LT(status.text(3 * kSecond).size(), 100u);
  }
}

TEST(RunStatusTest, EstimatesFromStepsAndFromTasksOfTheSameKind) {
  const plan::Task a = task("a", plan::Phase::kSft, "7b"), b = task("b", plan::Phase::kSft, "7b"),
                   c = task("c", plan::Phase::kNccl);
  RunStatus status;
  status.run_started({"run", 3, {a, b, c}, false});
  status.task_started(a, 0);
  EXPECT_FALSE(status.eta(kSecond)) << "nothing is known yet";
  status.record(a, step(1), 10 * kSecond);
  EXPECT_FALSE(status.eta(10 * kSecond)) << "one step has no pace";
  status.record(a, step(3), 14 * kSecond);
  ASSERT_TRUE(status.eta(15 * kSecond));
  EXPECT_EQ(status.eta(15 * kSecond)->ns, 15 * kSecond) << "8 steps of 2 s, less the second since the last";
  EXPECT_TRUE(status.eta(15 * kSecond)->at_least);
  status.task_ended(a, took(40));
  status.task_started(b, 40 * kSecond);
  EXPECT_EQ(status.eta(50 * kSecond)->ns, 30 * kSecond);
  EXPECT_EQ(status.text(50 * kSecond), "1 of 3 done, 1 running, 0 failed, ETA > 30 s");
  launch::TaskOutcome failed = took(3);
  failed.code = ExitCode::kTaskFailed;
  status.task_ended(b, failed);
  EXPECT_EQ(status.failed(), 1);
  EXPECT_FALSE(status.eta(60 * kSecond)) << "no sweep is done yet";
  status.task_started(c, 60 * kSecond);
  status.task_ended(c, took(1));
  EXPECT_EQ(status.eta(61 * kSecond)->ns, 0);
  EXPECT_FALSE(status.eta(61 * kSecond)->at_least);
}

TEST(RunStatusTest, ABurnTakesTheTimeItWasTold) {
  plan::Task burn = task("a", plan::Phase::kBurn);
  burn.burn.duration_s = 60;
  RunStatus status;
  status.run_started({"run", 1, {burn}, false});
  EXPECT_EQ(status.eta(0)->ns, 60 * kSecond);
  status.task_started(burn, 0);
  EXPECT_EQ(status.eta(45 * kSecond)->ns, 15 * kSecond);
}

}  // namespace
}  // namespace sxb::cli
