#include "analysis/guard/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "analysis/read/json_read.h"

namespace sxb::analysis {
namespace {

/// The type of the GPU behind each rank of a task.
std::optional<config::GpuHardware> gpu_of(const TaskData& task, int rank, const Hardware& hardware) {
  for (const auto& entry : task.of<record::Device>()) {
    if (entry.rank != rank && rank >= 0) continue;
    if (entry.data.device != "cuda") return std::nullopt;
    return hardware.gpu(entry.data.name);
  }
  return std::nullopt;
}

struct Bound {
  double limit = 0;
  std::string resource, arithmetic;
};

Bound tensor_bound(const config::GpuHardware& gpu, const std::string& precision) {
  const double peak = gpu.peak_tflops(precision);
  const bool vector = precision == "fp32";
  return {peak, vector ? "FP32 peak" : "tensor peak", fmt::format("{:g} TFLOP/s, {} peak", peak, precision)};
}

Bound link_bound(double gBps, const char* resource) {
  return {gBps, resource, fmt::format("{:g} GB/s {}", gBps, resource)};
}

/// The limit of one micro-benchmark by its name: gemm_bf16, hbm_copy_sm, h2d, p2p_bidir_read ...; 0 = none is
/// known.
Bound bench_bound(const std::string& test, const config::GpuHardware& gpu,
                  const config::Interconnects& paths) {
  if (test.starts_with("gemm_")) return tensor_bound(gpu, test.substr(test.rfind('_') + 1));
  if (test.starts_with("attention_")) return tensor_bound(gpu, "bf16");
  if (test.starts_with("hbm_")) return link_bound(gpu.memory_bandwidth_gBps, "HBM");
  if (test.starts_with("h2d") || test.starts_with("d2h")) {
    const double pcie = paths.pcie_gBps(gpu.pcie_generation, gpu.pcie_lanes);
    return {pcie, "PCIe",
            fmt::format("{:.1f} GB/s of PCIe {:g} x{:g}", pcie, gpu.pcie_generation, gpu.pcie_lanes)};
  }
  // A copy counts its own direction, also while the other direction copies too.
  if (test.starts_with("p2p_") && test != "p2p_latency") return link_bound(gpu.nvlink_gBps, "NVLink");
  return {};
}

/// Keeps of each figure the value that comes nearest to its limit.
class Nearest {
 public:
  void add(Check check) {
    if (check.limit <= 0) return;
    const auto [it, fresh] = checks_.try_emplace(check.figure, check);
    if (fresh) order_.push_back(check.figure);
    if (!fresh && check.share() > it->second.share()) it->second = std::move(check);
  }
  std::vector<Check> take() {
    std::vector<Check> out;
    for (const std::string& figure : order_) out.push_back(std::move(checks_.at(figure)));
    return out;
  }

 private:
  std::map<std::string, Check> checks_;
  std::vector<std::string> order_;
};

template <typename Kind>
std::string subject_of(const Typed<Kind>& entry) {
  return fmt::format("GPU {} of {}", entry.data.gpu.value_or(-1), entry.node);
}

void add_bench(const TaskData& task, const Hardware& hardware, Nearest& out) {
  for (const auto& entry : task.of<record::GpuBench>()) {
    const record::GpuBench& bench = entry.data;
    const auto gpu = gpu_of(task, entry.rank, hardware);
    if (!bench.value || !gpu || bench.metric == "us") continue;
    const Bound bound = bench_bound(bench.test, *gpu, hardware.paths);
    out.add({subject_of(entry), bench.test, *bench.value, bench.metric, bound.limit, bound.resource,
             fmt::format("{:.1f} {}", *bench.value, bench.metric), bound.arithmetic});
  }
}

void add_burn(const TaskData& task, const Hardware& hardware, Nearest& out) {
  std::string precision = text(member(task.plan, "burn"), "precision");
  if (precision.empty()) precision = "bf16";
  for (const auto& entry : task.of<record::Burn>()) {
    const auto& tflops = entry.data.tflops;
    const auto gpu = gpu_of(task, entry.rank, hardware);
    if (!tflops || !gpu) continue;
    const Bound bound = tensor_bound(*gpu, precision);
    out.add({subject_of(entry), "burn_" + precision, *tflops, "TFLOP/s", bound.limit, bound.resource,
             fmt::format("{:.1f} TFLOP/s", *tflops), bound.arithmetic});
  }
}

}  // namespace

std::string grouped(double value) {
  const std::string digits = fmt::format("{:.0f}", value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string flop_rate(double flops) {
  constexpr std::pair<double, const char*> kUnits[] = {{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}};
  for (const auto& [scale, prefix] : kUnits) {
    if (flops >= scale) return fmt::format("{:.3g} {}FLOP/s", flops / scale, prefix);
  }
  return fmt::format("{:.3g} FLOP/s", flops);
}

std::vector<Check> guard_training(const std::string& subject, const TrainingLoad& load) {
  if (load.flops_per_token <= 0 || load.gpus <= 0 || load.peak_tflops <= 0) return {};
  const double peak = load.gpus * load.peak_tflops * 1e12;
  const std::string limit =
      fmt::format("{:g} x {:g} TFLOP/s = {}", load.gpus, load.peak_tflops, flop_rate(peak));
  std::vector<Check> out;
  const auto add = [&](const char* figure, double value, const std::string& text, double tokens_each) {
    const double flops_each = tokens_each * load.flops_per_token;
    out.push_back({subject, figure, value, "1/s", peak / flops_each, "tensor peak",
                   fmt::format("{} x {} = {}", text, load.flops_text, flop_rate(value * flops_each)), limit});
  };
  const double tokens_each =
      load.samples_per_s > 0 && load.tokens_per_s > 0 ? load.tokens_per_s / load.samples_per_s : load.seq_len;
  if (load.samples_per_s > 0 && tokens_each > 0) {
    add("samples_per_sec", load.samples_per_s,
        fmt::format("{} samples/s x {} tokens", grouped(load.samples_per_s), grouped(tokens_each)),
        tokens_each);
  }
  if (load.tokens_per_s > 0)
    add("tokens_per_sec", load.tokens_per_s, fmt::format("{} tokens/s", grouped(load.tokens_per_s)), 1);
  return out;
}

TrainingLoad training_load(const TaskData& task, const Hardware& hardware) {
  const record::Training& training = task.last<record::Training>();
  TrainingLoad load;
  load.gpus = task.world();
  load.seq_len = static_cast<double>(training.seq_len.value_or(0));
  if (const auto gpu = gpu_of(task, -1, hardware))
    load.peak_tflops = gpu->peak_tflops(training.precision == "fp32" ? "tf32" : training.precision);
  if (load.peak_tflops <= 0) load.peak_tflops = training.peak_tflops.value_or(0);
  const auto& causal = training.flops_per_token_causal;
  const auto& full = training.flops_per_token_full;
  std::optional<double> parameters;
  for (const auto& count : {training.parameters, training.matmul_parameters}) {
    if (count) parameters = static_cast<double>(*count);
  }
  if (causal && full) {
    load.flops_per_token = 2 * *causal - *full;  // attention is their difference, once and twice
    load.flops_text = fmt::format("{:.3g} FLOP", load.flops_per_token);
  } else if (parameters) {
    load.flops_per_token = 6 * *parameters;
  }
  if (parameters && std::abs(load.flops_per_token - 6 * *parameters) <= 1e-6 * load.flops_per_token) {
    const double exponent = std::floor(std::log10(*parameters) / 3) * 3;
    load.flops_text = fmt::format("6 x {:.3g}e{:g} FLOP", *parameters / std::pow(10, exponent), exponent);
  }
  return load;
}

std::vector<Check> guard_gpus(const Dataset& dataset, const Hardware& hardware) {
  Nearest nearest;
  for (const TaskData& task : dataset.tasks) {
    add_bench(task, hardware, nearest);
    add_burn(task, hardware, nearest);
  }
  return nearest.take();
}

}  // namespace sxb::analysis
