// GPUs that are not what the cluster config promises, or get lost, from the command line to the exit code:
// NVML and the engine are stand-ins.
#include "e2e/faults.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GpuLoss : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    timeouts_ = Json::object();
  }
  /// `nvml`: SXB_FAKE_NVML of fake_nvml.h.
  Ended run_on_gpus(const std::string& nvml, const std::vector<std::string>& words,
                    const Json& env = Json::object()) {
    const fs::path libraries = dir_ / "lib";
    fs::create_directories(libraries);
    fs::create_symlink(SXB_FAKE_NVML, libraries / "libnvidia-ml.so.1");
    const char* path = std::getenv("LD_LIBRARY_PATH");
    env_["LD_LIBRARY_PATH"] = libraries.string() + (path != nullptr ? std::string(":") + path : "");
    env_["SXB_FAKE_NVML"] = nvml;
    const Json cluster = {
        {"name", "test"},
        {"transport", "local"},
        {"device", "cuda"},
        {"env", env},
        {"timeouts", timeouts_},
        {"nodes", {{{"name", "n0"}, {"gpus", {0, 1}}}, {{"name", "n1"}, {"gpus", {2, 3}}}}}};
    std::ofstream(dir_ / "cluster.json") << cluster.dump();
    std::vector<std::string> arguments = words;
    arguments.insert(arguments.end(),
                     {"--cluster", (dir_ / "cluster.json").string(), "--out", results().string()});
    return sxbench(arguments);
  }
  record::Record only_error() {
    std::vector<record::Record> errors;
    for (const auto& finding : records(record::kind::kFinding)) {
      if (finding.data["severity"] == "error") errors.push_back(finding);
    }
    EXPECT_EQ(errors.size(), 1u);
    return errors.empty() ? record::Record{} : errors.front();
  }
};

TEST_F(GpuLoss, GoodGpusAreNoFault) {
  const Ended run = run_on_gpus("4", {"nccl", "-e", "64"});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
}

TEST_F(GpuLoss, AGpuOffTheBusIsNamedBeforeAnyRankStarts) {
  for (const char* verb : {"nccl", "gpu", "burn", "locate"}) {
    fs::remove_all(dir_ / "lib");
    const Ended run = run_on_gpus("4:3:0", {verb});
    EXPECT_EQ(run.status.text(), "exit code 4") << verb << run.err;
    EXPECT_THAT(run.err, HasSubstr("GPU 3 of node n1 has fallen off the PCIe bus: NVML says \"GPU is lost"))
        << verb;
    EXPECT_THAT(run.err, HasSubstr("help: `dmesg | grep -i xid` on n1 has the cause")) << verb;
    EXPECT_EQ(records(record::kind::kTaskEnd).at(0).data["failed_node"], "n1");
    const record::Record error = only_error();
    EXPECT_EQ(error.data["code"], "gpu_lost");
    EXPECT_EQ(error.node, "n1");
  }
}

TEST_F(GpuLoss, AnErrorOfARankIsThatOfItsLostGpu) {
  const Ended run = run_on_gpus("4:1:1", {"nccl"}, {{"SXB_FAKE_FAULT", "error:1:nccl"}});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  const record::Record end = records(record::kind::kTaskEnd).at(0);
  EXPECT_THAT(end.data["reason"].get<std::string>(),
              HasSubstr("GPU 1 of node n0 has fallen off the PCIe bus"));
  EXPECT_EQ(end.data["failed_rank"], 1);
  tell("GPU lost while a rank uses it (NVML and engine are stand-ins), of the start",
       end.data["verdict_s"].get<double>(), 900, "none: the rank fails", end.data["reason"]);
  EXPECT_THAT(run.err, HasSubstr("help: `dmesg | grep -i xid` on n0"));
}

TEST_F(GpuLoss, RanksThatHangOverALostGpuSayWhich) {
  timeouts_ = {{"stall_s", 2 * pace()}, {"stop_s", 1}, {"evidence_s", 1}};
  const Ended run = run_on_gpus("4:1:1", {"nccl"}, {{"SXB_FAKE_FAULT", "deadlock:1:nccl"}});
  EXPECT_NE(run.status.code, 0) << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("no rank has made progress"));
  const record::Record error = only_error();
  EXPECT_EQ(error.data["code"], "gpu_lost");
  EXPECT_EQ(error.node, "n0");
}

TEST_F(GpuLoss, AnErrorOfARankWhoseGpuIsThereStaysItsOwn) {
  const Ended run = run_on_gpus("4", {"nccl"}, {{"SXB_FAKE_FAULT", "error:1:nccl"}});
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  EXPECT_THAT(run.err, Not(HasSubstr("PCIe")));
}

TEST_F(GpuLoss, MoreGpusInTheConfigThanThereAre) {
  const Ended run = run_on_gpus("3", {"nccl"});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, HasSubstr("node n1 owns GPU 3, this machine has 3 GPUs"));
  EXPECT_FALSE(fs::exists(results())) << "nothing was started";
}

}  // namespace
}  // namespace sxb::e2e
