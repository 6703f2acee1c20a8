#include "engine/gpu/suite.h"

#include <algorithm>

#include "base/clock.h"
#include "engine/base/cuda_check.h"
#include "engine/comm/communicator.h"
#include "stats/stats.h"
#include "stats/stopping_rule.h"

namespace sxb::engine::gpu {
namespace {

class Suite {
 public:
  Suite(const plan::RankTask& task, const Facts& facts, NodeRanks& ranks, const Emitter& emitter)
      : task_(task), facts_(facts), ranks_(ranks), emitter_(emitter) {}

  void run(const std::vector<const Test*>& list) {
    for (const Test* test : list) {
      if (wanted(test->name)) run_test(*test);
    }
    ranks_.leave();  // a failure ends the task
    if (wrong_ > 0) {
      throw EngineError(
          std::to_string(wrong_) + " elements were wrong on GPU " + std::to_string(task_.gpu) +
              ", first in " + first_wrong_,
          "wrong_data",
          "the GPU, its memory or a link corrupts data: look at the ECC and NVLink error counters "
          "(nvidia-smi -q), and take the GPU out of service");
    }
    if (ran_ == 0) {
      throw EngineError("no micro-benchmark that was asked for can run here: " + last_waived_, "all_waived",
                        "sxbench gpu --list says what each needs", ExitCode::kEnvironment);
    }
  }

 private:
  bool wanted(const std::string& name) const {
    const std::vector<std::string>& named = task_.task.gpu.tests;
    return named.empty() || std::find(named.begin(), named.end(), name) != named.end();
  }

  void run_test(const Test& test) {
    const std::string why = test.waived(facts_);
    if (!why.empty()) return waive(test.name, test.name, why, -1);
    ++ran_;
    Context context{task_.task.gpu,
                    task_,
                    facts_,
                    ranks_,
                    [&](const Figure& figure) { emit(test.name, figure); },
                    [&](const std::string& figure, const std::string& reason, int peer) {
                      waive(test.name, figure, reason, peer);
                    }};
    ranks_.barrier();
    const std::int64_t begin = monotonic_ns();
    test.run(context);
    ranks_.barrier();
    if (task_.local_rank != 0) return;
    emitter_.record("window", {{"name", test.name}, {"begin_ns", begin}, {"end_ns", monotonic_ns()}});
  }

  void emit(const char* group, const Figure& figure) {
    const stats::Summary summary = stats::summarize(figure.values);
    Json data = {{"group", group},          {"test", figure.test},     {"gpu", task_.gpu},
                 {"shape", figure.shape},   {"metric", figure.metric}, {"value", summary.median},
                 {"p5", summary.p5},        {"p95", summary.p95},      {"runs", summary.count},
                 {"stable", figure.stable}, {"wrong", Json(nullptr)}};
    if (figure.wrong) data["wrong"] = *figure.wrong;
    if (figure.peer >= 0) data["peer"] = figure.peer;
    emitter_.record("gpu_bench", std::move(data));
    if (figure.wrong.value_or(0) == 0) return;
    if (wrong_ == 0) first_wrong_ = figure.test + " of " + figure.shape;
    wrong_ += *figure.wrong;
  }

  void waive(const char* group, const std::string& figure, const std::string& why, int peer) {
    last_waived_ = figure + ": " + why;
    Json data = {{"group", group}, {"test", figure}, {"gpu", task_.gpu}, {"waived", why}};
    if (peer >= 0) data["peer"] = peer;
    emitter_.record("gpu_bench", std::move(data));
  }

  const plan::RankTask& task_;
  const Facts& facts_;
  NodeRanks& ranks_;
  const Emitter& emitter_;
  int ran_ = 0;
  std::int64_t wrong_ = 0;
  std::string first_wrong_, last_waived_;
};

}  // namespace

std::vector<double> Runs::rates(double work, double unit) const {
  std::vector<double> values;
  for (const double s : seconds) values.push_back(work / s / unit);
  return values;
}

Runs repeat(const plan::GpuSuite& suite, const std::function<double()>& run) {
  constexpr double kLongest_s = 5;  // of one figure
  stats::StoppingBounds bounds;
  bounds.min_count = static_cast<std::size_t>(std::max(2, suite.min_runs));
  bounds.max_count = static_cast<std::size_t>(std::max(2, suite.max_runs));
  bounds.max_time = kLongest_s;
  stats::StoppingRule rule(bounds);
  Runs runs;
  while (!rule.done()) {
    runs.seconds.push_back(run());
    rule.add(runs.seconds.back());
  }
  runs.stable = rule.why() == stats::StopReason::kQuiet || rule.why() == stats::StopReason::kSettled;
  return runs;
}

Facts facts_of(const plan::RankTask& task) {
  Facts facts;
  facts.cuda = task.cuda;
  facts.local_world = task.local_world;
  if (!task.cuda) return facts;
  cudaDeviceProp properties{};
  SXB_CUDA(cudaGetDeviceProperties(&properties, 0));
  facts.compute = properties.major * 10 + properties.minor;
  facts.mig = std::string(properties.name).find("MIG") != std::string::npos;
  return facts;
}

void run_suite(const plan::RankTask& task, const Facts& facts, NodeRanks& ranks, const Emitter& emitter,
               const std::vector<const Test*>& list) {
  Suite(task, facts, ranks, emitter).run(list);
}

}  // namespace sxb::engine::gpu
