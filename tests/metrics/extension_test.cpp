// A kind of metrics as a newcomer would add it: a class, a function that opens it, and a row of the table.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "metrics/sampler.h"

namespace sxb::metrics {
namespace {

class FanSource final : public Source {
 public:
  bool read(Reading& out) override {
    StampedSample sample = stamped_sample("fan");
    sample.fields.name = "fan0";
    sample.fields.temp_c = 40 + ++ticks_;
    out.samples.push_back(std::move(sample));
    if (ticks_ < 2) return true;
    out.missing.push_back({"fan", "it stopped"});
    return false;
  }

 private:
  int ticks_ = 0;
};

Sources open_fans(const SamplerOptions& /*options*/) {
  Sources sources;
  sources.present.push_back(std::make_unique<FanSource>());
  sources.missing.push_back({"fan1", "the slot is empty"});
  return sources;
}

TEST(Extension, AKindOfMetricsIsAFileAndARow) {
  std::mutex mutex;
  std::vector<Json> samples;
  const auto taken = [&](std::size_t count) {
    const std::lock_guard lock(mutex);
    return samples.size() >= count;
  };
  {
    SamplerOptions options;
    options.interval_ns = 1'000'000;
    const Sampler sampler(options,
                          [&](const Json& sample) {
                            const std::lock_guard lock(mutex);
                            samples.push_back(sample);
                          },
                          {open_fans});
    for (int i = 0; i < 1000 && !taken(4); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0]["source"], "missing");
  EXPECT_EQ(samples[0]["name"], "fan1");
  EXPECT_EQ(samples[1]["temp_c"], 41);
  EXPECT_EQ(samples[2]["reason"], "it stopped");
  EXPECT_EQ(samples[3]["temp_c"], 42);
}

TEST(Extension, EveryKindIsThereOnce) {
  EXPECT_EQ(std::set<OpenSources>(source_kinds().begin(), source_kinds().end()).size(),
            source_kinds().size());
  EXPECT_EQ(source_kinds().front(), &open_host);
}

}  // namespace
}  // namespace sxb::metrics
