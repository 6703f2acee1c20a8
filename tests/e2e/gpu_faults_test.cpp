// Faults of ranks that work on GPUs: real engine, real NCCL, four GPUs of this machine as nodes of one or
// two, over NVLink and over sockets. Whoever is killed must be named within 30 s, and the next task runs.
#include "e2e/faults.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kBound = 30;

struct Layout {
  const char* name;
  int nodes, gpus_per_node;
};
struct Wires {
  const char* profile;     ///< configs/nccl/
  const char* iterations;  ///< of the sweep, so that it lasts some seconds
};

class GpuFaults : public Faults, public ::testing::WithParamInterface<std::tuple<Layout, Wires>> {
 protected:
  void SetUp() override {
    Faults::SetUp();
    env_.erase("SXBENCH_ENGINE_LIB");  // the engine beside the binary, not the fake one
    timeouts_ = {{"rank_silence_s", 8}, {"stop_s", 2}};
    if (gpus() < 4) GTEST_SKIP() << "needs four GPUs, this machine has " << gpus();
  }

  static int gpus() {
    int count = 0;
    for (; fs::exists(fmt::format("/dev/nvidia{}", count)); ++count) {
    }
    return count;
  }

  static Layout layout() { return std::get<0>(GetParam()); }
  static Wires wires() { return std::get<1>(GetParam()); }

  /// DIR/cluster.json of the layout, its ranks marked.
  std::string gpu_cluster(const Layout& layout, const std::string& profile) {
    Json json = *load_json(marked_cluster(layout.nodes, layout.gpus_per_node, Json::object()));
    json["device"] = "cuda";
    json["nccl_profile"] = profile;
    int gpu = 0;
    for (Json& node : json["nodes"]) {
      node.erase("slots");
      node["gpus"] = Json::array();
      for (int i = 0; i < layout.gpus_per_node; ++i) node["gpus"].push_back(gpu++);
    }
    const fs::path path = dir_ / "cluster.json";
    std::ofstream(path) << json.dump();
    return path.string();
  }

  static std::string node_counts(const Layout& layout) { return fmt::format("{},1", layout.nodes); }

  std::vector<std::string> sweep(const Layout& layout, const Wires& wires) {
    return {"nccl",
            "--cluster",
            gpu_cluster(layout, wires.profile),
            "--nodes",
            node_counts(layout),
            "-b",
            "1M",
            "-e",
            "16M",
            "-n",
            wires.iterations,
            "--out",
            results().string()};
  }

  /// Starts sxbench, does `fault` to the last rank once there are `count` records of `kind`, and asserts
  /// that it is blamed and the task after it succeeds.
  void expect_blamed(const std::vector<std::string>& arguments, const std::string& kind, std::size_t count,
                     int signal, const Layout& layout, const std::string& reason, const std::string& fault,
                     const std::string& key) {
    launch::ProcessSet processes;
    start(processes, arguments);
    ASSERT_TRUE(wait_until(
        processes, [&] { return records(kind).size() >= count; }, 50));
    const int last = 3;
    ASSERT_GT(process_of(last), 0);
    const std::int64_t hit_ns = monotonic_ns();
    hit(process_of(last), signal);
    const Ended run = collect(processes, [](const std::string&) {});
    EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
    const auto ends = records(record::kind::kTaskEnd);
    ASSERT_EQ(ends.size(), 2u) << run.err;
    EXPECT_EQ(ends[0].data["failed_node"], fmt::format("n{}", layout.nodes - 1));
    EXPECT_EQ(ends[0].data["failed_rank"], last);
    EXPECT_THAT(ends[0].data["reason"].get<std::string>(), HasSubstr(reason));
    EXPECT_EQ(ends[1].data["status"], "ok") << "the next task runs";
    expect_verdict(fault, hit_ns, kBound, key);
    EXPECT_TRUE(ranks().empty());
  }
};

TEST_P(GpuFaults, ARankKilledDuringAnAllReduceIsNamed) {
  expect_blamed(sweep(layout(), wires()), record::kind::kCollective, 1, SIGKILL, layout(),
                "ended: killed by signal 9", "rank killed during an all-reduce",
                "none: the agent sees it end");
}

TEST_P(GpuFaults, ARankKilledDuringATrainingStepIsNamed) {
  std::vector<std::string> arguments = run_arguments(gpu_cluster(layout(), wires().profile), "sft");
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == "--steps") arguments[i + 1] = "2000";
  }
  arguments.insert(arguments.end(), {"--nodes", node_counts(layout())});
  expect_blamed(arguments, record::kind::kStep, 5, SIGKILL, layout(), "ended: killed by signal 9",
                "rank killed during a training step", "none: the agent sees it end");
}

constexpr Layout kLayouts[] = {{"FourNodesOfOne", 4, 1}, {"TwoNodesOfTwo", 2, 2}};
constexpr Wires kWires[] = {{"single-host", "20000"}, {"sockets", "500"}};

INSTANTIATE_TEST_SUITE_P(Layouts, GpuFaults,
                         ::testing::Combine(::testing::ValuesIn(kLayouts), ::testing::ValuesIn(kWires)),
                         [](const auto& instance) {
                           const std::string wires = std::get<1>(instance.param).profile;
                           return std::string(std::get<0>(instance.param).name) +
                                  (wires == "sockets" ? "OverSockets" : "OverNvlink");
                         });

class GpuHang : public GpuFaults {};

TEST_P(GpuHang, AFrozenRankIsNamedAndNcclIsAsked) {
  expect_blamed(sweep(layout(), wires()), record::kind::kCollective, 1, SIGSTOP, layout(),
                "rank 3 on node n3 has sent nothing for 8 s", "rank frozen during an all-reduce",
                "timeouts.rank_silence_s");
  const auto answers = findings("nccl_ras");
  ASSERT_FALSE(answers.empty()) << "each agent asks the RAS service of its ranks";
  for (const auto& answer : answers)
    std::cout << "RAS " << answer.node << ": " << answer.data["message"].get<std::string>() << '\n';
  const auto states = findings("rank_state");
  ASSERT_FALSE(states.empty());
  EXPECT_THAT(states.back().data["message"].get<std::string>(), AllOf(HasSubstr("rank"), HasSubstr("state")));
}

INSTANTIATE_TEST_SUITE_P(Nvlink, GpuHang, ::testing::Values(std::tuple(kLayouts[0], kWires[0])),
                         [](const auto&) { return std::string("FourNodesOfOne"); });

}  // namespace
}  // namespace sxb::e2e
