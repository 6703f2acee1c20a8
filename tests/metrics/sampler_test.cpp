#include "metrics/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "fake_library.h"
#include "metrics/nvml.h"
#include "metrics/schedule.h"
#include "record/record.h"

namespace sxb::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Collects what the sampler's thread gives.
class Collector {
 public:
  Sampler::Sink sink() {
    return [this](const Json& sample) {
      const std::lock_guard lock(mutex_);
      samples_.push_back(sample);
      changed_.notify_all();
    };
  }
  /// Blocks until `count` samples of `source` are here; false after 20 s.
  bool wait_for(const std::string& source, std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return select(source).size() >= count; });
  }
  std::vector<Json> of(const std::string& source) {
    const std::lock_guard lock(mutex_);
    return select(source);
  }
  /// name -> reason of the missing records; fails the test if a name comes twice.
  std::map<std::string, std::string> missing() {
    std::map<std::string, std::string> found;
    for (const Json& sample : of("missing")) {
      EXPECT_TRUE(found.emplace(sample["name"], sample["reason"]).second) << sample;
    }
    return found;
  }

 private:
  std::vector<Json> select(const std::string& source) const {
    std::vector<Json> found;
    for (const Json& sample : samples_) {
      if (sample["source"] == source) found.push_back(sample);
    }
    return found;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Json> samples_;
};

SamplerOptions fast(const Roots& roots = fake::roots_of("sys-basic")) {
  SamplerOptions options;
  options.interval_ns = 2'000'000;
  options.roots = roots;
  return options;
}

std::vector<std::string> keys(const Json& json) {
  std::vector<std::string> list;
  for (const auto& item : json.items()) list.push_back(item.key());
  return list;
}

TEST(Schedule, StaysOnTheGridAndSkipsWhatIsLate) {
  static_assert(next_deadline(100, 10, 103) == 110);
  static_assert(next_deadline(100, 10, 109) == 110);
  static_assert(next_deadline(100, 10, 110) == 120, "a deadline that is now has passed");
  static_assert(next_deadline(100, 10, 111) == 120);
  static_assert(next_deadline(100, 10, 135) == 140, "three missed ticks do not come in a burst");
  std::int64_t deadline = 1000;
  for (int tick = 1; tick <= 500; ++tick) {
    deadline = next_deadline(deadline, 7, deadline + tick % 7);
    EXPECT_EQ(deadline, 1000 + 7 * tick) << "lateness within a tick must not add up";
  }
}

TEST(Sampler, TicksAreNeverCloserThanTheGridAllows) {
  const fake::Library nvml;
  Collector collector;
  const SamplerOptions options = fast();
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("host", 8));
  }
  const std::vector<Json> host = collector.of("host");
  // Tick k reads between deadlines k and k+1, so two ticks on lie more than an interval apart.
  for (std::size_t i = 2; i < host.size(); ++i) {
    EXPECT_GT(host[i]["mono_ns"].get<std::int64_t>() - host[i - 2]["mono_ns"].get<std::int64_t>(),
              options.interval_ns);
  }
}

TEST(Sampler, EveryTickHasEverySource) {
  const fake::Library nvml;
  Collector collector;
  {
    const Sampler sampler(fast(), collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 6));
  }
  const std::size_t ticks = collector.of("host").size();  // complete ones: the sampler has stopped
  EXPECT_EQ(collector.of("gpu").size(), 2 * ticks);
  EXPECT_EQ(collector.of("nic").size(), 2 * ticks);
  EXPECT_EQ(collector.of("rdma").size(), ticks);
}

TEST(Sampler, GpuSampleHasTheScriptedValues) {
  const fake::Library nvml;
  Collector collector;
  SamplerOptions options = fast();
  options.gpus = {1};
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 1));
  }
  const Json sample = collector.of("gpu").front();
  EXPECT_THAT(keys(sample), ElementsAre("mono_ns", "wall_ns", "source", "index", "util_pct", "mem_used_bytes",
                                        "power_w", "power_instant_w", "energy_mj", "temp_c", "sm_mhz",
                                        "mem_mhz", "throttle", "nvlink_tx_bytes", "nvlink_rx_bytes"));
  // Without a fraction the journal is shorter, and read faster.
  for (const char* whole : {"util_pct", "energy_mj", "temp_c", "sm_mhz", "mem_mhz"}) {
    EXPECT_TRUE(sample[whole].is_number_integer()) << whole;
  }
  EXPECT_EQ(sample["index"], 1);
  EXPECT_EQ(sample["util_pct"], 97);
  EXPECT_EQ(sample["mem_used_bytes"], 7'000'000'000LL);
  EXPECT_DOUBLE_EQ(sample["power_w"].get<double>(), 102.0) << "101 W was the probe's";
  EXPECT_DOUBLE_EQ(sample["power_instant_w"].get<double>(), 650.5);
  EXPECT_EQ(sample["energy_mj"], 123'456'789'012LL);
  EXPECT_EQ(sample["temp_c"], 54);
  EXPECT_EQ(sample["sm_mhz"], 1455);
  EXPECT_EQ(sample["mem_mhz"], 3201);
  EXPECT_EQ(sample["throttle"], "sw_power_cap|hw_thermal");
  EXPECT_EQ(sample["nvlink_tx_bytes"], 1000 * 1024);
  EXPECT_EQ(sample["nvlink_rx_bytes"], 2000 * 1024);
}

TEST(Sampler, EveryFieldIsInTheFieldTable) {
  const fake::Library nvml;
  Collector collector;
  SamplerOptions options = fast();
  options.interval_ns = 110'000'000;
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 4));  // the second tick has the GPM fields
  }
  std::set<std::string> seen;
  for (const char* source : {"gpu", "nic", "rdma", "host", "missing"}) {
    for (const Json& sample : collector.of(source)) {
      for (const std::string& key : keys(sample)) seen.insert(key);
    }
  }
  EXPECT_TRUE(seen.contains("dram_active_pct"));
  for (const std::string& key : seen) {
    if (key == "mono_ns" || key == "wall_ns") continue;  // of every record
    EXPECT_NE(record::find_field(record::kind::kSample, key), nullptr) << key;
  }
}

TEST(Sampler, GpmAveragesComeWhenTheirSpanIsLongEnough) {
  fake::Library nvml;
  nvml->gpus = 1;
  Collector collector;
  SamplerOptions options = fast();
  options.interval_ns = 40'000'000;
  const std::int64_t begin = monotonic_ns();
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 7));
  }
  const std::int64_t elapsed = monotonic_ns() - begin;
  int with_gpm = 0;
  for (const Json& sample : collector.of("gpu")) {
    if (!sample.contains("sm_active_pct")) continue;
    ++with_gpm;
    EXPECT_DOUBLE_EQ(sample["sm_active_pct"].get<double>(), 20.5);
    EXPECT_DOUBLE_EQ(sample["tensor_active_pct"].get<double>(), 50.5);
    EXPECT_DOUBLE_EQ(sample["dram_active_pct"].get<double>(), 100.5);
  }
  EXPECT_GE(with_gpm, 1) << "six intervals are 240 ms";
  EXPECT_LE(with_gpm, elapsed / 105'000'000) << "no span under 105 ms";
  EXPECT_EQ(nvml->open_samples, 0);
  EXPECT_EQ(nvml->sessions, 0);
}

TEST(Sampler, AnEmptyGpmSpanGivesNothing) {
  fake::Library nvml;
  nvml->gpus = 1;
  nvml->gpm_empty = true;
  Collector collector;
  SamplerOptions options = fast();
  options.interval_ns = 110'000'000;
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 3));
  }
  for (const Json& sample : collector.of("gpu")) {
    for (const char* key : {"sm_active_pct", "tensor_active_pct", "dram_active_pct"}) {
      EXPECT_FALSE(sample.contains(key)) << sample;
    }
  }
}

TEST(Sampler, DearCountersAreReadAtTheFirstTickAndThenOnceASecond) {
  fake::Library nvml;
  nvml->gpus = 1;
  Collector collector;
  {
    const Sampler sampler(fast(), collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 40));
  }
  const std::vector<Json> samples = collector.of("gpu");
  std::vector<std::int64_t> with_counters;
  for (const Json& sample : samples) {
    EXPECT_EQ(sample.contains("energy_mj"), sample.contains("nvlink_tx_bytes"));
    if (sample.contains("energy_mj")) with_counters.push_back(sample["mono_ns"]);
  }
  ASSERT_FALSE(with_counters.empty());
  EXPECT_EQ(with_counters.front(), samples.front()["mono_ns"]);
  EXPECT_EQ(nvml->energy_reads, static_cast<int>(with_counters.size()) + 1) << "one more by the probe";
  const std::int64_t seconds =
      (samples.back()["mono_ns"].get<std::int64_t>() - with_counters.front()) / 1'000'000'000;
  EXPECT_LE(static_cast<std::int64_t>(with_counters.size()), seconds + 2);
}

TEST(Sampler, WithoutGpmItsFieldsAreMissingOnce) {
  fake::Library nvml;
  nvml->gpus = 1;
  nvml->gpm = false;
  nvml->temperature_result = nvml::kErrorNotSupported;
  nvml->power_instant_result = nvml::kErrorNotSupported;
  nvml->nvlinks = 0;
  Collector collector;
  {
    const Sampler sampler(fast(), collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 60));
  }
  const auto missing = collector.missing();
  EXPECT_EQ(missing.size(), 5U) << "mlx5_1 of the tree and:";
  EXPECT_THAT(missing.at("gpu0:sm_active_pct,tensor_active_pct,dram_active_pct"), HasSubstr("Not Supported"));
  EXPECT_THAT(missing.at("gpu0:power_instant_w"), HasSubstr("Not Supported"));
  EXPECT_THAT(missing.at("gpu0:temp_c"), HasSubstr("Not Supported"));
  EXPECT_THAT(missing.at("gpu0:nvlink_tx_bytes,nvlink_rx_bytes"), HasSubstr("Not Supported"));
  for (const Json& sample : collector.of("gpu")) {
    for (const char* key : {"temp_c", "power_instant_w", "nvlink_tx_bytes", "sm_active_pct"})
      EXPECT_FALSE(sample.contains(key)) << key;
    EXPECT_TRUE(sample.contains("power_w"));
  }
}

TEST(Sampler, AGpmMetricThatFailsIsMissingAndTheOthersStay) {
  fake::Library nvml;
  nvml->gpus = 1;
  nvml->gpm_tensor_result = nvml::kErrorNotSupported;
  Collector collector;
  SamplerOptions options = fast();
  options.interval_ns = 110'000'000;
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 2));
  }
  EXPECT_TRUE(collector.missing().contains("gpu0:tensor_active_pct"));
  const Json sample = collector.of("gpu")[1];  // 110 ms after the span began
  EXPECT_TRUE(sample.contains("sm_active_pct"));
  EXPECT_FALSE(sample.contains("tensor_active_pct"));
}

TEST(Sampler, ALostGpuIsMissingAndTheOthersGoOn) {
  fake::Library nvml;
  nvml->lose_after_reads = 4;
  nvml->lose_gpu = 0;
  Collector collector;
  {
    const Sampler sampler(fast(), collector.sink());
    ASSERT_TRUE(collector.wait_for("host", 10));
  }
  int lost_gpu = 0, other_gpu = 0;
  for (const Json& sample : collector.of("gpu")) ++(sample["index"] == 0 ? lost_gpu : other_gpu);
  // Power is read by the probe, by ticks 1 and 2, and by tick 3, which then loses the GPU half way.
  EXPECT_EQ(lost_gpu, 2) << "no half sample";
  EXPECT_EQ(other_gpu, static_cast<int>(collector.of("host").size()));
  EXPECT_THAT(collector.missing().at("gpu0"), HasSubstr("GPU is lost"));
  EXPECT_EQ(nvml->open_samples, 0);
}

TEST(Sampler, AGpuThatIsNotThereIsMissing) {
  const fake::Library nvml;
  Collector collector;
  SamplerOptions options = fast();
  options.gpus = {0, 5};
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("gpu", 1));
  }
  EXPECT_THAT(collector.missing().at("gpu5"), HasSubstr("NVML finds 2"));
}

TEST(Sampler, NoLibraryOrDriverIsMissingAndTheHostIsSampled) {
  fake::Library nvml;
  nvml->init_result = 9;
  Roots without = fake::roots_of("sys-basic");
  without.nvml_library = "no-such-nvml.so";
  const std::pair<Roots, std::string> cases[] = {{without, "no-such-nvml.so"},
                                                 {fake::roots_of("sys-basic"), "Driver Not Loaded"}};
  for (const auto& [roots, reason] : cases) {
    Collector collector;
    {
      const Sampler sampler(fast(roots), collector.sink());
      ASSERT_TRUE(collector.wait_for("host", 2));
    }
    EXPECT_THAT(collector.missing().at("gpu"), HasSubstr(reason));
    EXPECT_TRUE(collector.of("gpu").empty());
  }
}

TEST(Sampler, StopsWithoutWaitingForTheNextTick) {
  const fake::Library nvml;
  Collector collector;
  SamplerOptions options = fast();
  options.interval_ns = 3'600'000'000'000;  // an hour: the test's own time limit is the assertion
  {
    const Sampler sampler(options, collector.sink());
    ASSERT_TRUE(collector.wait_for("host", 1));
  }
  EXPECT_EQ(collector.of("host").size(), 1U);
}

TEST(ClockReasons, HaveNames) {
  EXPECT_EQ(clock_reason_names(0), "");
  EXPECT_EQ(clock_reason_names(1), "idle");
  EXPECT_EQ(clock_reason_names(0x8 | 0x20 | 0x80), "hw_slowdown|sw_thermal|hw_power_brake");
  EXPECT_EQ(clock_reason_names(0x4000), "0x4000");
  EXPECT_EQ(clock_reason_names(0x4004), "sw_power_cap|0x4000");
}

}  // namespace
}  // namespace sxb::metrics
