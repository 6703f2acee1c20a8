// Against the real NVML (label gpu): fails, does not skip, on a machine without NVIDIA GPU.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "metrics/sampler.h"
#include "record/typed.h"

namespace sxb::metrics {
namespace {

TEST(RealNvml, GpusHaveIdentityAndMemory) {
  const std::vector<Gpu> gpus = list_gpus();
  ASSERT_FALSE(gpus.empty());
  for (const Gpu& gpu : gpus) {
    EXPECT_FALSE(gpu.name.empty());
    EXPECT_TRUE(gpu.uuid.starts_with("GPU-")) << gpu.uuid;
    EXPECT_EQ(gpu.pci.size(), 10U) << gpu.pci;
    EXPECT_GT(gpu.memory_bytes, 1'000'000'000);
  }
}

TEST(RealNvml, FactsNameDriverLimitsAndLinks) {
  const record::Node facts = node_facts({});
  std::printf("%s\n", dump(record::write(facts)).c_str());
  EXPECT_FALSE(facts.driver.empty());
  ASSERT_FALSE(facts.gpus.empty());
  for (const record::NodeGpu& gpu : facts.gpus) {
    EXPECT_GT(gpu.power_limit_w.value_or(0), 10.0);
    EXPECT_GT(gpu.sm_clock_max_mhz.value_or(0), 100);
  }
  ASSERT_EQ(facts.topology.size(), facts.gpus.size());
  for (std::size_t i = 0; i < facts.gpus.size(); ++i) {
    ASSERT_EQ(facts.topology[i].size(), facts.gpus.size());
    for (std::size_t j = 0; j < facts.gpus.size(); ++j) {
      EXPECT_EQ(facts.topology[i][j], facts.topology[j][i]);
      EXPECT_NE(facts.topology[i][j], "?");
    }
  }
}

TEST(RealNvml, SamplesHavePowerAndMemoryOfEveryGpu) {
  std::mutex mutex;
  std::map<int, Json> last;
  std::vector<Json> missing;
  {
    const Sampler sampler(SamplerOptions{}, [&](const Json& sample) {
      const std::lock_guard lock(mutex);
      if (sample["source"] == "gpu") last[sample["index"]].update(sample);
      if (sample["source"] == "missing") missing.push_back(sample);
    });
    for (int waited = 0; waited < 200; ++waited) {  // at most 20 s; NVML may need seconds to start
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const std::lock_guard lock(mutex);
      if (!last.empty() && last.begin()->second.contains("sm_active_pct")) break;
      if (waited > 20 && !last.empty()) break;
    }
  }
  for (const Json& one : missing) std::printf("%s\n", dump(one).c_str());
  ASSERT_FALSE(last.empty());
  EXPECT_EQ(last.size(), list_gpus().size());
  for (const auto& [index, sample] : last) {
    std::printf("%s\n", dump(sample).c_str());
    EXPECT_GT(sample["power_w"].get<double>(), 5.0);
    EXPECT_GE(sample["mem_used_bytes"].get<std::int64_t>(), 0);
    EXPECT_GT(sample["temp_c"].get<int>(), 10);
  }
}

}  // namespace
}  // namespace sxb::metrics
