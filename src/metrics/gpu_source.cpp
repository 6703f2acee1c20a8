// GPU samples through NVML.
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "metrics/nvml.h"
#include "metrics/sampler.h"
#include "metrics/schedule.h"

namespace sxb::metrics {
namespace {

using nvml::call;
using nvml::is_lost;
using nvml::kSuccess;
using nvml::Return;

// The driver refreshes the GPM counters every 100 ms, and nvml.h asks for more than that between two
// reads: on an H200, spans of 20 to 90 ms were now and then empty (0, 0 and NaN under full load). At 10 Hz
// two ticks are 100 ms apart give or take the wake-up, so every second tick reads GPM.
constexpr std::int64_t kGpmMinSpanNs = 105'000'000;

// Cost on an H200 (driver 580): the energy counter 3 to 15 ms a call, the NVLink counters 2 ms, GPM 0.2 ms,
// memory 0.06 ms, all others 0.01 ms. The two dear ones are cumulative, so once a second loses nothing, and
// at 10 Hz one GPU takes about 1 % of a core.
constexpr std::int64_t kCounterIntervalNs = 1'000'000'000;
// GPUs take turns, so that a node with eight of them has no tick in which all read their counters.
constexpr std::int64_t kCounterStaggerNs = 100'000'000;

Return read_util(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  nvml::Utilization use{};
  const Return code = call(api.utilization, device, &use);
  if (code == kSuccess) sample.util_pct = use.gpu;
  return code;
}

Return read_memory(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  nvml::MemoryV2 memory{};
  memory.version = nvml::kMemoryV2Version;
  const Return code = call(api.memory_info, device, &memory);
  if (code == kSuccess) sample.mem_used_bytes = static_cast<std::int64_t>(memory.used);
  return code;
}

Return read_power(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  unsigned milliwatt = 0;
  const Return code = call(api.power_usage, device, &milliwatt);
  if (code == kSuccess) sample.power_w = milliwatt / 1000.0;
  return code;
}

Return read_energy(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  unsigned long long millijoule = 0;
  const Return code = call(api.energy, device, &millijoule);
  if (code == kSuccess) sample.energy_mj = static_cast<std::int64_t>(millijoule);
  return code;
}

Return read_temperature(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  unsigned celsius = 0;
  const Return code = call(api.temperature, device, nvml::kTemperatureGpu, &celsius);
  if (code == kSuccess) sample.temp_c = celsius;
  return code;
}

Return read_sm_clock(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  unsigned mhz = 0;
  const Return code = call(api.clock, device, nvml::kClockSm, &mhz);
  if (code == kSuccess) sample.sm_mhz = mhz;
  return code;
}

Return read_memory_clock(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  unsigned mhz = 0;
  const Return code = call(api.clock, device, nvml::kClockMem, &mhz);
  if (code == kSuccess) sample.mem_mhz = mhz;
  return code;
}

Return read_clock_reasons(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  unsigned long long reasons = 0;
  const Return code = call(api.clock_reasons, device, &reasons);
  if (code == kSuccess) sample.throttle = clock_reason_names(reasons);
  return code;
}

std::optional<unsigned long long> unsigned_value(const nvml::FieldValue& field) {
  switch (field.value_type) {
    case nvml::kValueUint:
      return field.value.u32;
    case nvml::kValueUlong:  // 64 bits on every platform that has these counters
    case nvml::kValueUlongLong:
      return field.value.u64;
    default:
      return std::nullopt;
  }
}

Return read_power_instant(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  nvml::FieldValue field{};
  field.field_id = nvml::kFieldPowerInstant;
  if (const Return code = call(api.field_values, device, 1, &field); code != kSuccess) return code;
  if (field.result != kSuccess) return field.result;
  const auto milliwatt = unsigned_value(field);
  if (!milliwatt) return nvml::kErrorNotSupported;
  sample.power_instant_w = static_cast<double>(*milliwatt) / 1000.0;
  return kSuccess;
}

Return read_nvlink(const nvml::Api& api, nvml::Device device, record::Sample& sample) {
  nvml::FieldValue fields[2] = {};
  fields[0].field_id = nvml::kFieldNvlinkDataTx;
  fields[1].field_id = nvml::kFieldNvlinkDataRx;
  for (nvml::FieldValue& field : fields) field.scope_id = nvml::kAllLinks;
  if (const Return code = call(api.field_values, device, 2, fields); code != kSuccess) return code;
  for (const nvml::FieldValue& field : fields) {
    if (field.result != kSuccess) return field.result;
    if (!unsigned_value(field)) return nvml::kErrorNotSupported;
  }
  constexpr unsigned long long kKib = 1024;
  sample.nvlink_tx_bytes = static_cast<std::int64_t>(*unsigned_value(fields[0]) * kKib);
  sample.nvlink_rx_bytes = static_cast<std::int64_t>(*unsigned_value(fields[1]) * kKib);
  return kSuccess;
}

struct Reader {
  const char* fields;
  Return (*read)(const nvml::Api& api, nvml::Device device, record::Sample& sample);
  bool is_counter = false;  ///< read every kCounterIntervalNs only
};
constexpr Reader kReaders[] = {
    {"power_instant_w", read_power_instant},
    {"util_pct", read_util},
    {"mem_used_bytes", read_memory},
    {"power_w", read_power},
    {"temp_c", read_temperature},
    {"sm_mhz", read_sm_clock},
    {"mem_mhz", read_memory_clock},
    {"throttle", read_clock_reasons},
    {"nvlink_tx_bytes,nvlink_rx_bytes", read_nvlink, true},
    {"energy_mj", read_energy, true},
};

/// SM, tensor and DRAM activity: averages between two reads of the GPU's performance monitors.
class Gpm {
 public:
  explicit Gpm(const nvml::Api& api) : api_(api) {}
  ~Gpm() {
    for (nvml::GpmSample sample : {previous_, current_}) {
      if (sample != nullptr) call(api_.gpm_free, sample);
    }
  }
  Gpm(const Gpm&) = delete;
  Gpm& operator=(const Gpm&) = delete;

  /// Starts the first span.
  Return start(nvml::Device device) {
    nvml::GpmSupport support{};
    support.version = nvml::kGpmSupportVersion;
    Return code = call(api_.gpm_support, device, &support);
    if (code == kSuccess && support.is_supported == 0) code = nvml::kErrorNotSupported;
    if (code == kSuccess) code = call(api_.gpm_alloc, &previous_);
    if (code == kSuccess) code = call(api_.gpm_alloc, &current_);
    if (code == kSuccess) code = call(api_.gpm_sample, device, previous_);
    if (code == kSuccess) span_start_ns_ = monotonic_ns();
    return code;
  }

  /// Adds the averages since the last read, or nothing while the span is too short. `on_failure` hears
  /// of the metrics that this GPU does not compute.
  template <typename OnFailure>
  Return read(nvml::Device device, record::Sample& sample, const OnFailure& on_failure) {
    const std::int64_t now = monotonic_ns();
    if (now - span_start_ns_ < kGpmMinSpanNs) return kSuccess;
    if (const Return code = call(api_.gpm_sample, device, current_); code != kSuccess) return code;
    request_.version = nvml::kGpmMetricsGetVersion;
    request_.num_metrics = std::size(kMetrics);
    request_.sample1 = previous_;
    request_.sample2 = current_;
    for (std::size_t i = 0; i < std::size(kMetrics); ++i) request_.metrics[i].metric_id = kMetrics[i].id;
    const Return code = call(api_.gpm_metrics, &request_);
    std::swap(previous_, current_);
    span_start_ns_ = now;
    if (code != kSuccess) return code;
    // An empty span gives 0/0 for some metrics and a false 0 for others.
    for (std::size_t i = 0; i < std::size(kMetrics); ++i) {
      const nvml::GpmMetric& metric = request_.metrics[i];
      if (metric.result == kSuccess && !std::isfinite(metric.value)) return kSuccess;
    }
    for (std::size_t i = 0; i < std::size(kMetrics); ++i) {
      const nvml::GpmMetric& metric = request_.metrics[i];
      if (metric.result == kSuccess) {
        sample.*kMetrics[i].member = metric.value;
      } else {
        on_failure(kMetrics[i].field, metric.result);
      }
    }
    return kSuccess;
  }

 private:
  struct Metric {
    unsigned id;
    const char* field;
    std::optional<double> record::Sample::*member;
  };
  static constexpr Metric kMetrics[] = {
      {nvml::kGpmSmUtil, "sm_active_pct", &record::Sample::sm_active_pct},
      {nvml::kGpmAnyTensorUtil, "tensor_active_pct", &record::Sample::tensor_active_pct},
      {nvml::kGpmDramBwUtil, "dram_active_pct", &record::Sample::dram_active_pct}};

  const nvml::Api& api_;
  nvml::GpmSample previous_ = nullptr;
  nvml::GpmSample current_ = nullptr;
  std::int64_t span_start_ns_ = 0;
  nvml::GpmMetricsGet request_{};
};

class GpuSource : public Source {
 public:
  GpuSource(std::shared_ptr<const Nvml> nvml, int index, nvml::Device device)
      : nvml_(std::move(nvml)), index_(index), device_(device) {}

  /// Finds out which fields this GPU has. False if it is lost already.
  bool probe(std::vector<Missing>& missing) {
    for (const Reader& reader : kReaders) {
      record::Sample scratch;
      const Return code = reader.read(nvml_->api(), device_, scratch);
      if (is_lost(code)) return lose(code, missing);
      if (code == kSuccess) {
        readers_.push_back(&reader);
      } else {
        report(reader.fields, code, missing);
      }
    }
    gpm_ = std::make_unique<Gpm>(nvml_->api());
    if (const Return code = gpm_->start(device_); code != kSuccess) {
      gpm_.reset();
      report(kGpmFields, code, missing);
    }
    return true;
  }

  bool read(Reading& out) override {
    StampedSample stamped = stamped_sample("gpu");
    record::Sample& sample = stamped.fields;
    sample.index = index_;
    // An error other than a lost GPU may pass: the field is absent from this sample, the first such
    // failure is reported, and the next tick tries again.
    const std::int64_t now = monotonic_ns();
    const bool counters = now >= counters_due_ns_;
    if (counters) counters_due_ns_ = next_counters(now);
    // GPM first: its span then ends at mono_ns, also in a tick whose counters take 15 ms.
    if (gpm_ != nullptr) {
      const auto on_failure = [&](const char* field, Return code) { report(field, code, out.missing); };
      const Return code = gpm_->read(device_, sample, on_failure);
      if (is_lost(code)) return lose(code, out.missing);
      if (code != kSuccess) report(kGpmFields, code, out.missing);
    }
    for (const Reader* reader : readers_) {
      if (reader->is_counter && !counters) continue;
      const Return code = reader->read(nvml_->api(), device_, sample);
      if (is_lost(code)) return lose(code, out.missing);
      if (code != kSuccess) report(reader->fields, code, out.missing);
    }
    out.samples.push_back(std::move(stamped));
    return true;
  }

 private:
  static constexpr const char* kGpmFields = "sm_active_pct,tensor_active_pct,dram_active_pct";

  /// The first sample has the counters, so that a window is covered from its start; the second turn is
  /// the one that moves the GPUs apart.
  std::int64_t next_counters(std::int64_t now) const {
    if (counters_due_ns_ == 0) return now + kCounterIntervalNs + (index_ % 8) * kCounterStaggerNs;
    return next_deadline(counters_due_ns_, kCounterIntervalNs, now);
  }

  void report(const char* fields, Return code, std::vector<Missing>& missing) {
    if (!reported_.insert(fields).second) return;
    missing.push_back({fmt::format("gpu{}:{}", index_, fields), nvml_->describe(code)});
  }

  bool lose(Return code, std::vector<Missing>& missing) const {
    missing.push_back({fmt::format("gpu{}", index_), nvml_->describe(code)});
    return false;
  }

  std::shared_ptr<const Nvml> nvml_;
  int index_;
  nvml::Device device_;
  std::vector<const Reader*> readers_;
  std::set<std::string> reported_;
  std::int64_t counters_due_ns_ = 0;
  std::unique_ptr<Gpm> gpm_;
};

}  // namespace

Sources open_gpus(const SamplerOptions& options) {
  Sources sources;
  const auto opened = Nvml::open(options.roots.nvml_library);
  if (!opened) {
    sources.missing.push_back({"gpu", opened.error().what});
    return sources;
  }
  const std::shared_ptr<const Nvml>& nvml = *opened;
  if (nvml->device_count() == 0) sources.missing.push_back({"gpu", "NVML finds no GPU"});
  for (const int index : nvml->indices(options.gpus)) {
    const auto device = nvml->device(index);
    if (!device) {
      sources.missing.push_back({fmt::format("gpu{}", index), device.error().what});
      continue;
    }
    auto source = std::make_unique<GpuSource>(nvml, index, *device);
    if (source->probe(sources.missing)) sources.present.push_back(std::move(source));
  }
  return sources;
}

}  // namespace sxb::metrics
