#include "launch/transport/slurm.h"

#include <gmock/gmock.h>

#include "launch/transport/bundle.h"

namespace sxb::launch {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Slurm, ReadsHowSrunSaysThatTasksEnded) {
  const auto one = parse_srun_exit("srun: error: node004: task 0: Exited with exit code 4");
  ASSERT_TRUE(one);
  EXPECT_THAT(one->tasks, ElementsAre(0));
  EXPECT_EQ(one->status.code, 4);
  const auto many = parse_srun_exit("srun: error: node[001-002,007]: tasks 0-1,6: Exited with exit code 3");
  ASSERT_TRUE(many);
  EXPECT_THAT(many->tasks, ElementsAre(0, 1, 6));
  const auto killed = parse_srun_exit("srun: error: node001: task 2: Killed");
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->status.signal, 9);
  EXPECT_FALSE(parse_srun_exit("srun: error: Unable to create step for job 4: Invalid node name specified"));
  EXPECT_FALSE(parse_srun_exit("0: srun: nothing of the kind"));
}

TEST(Slurm, ReadsWhichNodesItLost) {
  EXPECT_THAT(parse_node_failure("srun: error: Node failure on node[003-004]"),
              ElementsAre("node003", "node004"));
  EXPECT_TRUE(parse_node_failure("srun: error: node001: task 2: Killed").empty());
}

TEST(Slurm, PassesContainerAndOptionsOnAsSingleArguments) {
  config::Cluster cluster;
  cluster.slurm.container_image = "/images/a b.sqsh";
  cluster.slurm.container_mounts = {"/raid:/raid", "/home:/home:ro"};
  cluster.slurm.srun_options = {"--container-writable"};
  const auto argv = srun_argv(cluster, "42", 2, {"/opt/sxbench", "worker", "agent"});
  EXPECT_THAT(argv, Contains("--jobid=42"));
  EXPECT_THAT(argv, Contains("--container-image=/images/a b.sqsh"));
  EXPECT_THAT(argv, Contains("--container-mounts=/raid:/raid,/home:/home:ro"));
  EXPECT_THAT(argv, Contains("--container-writable"));
  EXPECT_EQ(argv[argv.size() - 4], "--");
  cluster.slurm.partition = "gpu";
  cluster.slurm.salloc_options = {"--gres=gpu:8"};
  const auto salloc = salloc_argv(cluster, {"n1", "n2"});
  EXPECT_THAT(salloc, Contains("--partition=gpu"));
  EXPECT_THAT(salloc, Contains("--nodelist=n1,n2"));
  EXPECT_THAT(salloc, Contains("--gres=gpu:8"));
}

TEST(Bundle, GivesEachNodeItsInput) {
  std::vector<std::pair<std::string, std::string>> inputs;
  for (int i = 0; i < 300; ++i) {
    inputs.emplace_back("node" + std::to_string(i),
                        std::string(5000, 'x') + "\"\n\\ $(id) " + std::to_string(i) + "\n");
  }
  const std::string bundle = pack_bundle(inputs);
  EXPECT_LT(bundle.size(), 60'000u) << "1.5 MB of inputs that differ in little fit into an argument";
  EXPECT_EQ(bundle.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:"),
            std::string::npos);
  for (const auto& [node, input] : inputs) EXPECT_EQ(unpack_bundle(bundle, node).value(), input);
  EXPECT_THAT(unpack_bundle(bundle, "other").error().what, HasSubstr("no input for the node \"other\""));
}

TEST(Bundle, ABrokenOneIsAnError) {
  const std::string bundle = pack_bundle({{"n", "text"}});
  for (const std::string& broken : {std::string(), std::string("x"), bundle.substr(0, bundle.size() - 8),
                                    "9" + bundle, std::string("99999999999999999999:AAAA")}) {
    EXPECT_FALSE(unpack_bundle(broken, "n").ok()) << broken;
  }
}

}  // namespace
}  // namespace sxb::launch
