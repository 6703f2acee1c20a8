#include "metrics/gpu_faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_library.h"

namespace sxb::metrics {
namespace {

using testing::HasSubstr;

std::optional<GpuFault> find(const std::vector<int>& gpus, bool whole = true) {
  return find_gpu_fault("n2", gpus, whole, fake::roots_of("sys-basic"));
}

TEST(GpuFaults, NothingAgainstGoodOnes) {
  fake::Library nvml;
  EXPECT_FALSE(find({0, 1}));
  nvml->mig = 0;
  EXPECT_FALSE(find({0, 1}));
  EXPECT_EQ(nvml->sessions, 0) << "NVML is shut down again";
}

TEST(GpuFaults, AGpuOffTheBusIsNamedWithItsNode) {
  fake::Library nvml;
  nvml->gpus = 4;
  nvml->refuse_gpu = 3;
  const auto fault = find({0, 1, 2, 3});
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, "gpu_lost");
  EXPECT_EQ(fault->error.what,
            "GPU 3 of node n2 has fallen off the PCIe bus: NVML says \"GPU is lost (NVML error 15)\"");
  EXPECT_THAT(fault->error.help, HasSubstr("dmesg | grep -i xid` on n2"));
  EXPECT_THAT(fault->error.help, HasSubstr("79"));
  EXPECT_THAT(fault->error.help, HasSubstr("nvidia-smi --gpu-reset -i 3"));
  EXPECT_EQ(fault->error.code, ExitCode::kEnvironment);
  EXPECT_FALSE(find({0, 1})) << "the ranks have others";
}

TEST(GpuFaults, AGpuThatIsHandedOutAndDoesNotAnswer) {
  fake::Library nvml;
  nvml->lose_gpu = 1;
  nvml->lost_result = 16;
  const auto fault = find({0, 1});
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, "gpu_lost");
  EXPECT_THAT(fault->error.what, HasSubstr("GPU 1 of node n2 needs a reset"));
  nvml->lost_result = 999;
  EXPECT_THAT(find({0, 1})->error.what, HasSubstr("GPU 1 of node n2 does not answer"));
  nvml->lost_result = 4;  // no permission: CUDA will tell
  EXPECT_FALSE(find({0, 1}));
}

TEST(GpuFaults, FewerGpusThanRanks) {
  const fake::Library nvml;
  const auto fault = find({0, 1, 2, 3});
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, "gpu_missing");
  EXPECT_EQ(fault->error.what, "node n2 has 2 GPUs, counted from 0: there is no GPU 2, 3");
  EXPECT_THAT(fault->error.help, HasSubstr("\"per_node\": 2"));
}

TEST(GpuFaults, SlicesWillNotDoForRanksThatTalk) {
  fake::Library nvml;
  nvml->mig = 1;
  const auto fault = find({0, 1});
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, "gpu_mig");
  EXPECT_EQ(fault->error.what, "MIG is on: GPU 0, 1 of node n2");
  EXPECT_THAT(fault->error.help, HasSubstr("nvidia-smi -i 0,1 -mig 0 on n2"));
  EXPECT_FALSE(find({0}, false)) << "one rank alone may have one";
}

TEST(GpuFaults, OneThatIsLostComesBeforeAllElse) {
  fake::Library nvml;
  nvml->mig = 1;
  nvml->lose_gpu = 0;
  EXPECT_EQ(find({0, 1, 7})->code, "gpu_lost");
}

TEST(GpuFaults, WithoutNvmlTheRanksWillTell) {
  fake::Library nvml;
  nvml->init_result = 9;
  EXPECT_FALSE(find({0, 1}));
  EXPECT_FALSE(find_gpu_fault("n2", {0}, true, Roots{"", "", "", "no-such-nvml.so"}));
}

}  // namespace
}  // namespace sxb::metrics
