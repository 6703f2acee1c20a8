#include "launch/transport/slurm.h"

#include <gmock/gmock.h>

#include "launch/transport/bundle.h"
#include "launch/transport/node_key_line.h"

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
  // Found by the fuzz target: numbers that no int holds, and a line that took the whole stack.
  EXPECT_FALSE(parse_srun_exit("srun: error: node001: task 0: Exited with exit code 99999999999"));
  EXPECT_FALSE(parse_srun_exit("srun: error: node001: task 0: Killed" + std::string(1 << 20, 'x')));
  EXPECT_TRUE(parse_node_failure("srun: error: Node failure on n1 " + std::string(1 << 20, 'x')).empty());
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

TEST(Slurm, TellsWhoEndedAStepFromOutside) {
  const std::string cancelled =
      "slurmstepd: error: *** STEP 4.0 ON node001 CANCELLED AT 2026-11-30T03:00:00 ***";
  EXPECT_EQ(cancelling_words({"srun: Job step aborted", cancelled, "srun: Terminating"}, {}), cancelled);
  EXPECT_EQ(cancelling_words({}, {"a line", cancelled}), cancelled) << "it may come as a task's";
  EXPECT_EQ(cancelling_words({"srun: error: node001: task 0: Out Of Memory"}, {}),
            "srun: error: node001: task 0: Out Of Memory");
  EXPECT_EQ(cancelling_words({"srun: warning: x"}, {"y"}), "");
  const auto memory = parse_srun_exit("srun: error: node001: task 0: Out Of Memory");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->status.signal, 9);
}

TEST(Slurm, KnowsWhatSlurmstepdSaysOfAMissingProgram) {
  EXPECT_TRUE(says_program_is_missing("slurmstepd: error: execve(): /opt/none: No such file or directory"));
  EXPECT_TRUE(says_program_is_missing("slurmstepd-node001: error: execve(): /opt/none: Permission denied"));
  EXPECT_FALSE(says_program_is_missing("a program that prints slurmstepd: error: execve(): x"));
}

TEST(Slurm, AWarningAtTheStartIsNotWhySrunEnded) {
  const std::vector<std::string> start = {"srun: warning: can't run 1 processes on 2 nodes",
                                          "srun: error: node001: task 0: Exited with exit code 2"};
  EXPECT_EQ(telling_words(start), "");
  EXPECT_EQ(telling_words({"srun: error: Unable to create step for job 4: Invalid node name specified",
                           start[0], start[1]}),
            "srun: error: Unable to create step for job 4: Invalid node name specified");
}

NodeInputs inputs_for(int nodes, std::size_t bytes) {
  NodeInputs inputs;
  for (int i = 0; i < nodes; ++i) {
    inputs.emplace_back("node" + std::to_string(i),
                        std::string(bytes, 'x') + "\"\n\\ $(id) " + std::to_string(i) + "\n");
  }
  return inputs;
}

TEST(Bundle, GivesEachNodeItsInput) {
  // Each node unpacks all of it: small, so that 300 of them are done soon.
  const NodeInputs inputs = inputs_for(300, 20);
  const std::string bundle = pack_bundle(inputs);
  for (const auto& [node, input] : inputs) EXPECT_EQ(unpack_bundle(bundle, node).value(), input);
}

TEST(Bundle, IsAnArgumentForALoginShellOfAnyKind) {
  const NodeInputs inputs = inputs_for(300, 5000);
  const std::string bundle = pack_bundle(inputs);
  EXPECT_LT(bundle.size(), 60'000u) << "1.5 MB of inputs that differ in little fit into an argument";
  EXPECT_EQ(bundle.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
            std::string::npos);
  for (const std::size_t i : {0u, 150u, 299u}) {
    EXPECT_EQ(unpack_bundle(bundle, inputs[i].first).value(), inputs[i].second);
  }
  EXPECT_THAT(unpack_bundle(bundle, "other").error().what, HasSubstr("no input for the node \"other\""));
}

TEST(Bundle, ASealedOneIsReadByWhoHasAKeyOfItAlone) {
  const KeyPair a = make_key_pair(), b = make_key_pair();
  const NodeInputs inputs = {{"node1", "token for one"}, {"node2", "token for two"}};
  const std::string sealed = seal_bundle("00ff", inputs, {a.public_key, b.public_key});
  EXPECT_EQ(bundle_id(sealed), "00ff");
  EXPECT_EQ(open_bundle(sealed, a, "node1").value(), "token for one");
  EXPECT_EQ(open_bundle(sealed, b, "node2").value(), "token for two");
  EXPECT_FALSE(unpack_bundle(sealed.substr(5), "node1").ok()) << "it is not in clear";
  const auto other = open_bundle(sealed, make_key_pair(), "node1");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ExitCode::kEnvironment);
  EXPECT_THAT(other.error().what, HasSubstr("node1 cannot be read with its key"));
  EXPECT_FALSE(open_bundle("11ff" + sealed.substr(4), a, "node1").ok()) << "sealed for this run alone";
  EXPECT_FALSE(open_bundle(sealed.substr(0, sealed.size() - 9), a, "node1").ok());
  EXPECT_FALSE(open_bundle("00ff", a, "node1").ok());
}

/// As many nodes as pdsh gets in one command; what differs between them cannot be compressed.
TEST(Bundle, ASealedOneOf256NodesIsAnArgument) {
  NodeInputs inputs;
  std::vector<std::string> readers;
  for (int i = 0; i < 256; ++i) {
    std::string input = std::string(4000, 'x');
    for (int rank = 0; rank < 8; ++rank)
      input += "rank " + std::to_string(8 * i + rank) + std::string(200, 'y');
    inputs.emplace_back("node" + std::to_string(i), input + random_token());
    readers.push_back(make_key_pair().public_key);
  }
  EXPECT_LT(seal_bundle(random_token(), inputs, readers).size(), 100'000u)
      << "the kernel takes 131,072 bytes";
}

TEST(NodeKeyLine, IsFoundBehindWhatALoginPrintsAndOnlyWithTheRunsId) {
  const std::string key = make_key_pair().public_key, line = node_key_line("00ff", key);
  EXPECT_EQ(parse_node_key_line(line, "00ff"), key);
  EXPECT_EQ(parse_node_key_line("Welcome to node1: " + line + "\r", "00ff"), key);
  EXPECT_FALSE(parse_node_key_line(line, "11ff"));
  EXPECT_FALSE(parse_node_key_line(line.substr(0, line.size() - 8), "00ff"));
  EXPECT_FALSE(parse_node_key_line(node_key_line("00ff", std::string(32, '\0')), "00ff"))
      << "with that everybody could read it";
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
