#include "config/cluster/cluster.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

Cluster parsed(const std::string& text) {
  auto cluster = parse_cluster(json_of(text), "c.json");
  EXPECT_TRUE(cluster.ok()) << format_errors(cluster.errors());
  return cluster.ok() ? std::move(cluster).value() : Cluster{};
}

Errors errors_of(const std::string& text) { return parse_cluster(json_of(text), "c.json").errors(); }

TEST(ParseCluster, ReadsEveryKey) {
  const Cluster c = parsed(R"({
    "$schema": "x", "name": "c", "description": "d", "transport": "ssh", "device": "cuda",
    "nodes": ["head", {"name": "n[1-2]", "host": "10.0.0.[1-2]", "gpus": 2, "ssh_port": 44222, "ssh_user": "u",
                       "ssh_key": "k", "ssh_jump": "j"}, {"name": "cpu", "slots": 3, "gpus": [3, 1]}],
    "network": {"fabric": "spectrum-x", "mtu": 9000, "nics": [{"name": "mlx5_0", "line_rate_gbps": 400},
                                                             {"name": "mlx5_1", "line_rate_gbps": 200}]},
    "gpu": {"name": "NVIDIA H200", "per_node": 8, "memory_gib": 140.5, "mixed": true},
    "nccl_profile": "roce", "nccl_env": {"NCCL_DEBUG": "INFO; rm -rf /"}, "env": {"A_1": ""},
    "goals": {"gpu_utilization_pct": 90, "scaling_efficiency_pct": {"4": 95, "8": 93}, "bandwidth_pct_of_line": 92,
              "busbw_gBps": 300},
    "paths": {"results": "r", "data": "/raid"}, "rendezvous": {"host": "h", "port": 29500},
    "timeouts": {"connect_s": 7, "rank_silence_s": 2, "agent_silence_s": 3, "stall_s": 4, "stop_s": 6, "evidence_s": 8}})");
  EXPECT_EQ(c.timeouts.rank_silence_s, 2);
  EXPECT_EQ(c.timeouts.agent_silence_s, 3);
  EXPECT_EQ(c.timeouts.stall_s, 4);
  EXPECT_EQ(c.timeouts.stop_s, 6);
  EXPECT_EQ(c.timeouts.evidence_s, 8);
  ASSERT_EQ(c.nodes.size(), 4u);
  EXPECT_EQ(c.nodes[0].host, "head");
  EXPECT_TRUE(c.nodes[0].gpus.empty());
  EXPECT_EQ(c.nodes[2].name, "n2");
  EXPECT_EQ(c.nodes[2].host, "10.0.0.2");
  EXPECT_THAT(c.nodes[2].gpus, ElementsAre(0, 1));
  EXPECT_EQ(c.nodes[2].ssh_port, 44222);
  EXPECT_EQ(c.nodes[2].ssh_user + c.nodes[2].ssh_key + c.nodes[2].ssh_jump, "ukj");
  EXPECT_THAT(c.nodes[3].gpus, ElementsAre(3, 1));
  EXPECT_EQ(c.nodes[3].slots, 3);
  EXPECT_EQ(c.network.line_rate_gbps(), 600);
  EXPECT_EQ(c.network.mtu, 9000);
  EXPECT_EQ(c.gpu.per_node, 8);
  EXPECT_EQ(c.gpu.memory_gib, 140.5);
  EXPECT_TRUE(c.gpu.mixed);
  EXPECT_THAT(c.nccl_env, ElementsAre(Pair("NCCL_DEBUG", "INFO; rm -rf /")));  // data, never a shell's
  EXPECT_THAT(c.env, ElementsAre(Pair("A_1", "")));
  EXPECT_EQ(c.goals.gpu_utilization_pct, 90);
  EXPECT_THAT(c.goals.scaling_efficiency_pct, ElementsAre(Pair(4, 95), Pair(8, 93)));
  EXPECT_EQ(c.goals.busbw_gBps, 300);
  EXPECT_EQ(c.paths.data, "/raid");
  EXPECT_EQ(c.rendezvous.port, 29500);
  EXPECT_EQ(c.source, "c.json");
  // The JSON form is complete.
  const auto again = parse_cluster(to_json(c), "again");
  ASSERT_TRUE(again.ok()) << format_errors(again.errors());
  EXPECT_EQ(to_json(*again), to_json(c));
}

TEST(ParseCluster, NeverWritesASecret) {
  const Cluster c =
      parsed(R"({"name": "c", "nodes": "n1", "nccl_env": {"NCCL_DEBUG": "INFO", "NCCL_KEY": "k1"},
    "env": {"HF_TOKEN": "t1", "https_proxy": "http://ada:p1@proxy", "A": "x", "EMPTY_TOKEN": ""}})");
  EXPECT_EQ(c.env.at("HF_TOKEN"), "t1") << "for the ranks";
  const Json written = to_json(c);
  EXPECT_EQ(dump(written["env"]),
            R"({"A":"x","EMPTY_TOKEN":"","HF_TOKEN":"<redacted>","https_proxy":"<redacted>"})");
  EXPECT_EQ(dump(written["nccl_env"]), R"({"NCCL_DEBUG":"INFO","NCCL_KEY":"<redacted>"})");
  EXPECT_EQ(to_json(redacted(c)), written);
  EXPECT_EQ(redacted(c).env.at("HF_TOKEN"), "<redacted>");
  const auto again = parse_cluster(written, "journal");
  ASSERT_TRUE(again.ok());
  EXPECT_THAT(lost_secrets(*again), ElementsAre("NCCL_KEY", "HF_TOKEN", "https_proxy"));
  EXPECT_THAT(lost_secrets(c), testing::IsEmpty());
}

TEST(ParseCluster, AnErrorAtASecretDoesNotTellIt) {
  const Errors errors = errors_of(R"({"name": "c", "nodes": "n1", "env": {"API_KEY": 1234567, "B": 1}})");
  EXPECT_THAT(error_at(errors, "c.json:/env/API_KEY").what, testing::Not(HasSubstr("1234567")));
  EXPECT_THAT(error_at(errors, "c.json:/env/B").what, HasSubstr("the number 1"));
  const auto torn = parse_json("{\"API_KEY\": \"s3cret\n\"}", "c.json");
  ASSERT_FALSE(torn.ok());
  EXPECT_THAT(torn.error().what, testing::Not(HasSubstr("s3cret")));
  EXPECT_THAT(torn.error().where, HasSubstr("c.json:1:"));
}

TEST(FileMode, IsOctalAndTheOwnersAtLeast) {
  const auto with = [](const std::string& mode) {
    return fmt::format(R"({{"name": "c", "nodes": "n1", "paths": {{"file_mode": "{}"}}}})", mode);
  };
  for (const char* mode : {"", "0640", "640", "0600", "0660", "0664", "0644", "0604"}) {
    EXPECT_THAT(errors_of(with(mode)), testing::IsEmpty()) << mode;
  }
  for (const char* mode :
       {"0440", "0666", "0750", "640x", "06400", "9640", "-rw", "0x640", "64", "0620", "00640"}) {
    const Errors errors = errors_of(with(mode));
    ASSERT_EQ(errors.size(), 1u) << mode;
    EXPECT_EQ(errors[0].where, "c.json:/paths/file_mode");
    EXPECT_THAT(errors[0].help, HasSubstr("0640"));
  }
}

TEST(FileMode, IsWhatTheUmaskLeavesUnlessItIsSaid) {
  Cluster c;
  EXPECT_EQ(run_umask(c, 0022), 0027u);
  EXPECT_EQ(run_umask(c, 0077), 0077u);
  EXPECT_EQ(run_umask(c, 0002), 0027u);
  EXPECT_EQ(run_umask(c, 0000), 0027u);
  c.paths.file_mode = "0660";
  EXPECT_EQ(run_umask(c, 0077), 0007u);
  c.paths.file_mode = "0644";
  EXPECT_EQ(run_umask(c, 0077), 0022u);
  c.paths.file_mode = "600";
  EXPECT_EQ(run_umask(c, 0022), 0077u);
}

TEST(ParseCluster, FillsInDefaults) {
  const Cluster c = parsed(R"({"name": "c", "nodes": "n[1-2]"})");
  EXPECT_EQ(c.transport, TransportKind::kAuto);
  EXPECT_EQ(c.nodes[1].host, "n2");
  EXPECT_EQ(c.paths.results, "results");
  EXPECT_EQ(c.paths.data, "") << "the same for every user";
  EXPECT_FALSE(c.goals.gpu_utilization_pct.has_value());
  const Cluster local = parsed(R"({"name": "c", "nodes": "n[1-2]", "transport": "local", "device": "cpu"})");
  EXPECT_EQ(local.nodes[1].host, "localhost");
}

TEST(ParseCluster, ReportsAllErrorsAtOnceEachAtItsPlace) {
  const Errors errors = errors_of(R"({
    "transprt": "ssh", "device": "graphics",
    "nodes": ["n[1-", {"name": "m", "gpus": [0, 0], "ssh_port": 70000, "host": "-oX"}, {"nam": "x"}, 7],
    "network": {"mtu": "9000", "nics": [{"name": "a/b"}]},
    "nccl_env": {"1X": "a", "NCCL_DEBUG": 1},
    "goals": {"gpu_utilization_pct": 900, "scaling_efficiency_pct": {"many": 1}},
    "paths": []})");
  EXPECT_THAT(places(errors),
              UnorderedElementsAre("c.json:/name", "c.json:/transprt", "c.json:/device", "c.json:/nodes/0",
                                   "c.json:/nodes/1/gpus", "c.json:/nodes/1/ssh_port", "c.json:/nodes/1/host",
                                   "c.json:/nodes/2/nam", "c.json:/nodes/2/name", "c.json:/nodes/3",
                                   "c.json:/network/mtu", "c.json:/network/nics/0/line_rate_gbps",
                                   "c.json:/nccl_env/1X", "c.json:/nccl_env/NCCL_DEBUG",
                                   "c.json:/goals/gpu_utilization_pct",
                                   "c.json:/goals/scaling_efficiency_pct/many", "c.json:/paths"));
  EXPECT_EQ(error_at(errors, "c.json:/transprt").help, "did you mean \"transport\"?");
  EXPECT_EQ(error_at(errors, "c.json:/nodes/1/ssh_port").what, "70000 is out of range");
  EXPECT_EQ(error_at(errors, "c.json:/nodes/1/ssh_port").help, "write an integer from 1 to 65535");
  EXPECT_EQ(error_at(errors, "c.json:/device").help, "known: auto, cpu, cuda");
  EXPECT_EQ(error_at(errors, "c.json:/network/mtu").what, "expected an integer, found the string \"9000\"");
  for (const Error& error : errors) {
    EXPECT_EQ(error.code, ExitCode::kUsage);
    EXPECT_FALSE(error.help.empty()) << error.what;
  }
}

TEST(ParseCluster, EscapesPointers) {
  const Errors errors = errors_of(R"({"name": "c", "nodes": "n", "a/b~c": 1})");
  EXPECT_THAT(places(errors), ElementsAre("c.json:/a~1b~0c"));
}

TEST(ParseCluster, RefusesADocumentThatIsNoObject) { EXPECT_EQ(errors_of("[]").front().where, "c.json:/"); }

TEST(ParseCluster, RefusesSharedGpusAndNames) {
  EXPECT_THAT(errors_of(R"({"name": "c", "transport": "local",
                            "nodes": [{"name": "a", "gpus": [0, 1]}, {"name": "b", "gpus": [1, 2]}]})")
                  .front()
                  .what,
              HasSubstr("a and b both own GPU 1"));
  EXPECT_THAT(
      errors_of(
          R"({"name": "c", "nodes": [{"name": "a", "host": "h", "gpus": 2}, {"name": "b", "host": "h"}]})")
          .front()
          .what,
      HasSubstr("a and b both own all GPUs of the machine h"));
  EXPECT_THAT(
      errors_of(
          R"({"name": "c", "nodes": [{"name": "a", "host": "h"}, {"name": "b", "host": "h", "gpus": 2}]})")
          .front()
          .what,
      HasSubstr("both own all GPUs"));
  EXPECT_THAT(errors_of(R"({"name": "c", "nodes": ["a", "a"]})").front().what, HasSubstr("named twice"));
  // Different machines, or no GPUs at all.
  parsed(R"({"name": "c", "nodes": [{"name": "a", "gpus": 2}, {"name": "b", "gpus": 2}]})");
  parsed(R"({"name": "c", "transport": "local", "device": "cpu", "nodes": "n[1-2]"})");
}

TEST(ParseCluster, HostsMatchNames) {
  EXPECT_THAT(errors_of(R"({"name": "c", "nodes": [{"name": "n[1-3]", "host": "h[1-2]"}]})").front().what,
              HasSubstr("2 hosts for 3 names"));
}

TEST(ParseCluster, GroupsStandForTheirNodes) {
  const Cluster cluster =
      parsed(R"({"name": "c", "device": "cpu", "groups": {"all": "@b,@a", "a": "n[01-02]", "b": "n07"},
                                     "nodes": ["@all", {"name": "x[1-2]", "host": "@a"}]})");
  std::vector<std::string> names;
  for (const Node& node : cluster.nodes) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("n07", "n01", "n02", "x1", "x2"));
  EXPECT_EQ(cluster.nodes[4].host, "n02");
  EXPECT_EQ(to_json(parse_cluster(to_json(cluster), "again").value()), to_json(cluster));
}

TEST(ParseCluster, GroupsThatCannotBeAreAllReported) {
  const Errors errors = errors_of(R"({"name": "c", "nodes": "@rack",
      "groups": {"loop": "@pool", "pool": "@loop", "typo": "n[1-", "rack1": "n1", "a b": "n2"}})");
  EXPECT_THAT(places(errors),
              testing::UnorderedElementsAre("c.json:/groups/a b", "c.json:/groups/loop",
                                            "c.json:/groups/pool", "c.json:/groups/typo", "c.json:/nodes"));
  EXPECT_THAT(errors.back().help, HasSubstr("did you mean \"rack1\"?"));
}

TEST(ParseCluster, WhatSshWouldReadAsSomethingElseIsRefused) {
  for (const char* value : {"-oProxyCommand=x", "a b", "$(id)", "`id`", "a;b", "a'b", "a\nb", "a|b", "a&b"}) {
    for (const char* key : {"host", "ssh_user", "ssh_jump"}) {
      const Json json = {{"name", "c"}, {"nodes", Json::array({{{"name", "n"}, {key, value}}})}};
      const auto cluster = parse_cluster(json, "c.json");
      ASSERT_FALSE(cluster.ok()) << key << " " << value;
      EXPECT_EQ(cluster.error().where, std::string("c.json:/nodes/0/") + key);
    }
  }
  for (const char* key : {"%h/key", "${HOME}/key", "a\"b"}) {
    const Json json = {{"name", "c"}, {"nodes", Json::array({{{"name", "n"}, {"ssh_key", key}}})}};
    EXPECT_FALSE(parse_cluster(json, "c.json").ok()) << key;
  }
  parsed(
      R"({"name": "c", "nodes": [{"name": "n", "host": "fd77::1", "ssh_user": "u.v@dom", "ssh_key": "~/my key",
             "ssh_jump": "a@b:22,c"}]})");
}

TEST(ParseCluster, SlurmOptionsAreSingleWords) {
  const Errors errors = errors_of(R"({"name": "c", "nodes": "n", "slurm": {"srun_options": ["-x", "--y"],
      "salloc_options": "--z", "container_mounts": ["/a:/a,/b:/b"]}, "rendezvous": {"host": "h", "interface": "i"}})");
  EXPECT_THAT(places(errors), testing::UnorderedElementsAre(
                                  "c.json:/slurm/srun_options/0", "c.json:/slurm/salloc_options",
                                  "c.json:/slurm/container_mounts/0", "c.json:/rendezvous/interface"));
}

using ResolveCluster = CleanEnvironment;

TEST_F(ResolveCluster, WithinAnAllocationAutoIsSlurm) {
  const std::string inside = write("in.json", R"({"name": "c", "nodes": "@slurm"})");
  EXPECT_THAT(resolve_cluster(inside).error().help, HasSubstr("inside of sbatch or salloc"));
  set("SLURM_JOB_NODELIST", "gpu[01-02]");
  EXPECT_EQ(resolve_cluster(inside)->nodes.size(), 2u);
  EXPECT_EQ(resolve_cluster(inside)->transport, TransportKind::kSlurm);
  const std::string outside = write("out.json", R"({"name": "c", "nodes": "gpu[01-03]"})");
  EXPECT_EQ(resolve_cluster(outside)->transport, TransportKind::kAuto);
  const std::string ssh = write("ssh.json", R"({"name": "c", "transport": "ssh", "nodes": "gpu01"})");
  EXPECT_EQ(resolve_cluster(ssh)->transport, TransportKind::kSsh);
}

TEST_F(ResolveCluster, ReadsAHostfile) {
  const auto cluster = load_hostfile(write(
      "hosts", "# nodes\nnode001 slots=8\n\n  node002  slots=4 max_slots=8 # note\nnode003:2\nnode004\n"));
  ASSERT_TRUE(cluster.ok()) << format_errors(cluster.errors());
  EXPECT_EQ(cluster->name, "hosts");
  EXPECT_EQ(cluster->transport, TransportKind::kSsh);
  ASSERT_EQ(cluster->nodes.size(), 4u);
  EXPECT_EQ(cluster->nodes[0].gpus.size(), 8u);
  EXPECT_EQ(cluster->nodes[1].slots, 4);
  EXPECT_EQ(cluster->nodes[2].slots, 2);
  EXPECT_TRUE(cluster->nodes[3].gpus.empty());
  const std::string wrong = write("wrong", "node001 slots=many\nnode002 slots=8\nnode003 gpus=8\n");
  EXPECT_THAT(places(load_hostfile(wrong).errors()), ElementsAre(wrong + ":1", wrong + ":3"));
  EXPECT_FALSE(load_hostfile(write("empty", "# none\n")).ok());
  EXPECT_THAT(load_hostfile(write("evil", "-oProxyCommand=x slots=1\n")).error().what,
              HasSubstr("not a node name"));
}

std::string named(const std::string& name) { return R"({"name": ")" + name + R"(", "nodes": "n1"})"; }

TEST_F(ResolveCluster, LooksInTheDocumentedOrder) {
  EXPECT_EQ(resolve_cluster("")->name, "local");
  EXPECT_EQ(resolve_cluster("")->source, "builtin");
  set("SLURM_JOB_NODELIST", "gpu[01-02]");
  set("SLURM_JOB_ID", "7");
  EXPECT_EQ(resolve_cluster("")->name, "slurm-7");
  write("home/sxbench/cluster.json", named("user"));
  EXPECT_EQ(resolve_cluster("")->name, "user");
  write("cluster.json", named("here"));
  EXPECT_EQ(resolve_cluster("")->name, "here");
  set("SXBENCH_CLUSTER", write("env.json", named("env")));
  EXPECT_EQ(resolve_cluster("")->name, "env");
  EXPECT_EQ(resolve_cluster("local-8")->name, "local-8");
  EXPECT_EQ(resolve_cluster(write("arg.json", named("arg")))->name, "arg");
}

TEST_F(ResolveCluster, ReadsASlurmAllocation) {
  set("SLURM_JOB_NODELIST", "gpu[01-02]");
  set("SLURM_GPUS_ON_NODE", "4");
  const auto cluster = resolve_cluster("");
  ASSERT_TRUE(cluster.ok()) << format_errors(cluster.errors());
  EXPECT_EQ(cluster->transport, TransportKind::kSlurm);
  EXPECT_EQ(cluster->source, "slurm");
  ASSERT_EQ(cluster->nodes.size(), 2u);
  EXPECT_EQ(cluster->nodes[1].name, "gpu02");
  EXPECT_EQ(cluster->gpu.per_node, 4);
  EXPECT_THAT(cluster->nodes[1].gpus, ElementsAre(0, 1, 2, 3));
  set("SLURM_GPUS_ON_NODE", "h200:4");
  EXPECT_EQ(resolve_cluster("").error().where, "$SLURM_GPUS_ON_NODE");
}

TEST_F(ResolveCluster, PutsTheProfileUnderTheClustersOwnVariables) {
  const auto cluster = resolve_cluster(
      write("c.json",
            R"({"name": "c", "nodes": "n", "nccl_profile": "sockets", "nccl_env": {"NCCL_NET": "mine"}})"));
  ASSERT_TRUE(cluster.ok()) << format_errors(cluster.errors());
  EXPECT_EQ(cluster->nccl_env.at("NCCL_NET"), "mine");
  EXPECT_EQ(cluster->nccl_env.at("NCCL_P2P_DISABLE"), "1");
}

TEST_F(ResolveCluster, SaysWhatThereIs) {
  EXPECT_THAT(resolve_cluster("locall").error().help, HasSubstr("did you mean \"local\"?"));
  EXPECT_THAT(resolve_cluster("zzzzzz").error().help, HasSubstr("known: h200x4-as-1-node"));
  EXPECT_THAT(resolve_cluster("./none.json").error().what, HasSubstr("no such file"));
  const std::string path = write("c.json", R"({"name": "c", "nodes": "n", "nccl_profile": "rocee"})");
  const Error error = resolve_cluster(path).error();
  EXPECT_EQ(error.where, path + ":/nccl_profile");
  EXPECT_THAT(error.help, HasSubstr("did you mean \"roce\"?"));
  const Error syntax = resolve_cluster(write("d.json", "{\n  \"name\": ,\n}")).error();
  EXPECT_THAT(syntax.where, HasSubstr("d.json:2:"));
}

std::vector<std::string> names(const std::vector<Node>& nodes) {
  std::vector<std::string> result;
  for (const Node& node : nodes) result.push_back(node.name);
  return result;
}

TEST(SetAsideNodes, TakesExcludedNodesAndSparesOut) {
  Cluster c = parsed(R"({"name": "c", "nodes": "n[1-6]"})");
  const auto spares = set_aside_nodes(c, "n[2,5]", "n[5-6]");
  ASSERT_TRUE(spares.ok()) << format_errors(spares.errors());
  EXPECT_THAT(names(c.nodes), ElementsAre("n1", "n3", "n4"));
  EXPECT_THAT(names(*spares), ElementsAre("n6")) << "an excluded spare is no spare";
}

TEST(SetAsideNodes, NamesWhatIsWrong) {
  Cluster c = parsed(R"({"name": "c", "nodes": "node[1-2]"})");
  const auto unknown = set_aside_nodes(c, "nod1", "");
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.error().help, HasSubstr("did you mean \"node1\"?"));
  EXPECT_EQ(unknown.error().where, "--exclude");
  EXPECT_FALSE(set_aside_nodes(c, "node[", "").ok());
  EXPECT_FALSE(set_aside_nodes(c, "node[1-2]", "").ok()) << "no node is left";
}

}  // namespace
}  // namespace sxb::config
