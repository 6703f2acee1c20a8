#include "support/gpu_run.h"

#include <vector>

#include "support/synthetic_run.h"

namespace sxb::testing {
namespace {

constexpr const char* kSuite = "facade00000a";
constexpr const char* kBurn = "facade00000b";
constexpr std::int64_t kSecond = 1'000'000'000;

struct Device {
  std::string node;
  int rank, gpu;
};

std::vector<Device> devices(const DeviceRunSpec& spec) {
  std::vector<Device> all;
  const std::vector<std::string> names = node_names(spec.nodes);
  for (int rank = 0; rank < 2 * spec.nodes; ++rank) {
    all.push_back({names[static_cast<std::size_t>(rank / 2)], rank, spec.cuda ? rank % 2 : -1});
  }
  return all;
}

bool is_last(const DeviceRunSpec& spec, const Device& device) { return device.rank == 2 * spec.nodes - 1; }

void begin(SyntheticRun& run, const DeviceRunSpec& spec, const char* id, const char* phase,
           const char* label) {
  run.add("task_start",
          {{"phase", phase},
           {"label", label},
           {"nodes", node_names(spec.nodes)},
           {"world", 2 * spec.nodes},
           {"attempt", 1}},
          id);
  for (const Device& device : devices(spec)) {
    run.add("device",
            {{"device", spec.cuda ? "cuda" : "cpu"},
             {"name", !spec.cuda                            ? "Synthetic CPU"
                      : spec.mixed && is_last(spec, device) ? "NVIDIA A100-SXM4-80GB"
                                                            : "NVIDIA H200"},
             {"gpu", device.gpu}},
            id, device.node, device.rank);
  }
}

void end(SyntheticRun& run, const char* id, bool ok, const std::string& reason) {
  run.add(
      "task_end",
      {{"status", ok ? "ok" : "failed"}, {"reason", reason}, {"duration_s", 9.0}, {"exit_code", ok ? 0 : 1}},
      id);
}

Json figure(const Device& device, const char* group, const char* test, const char* shape, const char* metric,
            double value) {
  return {{"group", group},   {"test", test},   {"gpu", device.gpu},  {"shape", shape},
          {"metric", metric}, {"value", value}, {"p5", value * 0.99}, {"p95", value * 1.01},
          {"runs", 5},        {"stable", true}, {"wrong", 0}};
}

void add_sample(SyntheticRun& run, const DeviceRunSpec& spec, const char* task, const Device& device,
                std::int64_t mono_ns, double power_w) {
  if (!spec.cuda) return;
  const bool hot = is_last(spec, device);
  run.add_sample(task, device.node,
                 {{"mono_ns", mono_ns},
                  {"wall_ns", 1'790'000'000'000'000'000 + mono_ns},
                  {"source", "gpu"},
                  {"index", device.gpu},
                  {"power_w", power_w},
                  {"sm_mhz", hot ? 1100 : 1440},
                  {"temp_c", hot ? 88 : 60},
                  {"throttle", hot ? "thermal_hw" : "power_cap"}});
}

void add_suite(SyntheticRun& run, const DeviceRunSpec& spec) {
  begin(run, spec, kSuite, "gpu", "gpu on 2 nodes");
  for (const Device& device : devices(spec)) {
    const auto add = [&](const Json& data) { run.add("gpu_bench", data, kSuite, device.node, device.rank); };
    add(figure(device, "gemm", "gemm_bf16", "8192 x 8192 x 8192", "TFLOP/s", 700 + device.rank));
    add(figure(device, "gemm_max", "gemm_max_bf16",
               device.rank == 0 ? "8192 x 4096 x 8192" : "8192 x 8192 x 4096", "TFLOP/s", 800 - device.rank));
    add(figure(device, "hbm", "hbm_copy_sm", "1 GiB", "GB/s", is_last(spec, device) ? 3400 : 4200));
    Json launch = figure(device, "latency", "launch", "empty kernels, one after the other", "us", 2);
    launch["wrong"] = nullptr;
    add(launch);
    Json pair = figure(device, "p2p", "p2p_read", "512 MiB", "GB/s", 390 + device.rank);
    pair["peer"] = 1 - device.gpu;
    if (spec.cuda) add(pair);
    add({{"group", "attention"},
         {"test", "attention"},
         {"gpu", device.gpu},
         {"waived", "this is a synthetic reason"}});
  }
  for (const Device& device : devices(spec)) {
    for (std::int64_t half = 2; half <= 10; ++half) {
      add_sample(run, spec, kSuite, device, half * kSecond / 2, half < 7 ? 690 : 500);
    }
  }
  for (const std::string& node : node_names(spec.nodes)) {
    run.add("window", {{"name", "gemm"}, {"begin_ns", kSecond}, {"end_ns", 3 * kSecond}}, kSuite, node, 0);
    run.add("window", {{"name", "hbm"}, {"begin_ns", 4 * kSecond}, {"end_ns", 5 * kSecond}}, kSuite, node, 0);
  }
  end(run, kSuite, true, "");
}

void add_burn(SyntheticRun& run, const DeviceRunSpec& spec) {
  begin(run, spec, kBurn, "burn", "burn bf16, 4 s on 2 nodes");
  for (int second = 1; second <= 4; ++second) {
    for (const Device& device : devices(spec)) {
      const bool last = is_last(spec, device);
      const double tflops = last ? spec.slow_tflops : 700;
      // The second before this record: two samples in it, one just before.
      const std::int64_t now = run.now_ns();
      add_sample(run, spec, kBurn, device, now - kSecond, 100);
      add_sample(run, spec, kBurn, device, now - kSecond / 2, 680);
      add_sample(run, spec, kBurn, device, now, 700);
      run.add("burn",
              {{"gpu", device.gpu},
               {"second", second},
               {"span_s", 1},
               {"tflops", second == 1   ? tflops + 20
                          : second == 4 ? tflops - 20
                                        : tflops},
               {"iterations", 640},
               {"mismatches", last && second >= 3 ? spec.mismatches : 0},
               {"memory_bytes", 1e11 + (device.rank == 0 ? spec.growth_bytes * second / 4 : 0)}},
              kBurn, device.node, device.rank);
    }
  }
  for (const std::string& node : node_names(spec.nodes)) {
    run.add("window", {{"name", "burn"}, {"begin_ns", 0}, {"end_ns", 1000 * kSecond}}, kBurn, node, 0);
  }
  end(run, kBurn, spec.mismatches == 0, spec.mismatches == 0 ? "" : "rank 3 on synthetic2: results differ");
}

}  // namespace

void make_device_run(const std::filesystem::path& folder, const DeviceRunSpec& spec) {
  SyntheticRun run(folder);
  const Json burn = {
      {"duration_s", 4}, {"streams", 4}, {"precision", "bf16"}, {"size", 8192}, {"memory_pct", 80}};
  const Json plan = Json::array(
      {{{"id", kSuite}, {"phase", "gpu"}, {"nodes", spec.nodes}, {"repeat", 0}, {"gpu", Json::object()}},
       {{"id", kBurn}, {"phase", "burn"}, {"nodes", spec.nodes}, {"repeat", 0}, {"burn", burn}}});
  run.add("run", run_data("synthetic-devices", plan, Json::object()));
  add_suite(run, spec);
  add_burn(run, spec);
  run.add("run_end", {{"status", "ok"}, {"exit_code", 0}});
  run.write();
}

}  // namespace sxb::testing
