#include "support/phase_run.h"

#include <algorithm>
#include <array>
#include <vector>

#include "support/synthetic_run.h"

namespace sxb::testing {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kStepMs = 1000, kTickMs = 100;
constexpr std::int64_t kFirstStepNs = 5'000'000'000;  ///< of warm-up; the measured ones come a second later
constexpr const char* kTask = "facade000001";

/// What a GPU does in forward, backward and optimizer.
constexpr std::array<double, 3> kSm = {90, 95, 60}, kTensor = {70, 80, 0}, kDram = {20, 30, 90},
                                kPower = {600, 700, 400};

std::array<std::int64_t, 3> phase_ms(const PhaseSpec& spec, int rank) {
  const std::int64_t extra = rank == 1 ? spec.forward_extra_ms : 0;
  return {330 + extra, 570 - extra, 100};
}

/// Mean of what `values` says of each phase over the `length_ms` before `end_ms` of the step's time.
double mean_over(const std::array<double, 3>& values, const std::array<std::int64_t, 3>& phases,
                 std::int64_t end_ms, std::int64_t length_ms) {
  double sum = 0;
  for (std::int64_t t = end_ms - length_ms; t < end_ms; ++t) {
    const std::int64_t in_step = ((t % kStepMs) + kStepMs) % kStepMs;
    const std::size_t phase = in_step < phases[0] ? 0 : in_step < phases[0] + phases[1] ? 1 : 2;
    sum += values[phase];
  }
  return sum / static_cast<double>(length_ms);
}

Json times(const PhaseSpec& spec, int rank) {
  const auto phases = phase_ms(spec, rank);
  return {{"forward_ms", phases[0]},
          {"backward_ms", phases[1] - spec.exposed_ms},
          {"optimizer_ms", phases[2]},
          {"exposed_comm_ms", spec.exposed_ms}};
}

void add_steps(SyntheticRun& run, const PhaseSpec& spec) {
  for (int i = 0; i <= spec.steps; ++i) {
    const std::int64_t begin = kFirstStepNs + i * kStepMs * kMs;
    Json step = {{"step", i + 1},
                 {"loss", 2.0},
                 {"tokens", 20000 * 2 * spec.nodes},
                 {"samples", 4},
                 {"sum_len_sq", 0},
                 {"step_time_ms", kStepMs},
                 {"begin_ns", begin},
                 {"end_ns", begin + kStepMs * kMs},
                 {"measured", i > 0}};
    if (spec.times) step.update(times(spec, 0));
    run.add("step", step, kTask, "synthetic1", 0);
  }
}

void add_rank(SyntheticRun& run, const PhaseSpec& spec, int rank, const std::string& node) {
  run.add("rank",
          {{"gpu", rank % 2},
           {"step_time_ms_median", kStepMs},
           {"peak_memory_bytes", 103'079'215'104},
           {"predicted_memory_bytes", 105'226'698'752}},
          kTask, node, rank);
  if (spec.times) {
    Json phases = {{"steps", spec.steps}, {"step_ms", kStepMs}};
    phases.update(times(spec, rank));
    run.add("phases", phases, kTask, node, rank);
  }
  if (rank % 2 != 0) return;
  const std::int64_t offset = rank == 0 ? 0 : spec.clock_offset_ns;
  const std::int64_t begin = kFirstStepNs + kStepMs * kMs + offset;
  run.add("window",
          {{"name", "measured"},
           {"begin_ns", begin},
           {"end_ns", begin + spec.steps * kStepMs * kMs + (rank == 0 ? 0 : spec.window_extra_ns)}},
          kTask, node, rank);
}

void add_samples(SyntheticRun& run, const PhaseSpec& spec, int rank, const std::string& node) {
  const auto phases = phase_ms(spec, rank);
  const std::int64_t offset = rank < 2 ? 0 : spec.clock_offset_ns;
  for (std::int64_t ms = 0; ms <= (spec.steps + 1) * kStepMs; ms += kTickMs) {
    const std::int64_t now = ms + spec.first_sample_ns / kMs;
    Json sample = {{"mono_ns", kFirstStepNs + now * kMs + offset},
                   {"wall_ns", 1'790'000'000'000'000'000 + now * kMs},
                   {"source", "gpu"},
                   {"index", rank % 2},
                   {"power_w", 650}};
    if (spec.power_instant) sample["power_instant_w"] = mean_over(kPower, phases, now, 25);
    if (spec.gpm) {
      sample["sm_active_pct"] = mean_over(kSm, phases, now, kTickMs);
      sample["tensor_active_pct"] = mean_over(kTensor, phases, now, kTickMs);
      sample["dram_active_pct"] = mean_over(kDram, phases, now, kTickMs);
    }
    run.add_sample(kTask, node, sample);
  }
}

}  // namespace

void make_phase_run(const std::filesystem::path& folder, const PhaseSpec& spec) {
  SyntheticRun run(folder);
  SftSpec sft;
  sft.id = kTask;
  sft.nodes = spec.nodes;
  const std::vector<std::string> names = node_names(spec.nodes);
  run.add("run", run_data("synthetic-phases", Json::array({planned_sft(sft)}), Json::object()));
  run.add(
      "task_start",
      {{"phase", "sft"}, {"label", "sft 7b"}, {"nodes", names}, {"world", 2 * spec.nodes}, {"attempt", 1}},
      kTask);
  for (int rank = 0; rank < 2 * spec.nodes; ++rank) {
    const std::string& node = names[static_cast<std::size_t>(rank / 2)];
    run.add("device", {{"device", "cuda"}, {"name", "NVIDIA H200"}, {"gpu", rank % 2}, {"backend", "nccl"}},
            kTask, node, rank);
  }
  add_steps(run, spec);
  run.add("training",
          {{"model", "7b"},
           {"seq_len", 1024},
           {"flops_per_token_causal", 13e9},
           {"flops_per_token_full", 14e9},
           {"peak_tflops", 989.0},
           {"grad_accumulation", spec.accumulation}},
          kTask, names[0], 0);
  for (int rank = 0; rank < 2 * spec.nodes; ++rank) {
    const std::string& node = names[static_cast<std::size_t>(rank / 2)];
    add_rank(run, spec, rank, node);
    add_samples(run, spec, rank, node);
  }
  run.add("task_end", {{"status", "ok"}, {"reason", ""}, {"duration_s", 20.0}, {"exit_code", 0}}, kTask);
  run.add("run_end", {{"status", "ok"}, {"exit_code", 0}});
  run.write();
}

}  // namespace sxb::testing
