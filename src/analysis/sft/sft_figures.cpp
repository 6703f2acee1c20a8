#include "analysis/sft/sft_figures.h"

#include <algorithm>
#include <cstring>

#include "analysis/read/measured_steps.h"
#include "base/units.h"
#include "stats/outliers.h"

namespace sxb::analysis {
namespace {

using record::Hint;

/// Sums over the measured steps.
struct Totals {
  std::size_t steps = 0;
  double samples = 0, tokens = 0, sum_len_sq = 0, seconds = 0;
};

/// A step whose sum_len_sq is 0 had whole sequences, also where others had not.
std::optional<Totals> sum_measured(const TaskData& task) {
  Totals totals;
  const auto seq_len = static_cast<double>(task.last<record::Training>().seq_len.value_or(0));
  double whole = 0;
  for (const auto& entry : task.of<record::Step>()) {
    const record::Step& step = entry.data;
    if (!step.measured.value_or(false) || !step.step_time_ms) continue;
    ++totals.steps;
    totals.seconds += *step.step_time_ms * 1e-3;
    totals.samples += static_cast<double>(step.samples.value_or(0));
    totals.tokens += static_cast<double>(step.tokens.value_or(0));
    const double sum_len_sq = step.sum_len_sq.value_or(0);
    totals.sum_len_sq += sum_len_sq;
    if (sum_len_sq == 0) whole += static_cast<double>(step.tokens.value_or(0)) * seq_len;
  }
  if (totals.sum_len_sq > 0) totals.sum_len_sq += whole;
  return totals.steps > 0 && totals.seconds > 0 ? std::optional(totals) : std::nullopt;
}

/// FLOPs per second over the measured steps, in both conventions.
struct FlopRate {
  double causal = 0, full = 0;
};

/// `training` states FLOPs per token for whole sequences: 6N + 6·L·d·s and 6N + 12·L·d·s, so their
/// difference is 6·L·d·s and N follows. With packed documents attention stays inside each of them: the
/// attention FLOPs are 6·L·d·Σlen² (causal) and 12·L·d·Σlen² (full) instead.
std::optional<FlopRate> whole_sequences(const record::Training& training, const Totals& totals) {
  const auto& causal = training.flops_per_token_causal;
  const auto& full = training.flops_per_token_full;
  if (!causal || !full) return std::nullopt;
  const double tokens_per_s = totals.tokens / totals.seconds;
  return FlopRate{*causal * tokens_per_s, *full * tokens_per_s};
}

std::optional<FlopRate> real_documents(const record::Training& training, const Totals& totals) {
  const auto whole = whole_sequences(training, totals);
  const double seq_len = static_cast<double>(training.seq_len.value_or(0));
  if (!whole || seq_len <= 0) return std::nullopt;
  const double attention = whole->full - whole->causal;  // 6·L·d·s per token
  const double ratio = totals.sum_len_sq / (totals.tokens * seq_len);
  const double dense = whole->causal - attention;
  return FlopRate{dense + attention * ratio, dense + 2 * attention * ratio};
}

void set_flops(const record::Training& training, const Totals& totals, double world, Figures& figures) {
  const bool packed = totals.sum_len_sq > 0;
  const auto whole = whole_sequences(training, totals);
  const auto real = packed ? real_documents(training, totals) : whole;
  if (real) {
    figures.set("model_tflops_per_gpu", real->causal / world * 1e-12);
    figures.set("model_tflops_per_gpu_full", real->full / world * 1e-12);
  }
  const double peak = training.peak_tflops.value_or(0);
  if (peak <= 0) return;
  const double limit = world * peak * 1e12;
  if (real) {
    figures.set("mfu_causal", real->causal / limit);
    figures.set("mfu_full", real->full / limit);
  }
  if (packed && whole) {
    figures.set("mfu_causal_as_full_sequences", whole->causal / limit);
    figures.set("mfu_full_as_full_sequences", whole->full / limit);
  }
}

void set_step_times(const TaskData& task, Figures& figures) {
  const std::vector<double> times = measured_step_times(task);
  if (times.empty()) return;
  const stats::Summary summary = stats::summarize(times);
  figures.set("measured_steps", static_cast<double>(summary.count));
  figures.set("step_time_ms_median", summary.median);
  figures.set("step_time_ms_p5", summary.p5);
  figures.set("step_time_ms_p95", summary.p95);
  figures.set("step_time_ms_mad", summary.mad);
  figures.set("step_outliers", static_cast<double>(stats::mark_outliers(times).size()));
  std::vector<double> waits;
  for (const auto& entry : task.of<record::Step>()) {
    const auto& wait = entry.data.data_wait_ms;
    if (entry.data.measured.value_or(false) && wait) waits.push_back(*wait);
  }
  if (!waits.empty()) figures.set("data_wait_ms_median", stats::median(waits));
}

/// Means over the GPUs of a figure that each has on its own.
std::optional<double> mean_over_gpus(const TaskSamples& samples, std::optional<double> GpuUse::*member) {
  std::vector<double> values;
  for (const GpuUse& use : samples.gpus) {
    if (use.*member) values.push_back(*(use.*member));
  }
  return values.empty() ? std::nullopt : std::optional(stats::mean(values));
}

void set_samples(const TaskSamples& samples, Figures& figures) {
  figures.set("gpu_utilization", mean_over_gpus(samples, &GpuUse::util_pct));
  figures.set("sm_active_pct", mean_over_gpus(samples, &GpuUse::sm_active_pct));
  figures.set("tensor_active_pct", mean_over_gpus(samples, &GpuUse::tensor_active_pct));
  figures.set("dram_active_pct", mean_over_gpus(samples, &GpuUse::dram_active_pct));
  figures.set("power_w_mean_per_gpu", mean_over_gpus(samples, &GpuUse::power_w));
  auto watts = mean_over_gpus(samples, &GpuUse::energy_power_w);
  if (!watts) watts = mean_over_gpus(samples, &GpuUse::power_w);
  const auto tokens = figures.get("tokens_per_sec_per_gpu");
  if (watts && tokens && *tokens > 0) figures.set("energy_mj_per_token", *watts / *tokens * 1e3);
  std::vector<double> cpu;
  for (const HostUse& host : samples.hosts) {
    if (host.cpu_pct) cpu.push_back(*host.cpu_pct);
  }
  if (!cpu.empty()) figures.set("host_cpu_pct", stats::mean(cpu));
}

void set_ranks(const TaskData& task, Figures& figures) {
  std::vector<double> medians;
  double peak = 0, predicted = 0;
  for (const auto& entry : task.of<record::Rank>()) {
    const record::Rank& rank = entry.data;
    if (rank.step_time_ms_median) medians.push_back(*rank.step_time_ms_median);
    peak = std::max(peak, static_cast<double>(rank.peak_memory_bytes.value_or(0)));
    predicted = std::max(predicted, static_cast<double>(rank.predicted_memory_bytes.value_or(0)));
  }
  if (peak > 0) figures.set("peak_memory_gib", peak / static_cast<double>(kGiB));
  if (predicted > 0) figures.set("predicted_memory_gib", predicted / static_cast<double>(kGiB));
  if (peak > 0 && predicted > 0) figures.set("memory_off_prediction", peak / predicted - 1);
  if (medians.size() > 1 && stats::median(medians) > 0) {
    const auto [low, high] = std::minmax_element(medians.begin(), medians.end());
    figures.set("rank_spread", (*high - *low) / stats::median(medians));
  }
}

void set_loss(const TaskData& task, Figures& figures) {
  // A step without a token to learn from has none.
  std::optional<double> first, last;
  for (const auto& entry : task.of<record::Step>()) {
    if (!entry.data.loss) continue;
    if (!first) first = entry.data.loss;
    last = entry.data.loss;
  }
  figures.set("loss_first", first);
  figures.set("loss_last", last);
}

/// Of the last attempt: what was saved while it went on.
void set_checkpoints(const TaskData& task, Figures& figures) {
  if (task.resumed_step() > 0) figures.set("resumed_step", static_cast<double>(task.resumed_step()));
  std::vector<double> seconds;
  double bytes = 0;
  for (const auto& entry : task.of<record::Checkpoint>()) {
    const record::Checkpoint& checkpoint = entry.data;
    if (!checkpoint.seconds || !checkpoint.bytes || *checkpoint.seconds <= 0) continue;
    seconds.push_back(*checkpoint.seconds);
    bytes += static_cast<double>(*checkpoint.bytes);
  }
  if (seconds.empty()) return;
  const double count = static_cast<double>(seconds.size());
  figures.set("checkpoints", count);
  figures.set("checkpoint_gib", bytes / count / static_cast<double>(kGiB));
  figures.set("checkpoint_s_median", stats::median(seconds));
  figures.set("checkpoint_gBps", bytes * 1e-9 / (stats::mean(seconds) * count));
}

}  // namespace

const std::vector<FigureInfo>& sft_figures() {
  static const std::vector<FigureInfo> table = {
      {"gpus", "", Hint::kCount, "Ranks: GPUs, or CPU ranks of a CPU run.", "task_start"},
      {"samples_per_sec", "1/s", Hint::kNumber, "Sequences / time, both summed over the measured steps.",
       "step"},
      {"tokens_per_sec", "1/s", Hint::kNumber,
       "Tokens without padding / time, summed over the measured steps.", "step"},
      {"tokens_per_sec_per_gpu", "1/s", Hint::kNumber, "tokens_per_sec / gpus.", "step+task_start"},
      {"tokens_per_sec_per_gpu_low", "1/s", Hint::kNumber,
       "Lower end of its 95 % interval: over repeats, or the steps of one on the same rows "
       "(docs/compare.md).",
       "step+task_start"},
      {"tokens_per_sec_per_gpu_high", "1/s", Hint::kNumber, "Upper end of it.", "step+task_start"},
      {"gpu_utilization", "%", Hint::kPercent,
       "NVML's coarse use, mean over samples in the window and over GPUs; counts a spinning kernel as work.",
       "sample+window"},
      {"sm_active_pct", "%", Hint::kPercent, "GPM: SMs with work, mean over the window and the GPUs.",
       "sample+window"},
      {"tensor_active_pct", "%", Hint::kPercent, "GPM: tensor pipes busy, mean over the window and the GPUs.",
       "sample+window"},
      {"dram_active_pct", "%", Hint::kPercent, "GPM: DRAM interface busy, mean over the window and the GPUs.",
       "sample+window"},
      {"measured_steps", "", Hint::kCount, "Optimizer steps after warm-up.", "step"},
      {"step_time_ms_median", "ms", Hint::kMilliseconds,
       "Median of the measured steps (time = maximum over ranks).", "step"},
      {"step_time_ms_p5", "ms", Hint::kMilliseconds, "5 % quantile, type 7.", "step"},
      {"step_time_ms_p95", "ms", Hint::kMilliseconds, "95 % quantile, type 7.", "step"},
      {"step_time_ms_mad", "ms", Hint::kMilliseconds, "Median absolute deviation, unscaled.", "step"},
      {"step_time_ms_median_low", "ms", Hint::kMilliseconds,
       "Lower end of the 95 % interval of the median, by the same estimator.", "step"},
      {"step_time_ms_median_high", "ms", Hint::kMilliseconds, "Upper end of it.", "step"},
      {"step_outliers", "", Hint::kCount,
       "Measured steps more than 3.5 sigma (1.4826 MAD) and 5 % off the median; they count in every figure.",
       "step"},
      {"data_wait_ms_median", "ms", Hint::kMilliseconds, "Median wait of rank 0 for its batch.", "step"},
      {"mfu_causal", "", Hint::kRatio,
       "Model FLOPs with causal attention (6N + 6 L d s a token) per second / (gpus x peak); with packed "
       "documents attention counts their real lengths, 6 L d sum(len^2).",
       "step+training"},
      {"mfu_full", "", Hint::kRatio,
       "The same with full attention (6N + 12 L d s), the PaLM appendix B convention.", "step+training"},
      {"mfu_causal_as_full_sequences", "", Hint::kRatio,
       "mfu_causal as if every packed sequence were one document; overstates the work done.",
       "step+training"},
      {"mfu_full_as_full_sequences", "", Hint::kRatio,
       "mfu_full as if every packed sequence were one document.", "step+training"},
      {"model_tflops_per_gpu", "TFLOP/s", Hint::kNumber,
       "Model FLOPs with causal attention, real document lengths, per second and GPU.", "step+training"},
      {"model_tflops_per_gpu_full", "TFLOP/s", Hint::kNumber,
       "The same with full attention (12 L d sum(len^2)).", "step+training"},
      {"power_w_mean_per_gpu", "W", Hint::kWatt, "Mean power over the window and the GPUs.", "sample+window"},
      {"energy_mj_per_token", "mJ", Hint::kNumber,
       "Power / tokens_per_sec_per_gpu; power from NVML's energy counter, else from its power samples.",
       "sample+window+step"},
      {"peak_memory_gib", "GiB", Hint::kNumber, "Largest peak of any rank (resident set on the CPU).",
       "rank"},
      {"predicted_memory_gib", "GiB", Hint::kNumber, "What the planner predicted for that.", "rank"},
      {"memory_off_prediction", "", Hint::kRatio, "peak_memory_gib / predicted_memory_gib - 1.", "rank"},
      {"loss_first", "", Hint::kNumber, "Loss of the first step.", "step"},
      {"loss_last", "", Hint::kNumber, "Loss of the last step.", "step"},
      {"rank_spread", "", Hint::kRatio,
       "(slowest - fastest rank) / median of the ranks' own median step times.", "rank"},
      {"resumed_step", "", Hint::kCount,
       "Step of the checkpoint that the last attempt went on from; steps up to it count as they were first "
       "measured, later ones as they were measured last.",
       "resumed"},
      {"checkpoints", "", Hint::kCount, "Checkpoints that all ranks wrote in the last attempt.",
       "checkpoint"},
      {"checkpoint_gib", "GiB", Hint::kNumber, "Mean size of one, all ranks.", "checkpoint"},
      {"checkpoint_s_median", "s", Hint::kNumber,
       "Median time from the begin of the copy until all ranks had one on disk; training goes on in it.",
       "checkpoint"},
      {"checkpoint_gBps", "GB/s", Hint::kNumber, "Bytes of all / time of all of them.", "checkpoint"},
      {"host_cpu_pct", "%", Hint::kPercent, "CPU use of the hosts over the window.", "sample+window"},
  };
  return table;
}

const FigureInfo& figure_info(const std::string& name) {
  for (const FigureInfo& info : sft_figures()) {
    if (name == info.name) return info;
  }
  panic(__FILE__, __LINE__, ("no figure is called " + name).c_str());
}

void Figures::set(const std::string& name, std::optional<double> value) {
  if (value) values_.emplace_back(&figure_info(name), *value);
}

std::optional<double> Figures::get(const std::string& name) const {
  const FigureInfo* wanted = &figure_info(name);
  for (const auto& [info, value] : values_) {
    if (info == wanted) return value;
  }
  return std::nullopt;
}

std::vector<double> measured_step_times(const TaskData& task) {
  std::vector<double> times;
  for (const auto& entry : task.of<record::Step>()) {
    const auto& time = entry.data.step_time_ms;
    if (entry.data.measured.value_or(false) && time) times.push_back(*time);
  }
  return times;
}

void set_intervals(const std::vector<const TaskData*>& repeats, Figures& figures) {
  std::vector<stats::Repeat> rates, times;
  for (const TaskData* task : repeats) {
    if (auto rate = tokens_per_s_and_rank(*task, Rows::kTheSame)) rates.push_back(std::move(*rate));
    if (auto time = step_time_ms(*task)) times.push_back(std::move(*time));
  }
  const auto set = [&](const std::vector<stats::Repeat>& values, const char* low, const char* high) {
    const auto interval = values.empty() ? std::nullopt : stats::center_interval(values);
    if (!interval) return;
    figures.set(low, interval->low);
    figures.set(high, interval->high);
  };
  set(rates, "tokens_per_sec_per_gpu_low", "tokens_per_sec_per_gpu_high");
  set(times, "step_time_ms_median_low", "step_time_ms_median_high");
}

Figures compute_sft(const TaskData& task, const TaskSamples& samples) {
  Figures figures;
  const double world = task.world();
  if (world > 0) figures.set("gpus", world);
  if (const auto totals = sum_measured(task)) {
    figures.set("samples_per_sec", totals->samples / totals->seconds);
    if (totals->tokens > 0) figures.set("tokens_per_sec", totals->tokens / totals->seconds);
    if (world > 0 && totals->tokens > 0) {
      figures.set("tokens_per_sec_per_gpu", totals->tokens / totals->seconds / world);
      set_flops(task.last<record::Training>(), *totals, world, figures);
    }
  }
  set_samples(samples, figures);
  set_step_times(task, figures);
  set_intervals({&task}, figures);
  set_ranks(task, figures);
  set_loss(task, figures);
  set_checkpoints(task, figures);
  return figures;
}

}  // namespace sxb::analysis
