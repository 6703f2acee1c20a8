// The border of the engine: parses the task, runs it, and turns every exception into a finding.
#include "sxbench/engine.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string>

#include "base/build_info.h"
#include "engine/base/cuda_check.h"
#include "engine/base/emitter.h"
#include "engine/base/runtime.h"
#include "engine/bench/sweep/sweep.h"
#include "engine/comm/communicator.h"
#include "engine/comm/nccl/nccl_log.h"
#include "engine/comm/rendezvous.h"
#include "engine/gpu/burn/burn.h"
#include "engine/gpu/suite.h"
#include "engine/kernel_bench/kernel_bench.h"
#include "engine/locate/locate.h"
#include "engine/rank/device_facts.h"
#include "engine/rank/peers.h"
#include "engine/train/loop/trainer.h"
#include "plan/task.h"

namespace sxb::engine {
namespace {

plan::RankTask parse_task(const char* json) {
  const auto raise = [](const Errors& errors) -> EngineError {
    return EngineError("the rank's task cannot be read: " + format_errors(errors), "bad_task",
                       "head and engine are of different builds, or this is a defect of sxbench",
                       ExitCode::kUsage);
  };
  auto parsed = parse_json(json, "rank task");
  if (!parsed.ok()) throw raise(parsed.errors());
  auto task = plan::parse_rank_task(*parsed, "rank task");
  if (!task.ok()) throw raise(task.errors());
  return *std::move(task);
}

comm::RendezvousOptions rendezvous_options(const plan::RankTask& task, const Emitter& emitter) {
  comm::RendezvousOptions options;
  options.host = task.rendezvous_host;
  options.port = task.rendezvous_port;
  options.token = task.token;
  options.build_id = build_id();
  options.node = task.node;
  options.rank = task.rank;
  options.world = task.world;
  options.spread = task.local_world < task.world;
  options.warn = [&emitter](const std::string& code, const std::string& message, const std::string& help) {
    emitter.finding("warning", code, message, help);
  };
  return options;
}

std::unique_ptr<comm::Communicator> create_communicator(comm::Rendezvous& rendezvous,
                                                        const plan::RankTask& task) {
  comm::CommunicatorOptions options;
  if (task.task.phase == plan::Phase::kNccl) options = bench::communicator_options(task.task.sweep);
  return task.cuda ? comm::create_nccl_communicator(rendezvous, options)
                   : comm::create_gloo_communicator(rendezvous, options);
}

/// The communicator of all ranks, first used, and the "device" record, which says what it goes over.
std::unique_ptr<comm::Communicator> connect(comm::Rendezvous& rendezvous, const plan::RankTask& task,
                                            const Emitter& emitter) {
  record::Device device = rank::device_facts(task);
  if (!task.cuda || task.world == 1) {
    emitter.emit(device);
    return create_communicator(rendezvous, task);
  }
  std::unique_ptr<comm::Communicator> comm;
  comm::Transports transports;
  try {
    const comm::NcclLog log("INIT,NET,P2P,SHM,GRAPH");
    comm = create_communicator(rendezvous, task);
    comm->barrier();  // NCCL connects when it is first used
    transports = comm::parse_transports(log.text());
  } catch (const EngineError&) {
    emitter.emit(device);
    throw;
  }
  device.net = transports.net;
  emitter.emit(device);
  rank::check_peers(task, *comm, transports, emitter);
  return comm;
}

void run_nccl(const plan::RankTask& task, comm::Communicator& comm, const Emitter& emitter) {
  const auto memory = task.cuda ? bench::make_cuda_memory() : bench::make_host_memory(task.local_world);
  bench::run_sweep(task.task.sweep, comm, *memory, emitter, {task.rank, task.local_rank, task.node_rank});
}

/// The phases that test devices: no communicator, so that they run whether or not the network works.
void run_device_task(const plan::RankTask& task, comm::Rendezvous& rendezvous, const Emitter& emitter) {
  rank::NodeRanks ranks(rendezvous, task);
  if (task.task.phase == plan::Phase::kGpu) return gpu::run_suite(task, gpu::facts_of(task), ranks, emitter);
  const auto device = task.cuda ? gpu::make_cuda_burn(task.task.burn) : gpu::make_host_burn(task.task.burn);
  gpu::run_burn(task, *device, ranks, emitter);
}

void run_task(const plan::RankTask& task, const Emitter& emitter) {
  // The rank's own device, and the place where all ranks meet.
  rank::set_device(task);
  comm::Rendezvous rendezvous(rendezvous_options(task, emitter));
  // Phases that do without a communicator of all ranks.
  const plan::Phase phase = task.task.phase;
  if (phase == plan::Phase::kLocate) {
    return locate::run_locate(task, rendezvous, rank::device_facts(task), emitter);
  }
  if (phase == plan::Phase::kGpu || phase == plan::Phase::kBurn) {
    emitter.emit(rank::device_facts(task));
    if (task.cuda) rank::check_same_gpus(task, rank::gpu_name(), rendezvous);
    return run_device_task(task, rendezvous, emitter);
  }
  // All ranks connected, and what connects them judged.
  const auto comm = connect(rendezvous, task, emitter);
  // The work.
  switch (phase) {
    case plan::Phase::kNccl:
      run_nccl(task, *comm, emitter);
      break;
    case plan::Phase::kSft:
      train::run_training(task, *comm, emitter);
      break;
    case plan::Phase::kCheck:
      break;  // that the ranks have met is the check
    case plan::Phase::kGpu:
    case plan::Phase::kBurn:
    case plan::Phase::kLocate:
      break;  // above
    case plan::Phase::kReport:
      throw EngineError("phase report has no ranks", "bad_task", "this is a defect of sxbench",
                        ExitCode::kUsage);
  }
  // The end, together. The kernel of the barrier may still write to a peer that has its result: where another
  // process shares the GPU, milliseconds later. Only who has come to leave() is past it, so nobody ends
  // before all have.
  comm->barrier();
  rendezvous.leave(rendezvous.timeout());
}

void run_kernel_bench(const plan::RankTask& task, const Emitter& emitter) {
  rank::set_device(task);
  comm::Rendezvous rendezvous(rendezvous_options(task, emitter));
  const auto comm = create_communicator(rendezvous, task);
  kernel_bench::bench_kernels(task.task.model, *comm, [&](const kernel_bench::KernelTime& time) {
    Json row = {{"kernel", time.kernel}, {"shape", time.shape}, {"us", time.us},
                {"bytes", time.bytes},   {"flops", time.flops}, {"aten_us", nullptr}};
    if (time.aten_us) row["aten_us"] = *time.aten_us;
    emitter.send("kernel", row);
  });
}

/// What the exception that is being handled means to the user. `gpu` goes before CUDA's errors: its calls do
/// not know where they run; node and rank stand in the record.
EngineError current_error(const std::string& gpu) {
  const auto on_gpu = [&](const EngineError& error) {
    return EngineError(gpu + error.what(), error.code, error.help, error.exit_code);
  };
  try {
    throw;
  } catch (const EngineError& error) {
    return error.code == "cuda_error" || error.code == "out_of_memory" ? on_gpu(error) : error;
  } catch (const std::bad_alloc&) {
    return {"out of host memory", "out_of_memory", "use a smaller model or size, or fewer ranks per node"};
  } catch (const std::exception& error) {
    if (is_gpu_out_of_memory(error)) {
      return on_gpu(
          {error.what(), "out_of_memory",
           "use a smaller micro_batch or seq_len, recompute \"blocks\", sharding \"full\" or more nodes"});
    }
    if (const int code = cuda_error_of(error); code != 0) {
      return on_gpu(cuda_error(static_cast<cudaError_t>(code), "libtorch"));
    }
    return {error.what(), "engine_error", "this is not an error that sxbench expects: see the rank's log"};
  } catch (...) {
    return {"an exception of unknown type", "engine_error", "see the rank's log"};
  }
}

/// Parses the task, runs it, and turns whatever is thrown into a finding and an exit code.
int run(const char* rank_task_json, SxbEmit emit, void* user,
        void (*body)(const plan::RankTask&, const Emitter&)) {
  try {
    const Emitter emitter(emit, user);
    std::string gpu;
    try {
      const plan::RankTask task = parse_task(rank_task_json);
      if (task.cuda) gpu = "GPU " + std::to_string(task.gpu) + ": ";
      body(task, emitter);
      return static_cast<int>(ExitCode::kOk);
    } catch (...) {
      const EngineError error = current_error(gpu);
      emitter.finding("error", error.code, error.what(), error.help);
      return static_cast<int>(error.exit_code);
    }
  } catch (...) {  // not even that can be told: no memory is left
    std::fputs("error: the engine failed and could not say why\n", stderr);
    return static_cast<int>(ExitCode::kTaskFailed);
  }
}

int run_rank(const char* rank_task_json, SxbEmit emit, void* user) {
  return run(rank_task_json, emit, user, run_task);
}

int run_bench(const char* rank_task_json, SxbEmit emit, void* user) {
  return run(rank_task_json, emit, user, run_kernel_bench);
}

const char* describe() {
  static const std::string text = [] {
    try {
      return dump(rank::describe_engine());
    } catch (const std::exception& error) {
      return dump(Json{{"error", error.what()}});
    } catch (...) {
      return std::string("{}");
    }
  }();
  return text.c_str();
}

}  // namespace
}  // namespace sxb::engine

__attribute__((visibility("default"))) const SxbEngine* sxbench_engine() {
  static const SxbEngine engine = {kSxbEngineAbi, sxb::build_id().c_str(), &sxb::engine::describe,
                                   &sxb::engine::run_rank, &sxb::engine::run_bench};
  return &engine;
}
