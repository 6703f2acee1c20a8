#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/build_info.h"
#include "fake_library.h"
#include "record/typed.h"

namespace sxb::metrics {
namespace {

/// As the agent writes them.
Json facts_of(const std::vector<int>& gpus, const Roots& roots) {
  return record::write(node_facts(gpus, roots));
}

TEST(Facts, OfTheHost) {
  const fake::Library nvml;
  const Json facts = facts_of({}, fake::roots_of("sys-basic"));
  EXPECT_EQ(facts["hostname"], "gpu-node-7");
  EXPECT_EQ(facts["build_id"], build_id());
  EXPECT_EQ(facts["os"], "Ubuntu 24.04.1 LTS");
  EXPECT_EQ(facts["kernel"], "6.8.0-48-generic");
  EXPECT_EQ(facts["cpu_model"], "Example Xeon 8480C");
  EXPECT_EQ(facts["cpus"], 2);
  EXPECT_EQ(facts["memory_bytes"], 2000000LL * 1024);
  EXPECT_EQ(facts["driver"], "580.00.01");
  EXPECT_EQ(facts["nics"].size(), 4U);
}

// mlx5_0 sits in a Gen5 x16 slot; of mlx5_1 the kernel says nothing.
TEST(Facts, OfTheRdmaAdapters) {
  const fake::Library nvml;
  const Json facts = facts_of({}, fake::roots_of("sys-basic"));
  EXPECT_EQ(facts["rdma"],
            Json::parse(R"([{"name":"mlx5_0","rate_gbps":400.0,"pcie_generation":5,"pcie_lanes":16},
      {"name":"mlx5_1"}])"));
  for (const Json& nic : facts["nics"])
    EXPECT_EQ(nic.contains("pcie_generation"), nic["name"] == "eth1") << nic;
}

TEST(Facts, AreAllInTheFieldTable) {
  const fake::Library nvml;
  const Json facts = facts_of({}, fake::roots_of("sys-basic"));
  for (const auto& item : facts.items()) {
    EXPECT_NE(record::find_field(record::kind::kNode, item.key()), nullptr) << item.key();
  }
}

TEST(Facts, OfTheGpus) {
  fake::Library nvml;
  const Json gpus = facts_of({1}, fake::roots_of("sys-basic"))["gpus"];
  // "mig" is absent: this library does not have the function.
  EXPECT_EQ(gpus, Json::parse(R"([{"index":1,"name":"Fake H200","uuid":"GPU-1","pci":"0000:1a:00",
      "memory_bytes":150000000000,"power_limit_w":700.0,"sm_clock_max_mhz":1980,"sm_clock_mhz":1455,
      "persistence":true,"ecc":true,"nvlinks":4}])"));
  EXPECT_EQ(nvml->sessions, 0) << "NVML is shut down again";
}

TEST(Facts, NoNvlinkIsNoCount) {
  fake::Library nvml;
  nvml->nvlinks = 0;
  EXPECT_FALSE(facts_of({}, fake::roots_of("sys-basic"))["gpus"][0].contains("nvlinks"));
}

TEST(Facts, TopologyCountsDirectLinks) {
  fake::Library nvml;
  nvml->gpus = 4;
  nvml->nvlinks = 3;
  const Json topology = facts_of({0, 1, 2}, fake::roots_of("sys-basic"))["topology"];
  EXPECT_EQ(topology, Json::parse(R"([["X","NV3","SYS"],["NV3","X","SYS"],["SYS","SYS","X"]])"));
}

TEST(Facts, TopologyThroughSwitchesCountsAllLinks) {
  fake::Library nvml;
  nvml->gpus = 3;
  nvml->nvswitch = true;
  nvml->nvlinks = 6;
  const Json topology = facts_of({}, fake::roots_of("sys-basic"))["topology"];
  EXPECT_EQ(topology, Json::parse(R"([["X","NV6","NV6"],["NV6","X","NV6"],["NV6","NV6","X"]])"));
}

TEST(Facts, TopologyWithoutNvlinkIsThePciePath) {
  fake::Library nvml;
  nvml->gpus = 3;
  nvml->nvlinks = 0;
  const Json topology = facts_of({}, fake::roots_of("sys-basic"))["topology"];
  EXPECT_EQ(topology, Json::parse(R"([["X","PIX","SYS"],["PIX","X","SYS"],["SYS","SYS","X"]])"));
}

TEST(Facts, WithoutNvmlThereAreNoGpus) {
  Roots roots = fake::roots_of("sys-basic");
  roots.nvml_library = "no-such-nvml.so";
  const Json facts = facts_of({}, roots);
  EXPECT_EQ(facts["driver"], "");
  EXPECT_EQ(facts["gpus"], Json::array());
  EXPECT_EQ(facts["topology"], Json::array());
  EXPECT_TRUE(list_gpus(roots).empty());
}

TEST(Facts, AnEmptyTreeGivesNoHostFacts) {
  const Json facts = facts_of({}, Roots{"/nonexistent", "/nonexistent", "/nonexistent", "no-such-nvml.so"});
  for (const char* key : {"hostname", "os", "kernel", "cpu_model", "cpus", "memory_bytes"}) {
    EXPECT_FALSE(facts.contains(key)) << key;
  }
}

TEST(ListGpus, OneThatDoesNotAnswerKeepsItsNumber) {
  fake::Library nvml;
  nvml->gpus = 3;
  nvml->refuse_gpu = 1;
  const std::vector<Gpu> gpus = list_gpus(fake::roots_of("sys-basic"));
  ASSERT_EQ(gpus.size(), 3U);
  EXPECT_EQ(gpus[1].index, 1);
  EXPECT_EQ(gpus[1].name, "");
  EXPECT_EQ(gpus[2].uuid, "GPU-2");
}

TEST(ListGpus, InNvmlOrder) {
  const fake::Library nvml;
  const std::vector<Gpu> gpus = list_gpus(fake::roots_of("sys-basic"));
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[1].index, 1);
  EXPECT_EQ(gpus[1].name, "Fake H200");
  EXPECT_EQ(gpus[1].uuid, "GPU-1");
  EXPECT_EQ(gpus[1].pci, "0000:1a:00");
  EXPECT_EQ(gpus[1].memory_bytes, 150'000'000'000LL);
}

}  // namespace
}  // namespace sxb::metrics
