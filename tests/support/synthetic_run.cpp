#include "support/synthetic_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "record/record.h"

namespace sxb::testing {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kStartWall = 1'790'000'000'000'000'000;  // 2026-09-21T14:13:20Z
constexpr std::int64_t kWindowBegin = 3'000'000'000;
constexpr std::int64_t kWindowEnd = 9'000'000'000;

Json node_data(const std::string& host, int gpus) {
  Json data = {{"hostname", host},
               {"build_id", "0.0.0+synthetic GNU-12"},
               {"os", "Synthetic Linux 1"},
               {"kernel", "0.0-synthetic"},
               {"cpu_model", "Synthetic CPU"},
               {"cpus", 8},
               {"memory_bytes", 68719476736},
               {"driver", gpus > 0 ? "000.00.synthetic" : ""}};
  data["gpus"] = Json::array();
  data["topology"] = Json::array();
  for (int i = 0; i < gpus; ++i) {
    data["gpus"].push_back(
        {{"index", i}, {"name", "NVIDIA H200"}, {"power_limit_w", 700.0}, {"sm_clock_max_mhz", 1980}});
    Json row = Json::array();
    for (int j = 0; j < gpus; ++j) row.push_back(i == j ? "X" : "NV18");
    data["topology"].push_back(std::move(row));
  }
  data["nics"] = {{{"name", "eth0"}, {"speed_mbps", 1000}, {"mtu", 1500}, {"state", "up"}}};
  return data;
}

Json device_data(bool cuda, int local_rank, int rank) {
  if (!cuda) {
    return {{"device", "cpu"},          {"name", "Synthetic CPU"}, {"gpu", -1},
            {"torch", "0.0-synthetic"}, {"backend", "gloo"},       {"threads", 1},
            {"pid", 100 + rank}};
  }
  return {{"device", "cuda"},
          {"name", "NVIDIA H200"},
          {"gpu", local_rank},
          {"memory_bytes", 150754820096},
          {"torch", "0.0-synthetic"},
          {"cuda", "13.0"},
          {"nccl", "2.28.9"},
          {"cudnn", "9.19"},
          {"backend", "nccl"},
          {"pid", 100 + rank},
          {"pci", fmt::format("0000:00:{:02x}", 6 + local_rank)}};
}

Json step_data(const SftSpec& spec, int step, double ms, bool measured) {
  const int world = spec.nodes * spec.ranks_per_node;
  const auto row = static_cast<std::size_t>(step - 2);  // after one step of warm-up
  const int tokens = measured && row < spec.tokens.size() ? spec.tokens[row] : 2000;
  return {{"step", step},         {"loss", 4.0 - 0.25 * step}, {"lr", 1e-5},
          {"grad_norm", 1.5},     {"tokens", tokens * world},  {"loss_tokens", 800 * world},
          {"samples", 2 * world}, {"documents", 16 * world},   {"sum_len_sq", spec.sum_len_sq},
          {"step_time_ms", ms},   {"data_wait_ms", 0.5},       {"memory_bytes", 8589934592},
          {"measured", measured}};
}

/// flops: 6N = 12e9, attention 6Lds = 1e9 a token at s = 1024.
Json training_data(const SftSpec& spec) {
  return {{"model", spec.model},
          {"parameters", 2000000000},
          {"matmul_parameters", 2000000000},
          {"precision", spec.cuda ? "bf16" : "fp32"},
          {"sharding", spec.cuda ? "full" : "none"},
          {"recompute", "none"},
          {"attention_kernel", spec.cuda ? "cudnn-varlen" : "reference"},
          {"seq_len", 1024},
          {"micro_batch", 2},
          {"grad_accumulation", 1},
          {"world", spec.nodes * spec.ranks_per_node},
          {"flops_per_token_causal", 13e9},
          {"flops_per_token_full", 14e9},
          {"peak_tflops", spec.peak_tflops},
          {"dataset", "synthetic"},
          {"dataset_hash", spec.dataset_hash},
          {"init", "random(1234)"},
          {"steps", 6},
          {"warmup", 1}};
}

Json bandwidth(double time_us, double algbw, double factor, double wrong) {
  return {{"time_us", time_us}, {"algbw_gBps", algbw}, {"busbw_gBps", algbw * factor}, {"wrong", wrong}};
}

}  // namespace

SyntheticRun::SyntheticRun(fs::path folder) : folder_(std::move(folder)) {
  fs::remove_all(folder_);
  fs::create_directories(folder_ / "samples");
}

void SyntheticRun::add(const std::string& kind, const Json& data, const std::string& task,
                       const std::string& node, int rank) {
  const std::int64_t now = ticks_++ * 1'000'000'000;
  journal_ += record::to_json({kind, task, node, rank, now, kStartWall + now, data}).dump() + "\n";
}

void SyntheticRun::add_sample(const std::string& task, const std::string& node, const Json& sample) {
  const std::string file = fmt::format("{}-{}.jsonl", task, node);
  auto it =
      std::find_if(samples_.begin(), samples_.end(), [&](const auto& entry) { return entry.first == file; });
  if (it == samples_.end()) it = samples_.insert(samples_.end(), {file, ""});
  record::Record record;
  record.kind = record::kind::kSample;
  record.task = task;
  record.node = node;
  record.mono_ns = sample.value("mono_ns", std::int64_t{0});
  record.wall_ns = sample.value("wall_ns", std::int64_t{0});
  record.data = sample;
  it->second += dump(record::to_json(record)) + "\n";
}

void SyntheticRun::write() const {
  std::ofstream(folder_ / "records.jsonl", std::ios::binary) << journal_;
  for (const auto& [file, content] : samples_)
    std::ofstream(folder_ / "samples" / file, std::ios::binary) << content;
}

fs::path scratch(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return fs::path(::testing::TempDir()) /
         fmt::format("sxb-{}-{}-{}", test->test_suite_name(), test->name(), name);
}

std::vector<std::string> node_names(int nodes) {
  std::vector<std::string> names;
  for (int i = 1; i <= nodes; ++i) names.push_back(fmt::format("synthetic{}", i));
  return names;
}

Json planned_sft(const SftSpec& spec) {
  return {{"id", spec.id},
          {"phase", "sft"},
          {"nodes", spec.nodes},
          {"repeat", spec.repeat},
          {"model", {{"name", spec.model}}}};
}

Json planned_nccl(const std::string& id, int nodes) {
  return {{"id", id},
          {"phase", "nccl"},
          {"nodes", nodes},
          {"repeat", 0},
          {"sweep",
           {{"collective", "all_reduce"},
            {"min_bytes", 1024},
            {"max_bytes", 1073741824},
            {"step_factor", 1024},
            {"step_bytes", 0},
            {"iterations", 20},
            {"warmup", 5},
            {"check", 1},
            {"dtype", "float"},
            {"redop", "sum"}}}};
}

void start_task(SyntheticRun& run, const std::string& id, const std::string& phase, const std::string& label,
                int nodes, int per_node, bool cuda, bool one_machine) {
  const std::vector<std::string> names = node_names(nodes);
  run.add("task_start",
          {{"phase", phase}, {"label", label}, {"nodes", names}, {"world", nodes * per_node}, {"attempt", 1}},
          id);
  for (const std::string& name : names) {
    run.add("node", node_data(one_machine ? "synthetic-host" : name, cuda ? per_node : 0), id, name);
  }
  for (int rank = 0; rank < nodes * per_node; ++rank) {
    run.add("device", device_data(cuda, rank % per_node, rank), id,
            names[static_cast<std::size_t>(rank / per_node)], rank);
  }
}

void end_task(SyntheticRun& run, const std::string& id, const std::string& status,
              const std::string& reason) {
  run.add(
      "task_end",
      {{"status", status}, {"reason", reason}, {"duration_s", 12.5}, {"exit_code", status == "ok" ? 0 : 1}},
      id);
}

void add_sft_task(SyntheticRun& run, const SftSpec& spec) {
  const std::string label = fmt::format("sft {} on {} nodes", spec.model, spec.nodes);
  start_task(run, spec.id, "sft", label, spec.nodes, spec.ranks_per_node, spec.cuda, false);
  const std::vector<std::string> names = node_names(spec.nodes);
  run.add("step", step_data(spec, 1, 500, false), spec.id, names[0], 0);
  int step = 2;
  for (const double factor : spec.factors) {
    run.add("step", step_data(spec, step++, spec.step_ms * factor, true), spec.id, names[0], 0);
  }
  if (spec.status != "ok") return end_task(run, spec.id, spec.status, spec.reason);
  run.add("training", training_data(spec), spec.id, names[0], 0);
  for (int rank = 0; rank < spec.nodes * spec.ranks_per_node; ++rank) {
    const std::string& node = names[static_cast<std::size_t>(rank / spec.ranks_per_node)];
    run.add("rank",
            {{"gpu", spec.cuda ? rank % spec.ranks_per_node : -1},
             {"step_time_ms_median", spec.step_ms - rank * 0.5},
             {"peak_memory_bytes", 8589934592 + rank * 1048576},
             {"predicted_memory_bytes", 9663676416}},
            spec.id, node, rank);
    if (rank % spec.ranks_per_node == 0) {
      run.add("window", {{"name", "measured"}, {"begin_ns", kWindowBegin}, {"end_ns", kWindowEnd}}, spec.id,
              node, rank);
    }
  }
  end_task(run, spec.id, "ok", "");
}

void add_gpu_samples(SyntheticRun& run, const SftSpec& spec, double power_w) {
  for (const std::string& node : node_names(spec.nodes)) {
    for (std::int64_t tick = 0; tick < 20; ++tick) {
      const std::int64_t now = tick * 500'000'000;
      const bool inside = now >= kWindowBegin && now <= kWindowEnd;
      for (int gpu = 0; gpu < spec.ranks_per_node; ++gpu) {
        // Outside the window the GPU idles: a figure that counted those samples would be far off.
        Json sample = {{"mono_ns", now},
                       {"wall_ns", kStartWall + now},
                       {"source", "gpu"},
                       {"index", gpu},
                       {"util_pct", inside ? 98 : 0},
                       {"mem_used_bytes", 91268055040},
                       {"power_w", inside ? power_w + gpu : 100},
                       {"temp_c", 60 + gpu},
                       {"sm_mhz", 1440},
                       {"mem_mhz", 3201},
                       {"throttle", inside ? "sw_power_cap" : ""},
                       {"nvlink_tx_bytes", tick * 25'000'000'000},
                       {"nvlink_rx_bytes", tick * 25'000'000'000}};
        if (tick % 2 == 0) {  // GPM answers on every second tick only
          sample["sm_active_pct"] = inside ? 90.0 : 0.0;
          sample["tensor_active_pct"] = inside ? 70.0 : 0.0;
          sample["dram_active_pct"] = inside ? 25.0 : 0.0;
        }
        run.add_sample(spec.id, node, sample);
      }
      run.add_sample(spec.id, node,
                     {{"mono_ns", now},
                      {"wall_ns", kStartWall + now},
                      {"source", "host"},
                      {"cpu_pct", 12.5},
                      {"mem_used_bytes", 17179869184}});
      run.add_sample(spec.id, node,
                     {{"mono_ns", now},
                      {"wall_ns", kStartWall + now},
                      {"source", "nic"},
                      {"name", "eth0"},
                      {"rx_bytes", tick * 5000000},
                      {"tx_bytes", tick * 10000000}});
    }
  }
}

void add_nccl_task(SyntheticRun& run, const NcclSpec& spec) {
  const int n = spec.nodes * spec.ranks_per_node;
  start_task(run, spec.id, "nccl", fmt::format("nccl all_reduce on {} nodes", spec.nodes), spec.nodes,
             spec.ranks_per_node, spec.cuda, spec.one_machine);
  const double factor = 2.0 * (n - 1) / n;
  const double shares[] = {1.0 / 1024, 0.5, 1.0};
  std::int64_t size = 1024;
  for (const double share : shares) {
    const double algbw = spec.busbw_gBps * share / factor;
    const double time = static_cast<double>(size) / algbw * 1e-3;
    run.add("collective",
            {{"collective", "all_reduce"},
             {"size_bytes", size},
             {"count", size / 4},
             {"dtype", "float"},
             {"redop", "sum"},
             {"root", -1},
             {"ranks", n},
             {"iterations", 20},
             {"out_of_place", bandwidth(time, algbw, factor, spec.wrong)},
             {"in_place", bandwidth(time, algbw, factor, 0)}},
            spec.id, "synthetic1", 0);
    size *= 1024;
  }
  end_task(run, spec.id, "ok", "");
}

Json run_data(const std::string& run_id, const Json& plan, const Json& goals, const Json& nics) {
  return {{"run_id", run_id},
          {"name", "synthetic"},
          {"command", "sxbench run --models 7b --nodes 1,2,4"},
          {"build_id", "0.0.0+synthetic GNU-12"},
          {"config_hash", "00000000000000000000000000000000"},
          {"cluster",
           {{"name", "synthetic"}, {"network", {{"fabric", "ethernet"}, {"nics", nics}}}, {"goals", goals}}},
          {"plan", plan},
          {"nccl_env", {{"NCCL_DEBUG", "WARN"}}}};
}

void make_cpu_run(const fs::path& folder) {
  SyntheticRun run(folder);
  const NcclSpec nccl{"c0ffee000001", 1, 2, 2.5, 0, false, true};
  SftSpec sft;
  sft.id = "c0ffee000002";
  sft.model = "tiny";
  sft.cuda = false;
  sft.peak_tflops = nullptr;
  sft.sum_len_sq = 1000000;
  run.add("run", run_data("synthetic-cpu", {planned_nccl(nccl.id, 1), planned_sft(sft)}, Json::object()));
  add_nccl_task(run, nccl);
  add_sft_task(run, sft);
  for (std::int64_t tick = 0; tick < 20; ++tick) {
    run.add_sample(sft.id, "synthetic1",
                   {{"mono_ns", tick * 500'000'000},
                    {"wall_ns", kStartWall},
                    {"source", "host"},
                    {"cpu_pct", 95.0},
                    {"mem_used_bytes", 4294967296}});
  }
  run.add_sample(sft.id, "synthetic1",
                 {{"mono_ns", 0},
                  {"wall_ns", kStartWall},
                  {"source", "missing"},
                  {"name", "nvml"},
                  {"reason", "libnvidia-ml.so.1 is not on this machine"}});
  run.add("run_end", {{"status", "ok"}, {"exit_code", 0}});
  run.write();
}

void make_gpu_run(const fs::path& folder) {
  SyntheticRun run(folder);
  const NcclSpec nccl1{"feed00000001", 1, 2, 360};
  const NcclSpec nccl2{"feed00000002", 2, 2, 90};
  std::vector<SftSpec> tasks(6);
  const int nodes[] = {1, 1, 2, 2, 4, 4};
  const double step_ms[] = {100, 101, 105, 106, 112, 112};
  Json plan = {planned_nccl(nccl1.id, 1), planned_nccl(nccl2.id, 2)};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].id = fmt::format("beef0000000{}", i + 1);
    tasks[i].nodes = nodes[i];
    tasks[i].repeat = static_cast<int>(i % 2);
    tasks[i].step_ms = step_ms[i];
    tasks[i].sum_len_sq = 2e6 * tasks[i].nodes;
    plan.push_back(planned_sft(tasks[i]));
  }
  tasks[4].status = "failed";
  tasks[4].reason = "rank 5 on synthetic3 was killed by signal 9";
  const Json goals = {{"gpu_utilization_pct", 90},
                      {"scaling_efficiency_pct", {{"2", 95}, {"4", 93}, {"8", 93}}},
                      {"bandwidth_pct_of_line", 92},
                      {"busbw_gBps", 80}};
  run.add("run", run_data("synthetic-gpu", plan, goals,
                          {{{"name", "mlx5_0"}, {"line_rate_gbps", 400}},
                           {{"name", "mlx5_1"}, {"line_rate_gbps", 400}}}));
  add_nccl_task(run, nccl1);
  add_nccl_task(run, nccl2);
  for (std::size_t i = 0; i < 5; ++i) {
    add_sft_task(run, tasks[i]);
    if (tasks[i].status == "ok") add_gpu_samples(run, tasks[i], 690);
  }
  run.add("finding",
          {{"severity", "warning"},
           {"code", "clocks_unlocked"},
           {"message", "application clocks are not set"},
           {"help", "nvidia-smi -ac fixes them"}},
          tasks[0].id, "synthetic1");
  run.add_raw("{\"v\":1,\"kind\":\"step\",\"task\":\"beef00000006\",\"da");
  run.write();
}

}  // namespace sxb::testing
