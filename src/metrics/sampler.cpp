#include "metrics/sampler.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "metrics/schedule.h"
#include "metrics/source.h"

namespace sxb::metrics {

struct Sampler::Impl {
  Impl(const SamplerOptions& sampler_options, Sink sampler_sink, std::vector<OpenSources> sampler_kinds)
      : options(sampler_options),
        sink(std::move(sampler_sink)),
        kinds(std::move(sampler_kinds)),
        thread([this] { run(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_one();
    thread.join();
  }

  void run() {
    open_sources();
    const std::int64_t interval = std::max<std::int64_t>(options.interval_ns, 1'000'000);
    std::int64_t deadline = monotonic_ns();
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      tick();
      lock.lock();
      deadline = next_deadline(deadline, interval, monotonic_ns());
      // steady_clock is CLOCK_MONOTONIC here, the clock of the deadlines.
      const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
      wake.wait_until(lock, until, [this] { return stopping; });
    }
  }

  /// In the sampler's thread: NVML may take seconds to start, and the ranks need not wait for it.
  void open_sources() {
    for (const OpenSources open : kinds) add(open(options));
  }

  void add(Sources found) {
    for (auto& source : found.present) sources.push_back(std::move(source));
    report(found.missing);
  }

  void tick() {
    Reading reading;
    std::erase_if(sources, [&](const auto& source) { return !source->read(reading); });
    report(reading.missing);
    for (const StampedSample& sample : reading.samples) sink(data_of(sample));
  }

  void report(const std::vector<Missing>& missing) {
    for (const Missing& one : missing) {
      StampedSample sample = stamped_sample("missing");
      sample.fields.name = one.name;
      sample.fields.reason = one.reason;
      sink(data_of(sample));
    }
  }

  const SamplerOptions options;
  const Sink sink;
  const std::vector<OpenSources> kinds;
  std::vector<std::unique_ptr<Source>> sources;  // of the thread alone
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::thread thread;  // last: it uses everything above
};

Sampler::Sampler(const SamplerOptions& options, Sink sink, const std::vector<OpenSources>& kinds)
    : impl_(std::make_unique<Impl>(options, std::move(sink), kinds)) {}

Sampler::~Sampler() = default;

}  // namespace sxb::metrics
