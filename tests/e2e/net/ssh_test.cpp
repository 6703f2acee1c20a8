// The ssh transport against real sshd.
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

class OverSsh : public OnNetwork {
 protected:
  std::string reason_of_the_only_task() {
    const auto ends = records(record::kind::kTaskEnd);
    EXPECT_EQ(ends.size(), 1u);
    return ends.empty() ? "" : ends[0].data["reason"].get<std::string>();
  }
};

TEST_F(OverSsh, RunsOnTwoAndFourNodes) {
  ASSERT_NO_FATAL_FAILURE(boot(4));
  if (IsSkipped()) return;
  std::vector<std::string> arguments =
      run_arguments(write_cluster(net_->config("ssh", 1)), "check,nccl,sft,report");
  arguments.insert(arguments.end(), {"--nodes", "2,4"});
  const Ended run = sxbench(arguments);
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 5u) << "check, then nccl and sft on 2 and on 4";
  std::map<std::string, std::string> hosts;
  for (const auto& node : records(record::kind::kNode)) hosts[node.node] = node.data["hostname"];
  EXPECT_EQ(
      hosts,
      (std::map<std::string, std::string>{
          {"node001", "node001"}, {"node002", "node002"}, {"node003", "node003"}, {"node004", "node004"}}));
  EXPECT_TRUE(fs::exists(latest() / "samples" / (ends.back().task + "-node004.jsonl")));
}

TEST_F(OverSsh, ANodeWithAnotherHostKeyIsNotTalkedTo) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("new_host_key node001"), 0) << net_->output();
  const Ended run = sxbench(run_arguments(write_cluster(net_->config("ssh", 1)), "nccl"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_EQ(reason_of_the_only_task(),
            "node node001 was lost: its ssh host key is not the one that is known");
}

TEST_F(OverSsh, ANodeWithoutSxbenchSaysSo) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  Json json = net_->config("ssh", 1);
  json["paths"] = {{"program", "/opt/no such place/sxbench"}};
  sxbench(run_arguments(write_cluster(json), "nccl"));
  EXPECT_THAT(reason_of_the_only_task(), HasSubstr("/opt/no such place/sxbench is not there"));
}

}  // namespace
}  // namespace sxb::e2e
