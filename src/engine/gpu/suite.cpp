#include "engine/gpu/suite.h"

#include <algorithm>

#include "base/clock.h"
#include "engine/base/cuda_check.h"
#include "engine/base/error.h"
#include "record/kinds/gpu.h"
#include "record/kinds/node.h"
#include "stats/stats.h"

namespace sxb::engine::gpu {
namespace {

class Suite {
 public:
  Suite(const plan::RankTask& task, const Facts& facts, rank::NodeRanks& ranks, const Emitter& emitter)
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
                        "sxbench gpu --list says what each needs", ExitCode::kUsage);
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
    emitter_.emit(record::Window{test.name, begin, monotonic_ns()});
  }

  void emit(const char* group, const Figure& figure) {
    const stats::Summary summary = stats::summarize(figure.values);
    record::GpuBench bench = named(group, figure.test, figure.peer);
    bench.shape = figure.shape;
    bench.metric = figure.metric;
    bench.value = summary.median;
    bench.p5 = summary.p5;
    bench.p95 = summary.p95;
    bench.runs = static_cast<std::int64_t>(summary.count);
    bench.stable = figure.stable;
    bench.wrong = figure.wrong;
    emitter_.emit(bench);
    if (figure.wrong.value_or(0) == 0) return;
    if (wrong_ == 0) first_wrong_ = figure.test + " of " + figure.shape;
    wrong_ += *figure.wrong;
  }

  void waive(const char* group, const std::string& figure, const std::string& why, int peer) {
    last_waived_ = figure + ": " + why;
    record::GpuBench bench = named(group, figure, peer);
    bench.waived = why;
    emitter_.emit(bench);
  }

  record::GpuBench named(const char* group, const std::string& test, int peer) const {
    record::GpuBench bench;
    bench.group = group;
    bench.test = test;
    bench.gpu = task_.gpu;
    if (peer >= 0) bench.peer = peer;
    return bench;
  }

  const plan::RankTask& task_;
  const Facts& facts_;
  rank::NodeRanks& ranks_;
  const Emitter& emitter_;
  int ran_ = 0;
  std::int64_t wrong_ = 0;
  std::string first_wrong_, last_waived_;
};

}  // namespace

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

void run_suite(const plan::RankTask& task, const Facts& facts, rank::NodeRanks& ranks, const Emitter& emitter,
               const std::vector<const Test*>& list) {
  Suite(task, facts, ranks, emitter).run(list);
}

}  // namespace sxb::engine::gpu
