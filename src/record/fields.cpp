// The field table: every field of every record kind, once.
#include "sxbench/record/record.h"

namespace sxb::record {

const std::vector<Field>& fields() {
  using namespace kind;
  static const std::vector<Field> table = {
      {kRun, "run_id", "", Hint::kText, "Name of the run folder."},
      {kRun, "name", "", Hint::kText, "Name given with --name."},
      {kRun, "command", "", Hint::kText, "The command line as typed."},
      {kRun, "build_id", "", Hint::kText, "Version, source revision and compiler of sxbench."},
      {kRun, "config_hash", "", Hint::kText, "Hash of the resolved cluster, models and sweep."},
      {kRun, "cluster", "", Hint::kText, "The resolved cluster config (object)."},
      {kRun, "plan", "", Hint::kText, "The tasks in order (array of task objects)."},
      {kRun, "nccl_env", "", Hint::kText, "NCCL variables applied to the ranks (object)."},

      {kNode, "hostname", "", Hint::kText, "Host name as the kernel has it."},
      {kNode, "build_id", "", Hint::kText, "Build of the agent on this node."},
      {kNode, "os", "", Hint::kText, "PRETTY_NAME of /etc/os-release."},
      {kNode, "kernel", "", Hint::kText, "Kernel release."},
      {kNode, "cpu_model", "", Hint::kText, "First model name of /proc/cpuinfo."},
      {kNode, "cpus", "", Hint::kCount, "Logical CPUs online."},
      {kNode, "memory_bytes", "B", Hint::kBytes, "MemTotal."},
      {kNode, "driver", "", Hint::kText, "NVIDIA driver version; empty without NVML."},
      {kNode, "gpus", "", Hint::kText,
       "GPUs the node owns (array: index, name, uuid, pci, memory_bytes, power_limit_w, sm_clock_max_mhz, "
       "sm_clock_mhz, persistence, ecc, mig, nvlinks)."},
      {kNode, "nics", "", Hint::kText, "Network interfaces (array: name, speed_mbps, mtu, state)."},
      {kNode, "topology", "", Hint::kText, "How each pair of GPUs is linked (matrix of NV18, PIX, SYS ...)."},

      {kDevice, "device", "", Hint::kText, "cuda or cpu."},
      {kDevice, "name", "", Hint::kText, "Device name as CUDA gives it, or the CPU model."},
      {kDevice, "gpu", "", Hint::kCount, "NVML index of the GPU; -1 on the CPU."},
      {kDevice, "memory_bytes", "B", Hint::kBytes, "Device memory."},
      {kDevice, "multiprocessors", "", Hint::kCount, "Streaming multiprocessors."},
      {kDevice, "torch", "", Hint::kText, "libtorch version."},
      {kDevice, "cuda", "", Hint::kText, "CUDA runtime version."},
      {kDevice, "nccl", "", Hint::kText, "Version of the NCCL library actually loaded."},
      {kDevice, "cudnn", "", Hint::kText, "cuDNN version."},
      {kDevice, "backend", "", Hint::kText, "nccl or gloo."},
      {kDevice, "threads", "", Hint::kCount, "Intra-op threads of a CPU rank."},
      {kDevice, "pid", "", Hint::kCount, "Process id of the rank."},
      {kDevice, "pci", "", Hint::kText, "PCI address of the GPU, dddd:bb:dd."},

      {kTaskStart, "phase", "", Hint::kText, "check, nccl or sft."},
      {kTaskStart, "label", "", Hint::kText, "What the task is, for people."},
      {kTaskStart, "nodes", "", Hint::kText, "Names of the nodes that take part (array)."},
      {kTaskStart, "world", "", Hint::kCount, "Number of ranks."},
      {kTaskStart, "attempt", "", Hint::kCount, "1 for the first try."},

      {kTaskEnd, "status", "", Hint::kText, "ok, failed or interrupted."},
      {kTaskEnd, "reason", "", Hint::kText, "Why it failed, with node and rank."},
      {kTaskEnd, "failed_node", "", Hint::kText, "Node that failed first, if one did."},
      {kTaskEnd, "failed_rank", "", Hint::kCount, "Rank that failed first, or -1."},
      {kTaskEnd, "duration_s", "s", Hint::kSeconds, "From start of the agents to the last exit."},
      {kTaskEnd, "exit_code", "", Hint::kCount, "sxb::ExitCode of the task."},

      {kCollective, "collective", "", Hint::kText, "all_reduce, ..."},
      {kCollective, "size_bytes", "B", Hint::kBytes, "nccl-tests' size column."},
      {kCollective, "count", "", Hint::kCount, "Elements, nccl-tests' count column."},
      {kCollective, "dtype", "", Hint::kText, "nccl-tests' type name."},
      {kCollective, "redop", "", Hint::kText, "sum, prod, min, max, avg; none where there is no operator."},
      {kCollective, "root", "", Hint::kCount, "Root rank or -1."},
      {kCollective, "ranks", "", Hint::kCount, "Ranks in the communicator."},
      {kCollective, "iterations", "", Hint::kCount, "Timed iterations."},
      {kCollective, "out_of_place", "", Hint::kText,
       "Object: time_us, algbw_gBps, busbw_gBps (formulas of nccl-tests doc/PERFORMANCE.md; time = maximum over "
       "ranks of the mean over iterations), wrong (elements; null when not checked)."},
      {kCollective, "in_place", "", Hint::kText, "The same in place."},

      {kStep, "step", "", Hint::kCount, "Optimizer step, from 1."},
      {kStep, "loss", "", Hint::kNumber, "Mean cross-entropy over the response tokens of the global batch."},
      {kStep, "lr", "", Hint::kNumber, "Learning rate of this step."},
      {kStep, "grad_norm", "", Hint::kNumber, "Global gradient norm before clipping."},
      {kStep, "tokens", "", Hint::kCount, "Tokens processed by all ranks, padding excluded."},
      {kStep, "loss_tokens", "", Hint::kCount, "Tokens of them that count in the loss."},
      {kStep, "samples", "", Hint::kCount, "Sequences processed by all ranks (world x micro-batch x accumulation)."},
      {kStep, "documents", "", Hint::kCount, "Documents (instruction pairs) in them."},
      {kStep, "sum_len_sq", "", Hint::kNumber, "Sum over documents of length squared, all ranks; 0 = whole sequences."},
      {kStep, "step_time_ms", "ms", Hint::kMilliseconds, "Wall time of the step, maximum over ranks."},
      {kStep, "data_wait_ms", "ms", Hint::kMilliseconds, "Time rank 0 waited for its batch."},
      {kStep, "tokens_per_s", "1/s", Hint::kNumber, "tokens / step time, all ranks."},
      {kStep, "mfu", "", Hint::kRatio, "Model FLOPs (6N + causal attention) per second over the device peak; null if unknown."},
      {kStep, "memory_bytes", "B", Hint::kBytes, "Peak device memory so far on rank 0 (resident set on the CPU)."},
      {kStep, "begin_ns", "ns", Hint::kNanoseconds, "Monotonic clock of rank 0's node at the start of the step."},
      {kStep, "end_ns", "ns", Hint::kNanoseconds, "... at its end."},
      {kStep, "measured", "", Hint::kFlag, "False for warm-up steps, which no figure counts."},

      {kTraining, "model", "", Hint::kText, "Name of the model."},
      {kTraining, "parameters", "", Hint::kCount, "All parameters."},
      {kTraining, "matmul_parameters", "", Hint::kCount, "Parameters in matrix products (no input embedding)."},
      {kTraining, "precision", "", Hint::kText, "bf16 or fp32."},
      {kTraining, "sharding", "", Hint::kText, "none, optimizer, gradients or full."},
      {kTraining, "recompute", "", Hint::kText, "none or block."},
      {kTraining, "attention_kernel", "", Hint::kText, "Kernel that ran: cudnn, cudnn-varlen, flash-varlen, reference."},
      {kTraining, "seq_len", "", Hint::kCount, "Tokens per sequence."},
      {kTraining, "micro_batch", "", Hint::kCount, "Sequences per rank and micro-step."},
      {kTraining, "grad_accumulation", "", Hint::kCount, "Micro-steps per optimizer step."},
      {kTraining, "world", "", Hint::kCount, "Ranks."},
      {kTraining, "flops_per_token_causal", "FLOP", Hint::kNumber,
       "6 N_matmul + 6 L d s: causal attention counts half (s = real document lengths when packed)."},
      {kTraining, "flops_per_token_full", "FLOP", Hint::kNumber, "6 N_matmul + 12 L d s: the PaLM appendix B convention."},
      {kTraining, "peak_tflops", "TFLOP/s", Hint::kNumber, "Dense BF16 peak of one device; null if unknown."},
      {kTraining, "dataset", "", Hint::kText, "Name of the dataset, or synthetic."},
      {kTraining, "dataset_hash", "", Hint::kText, "Hash of the packed dataset's index."},
      {kTraining, "init", "", Hint::kText, "random(seed) or the checkpoint folder."},
      {kTraining, "steps", "", Hint::kCount, "Optimizer steps done."},
      {kTraining, "warmup", "", Hint::kCount, "Of them not measured."},

      {kRank, "gpu", "", Hint::kCount, "NVML index; -1 on the CPU."},
      {kRank, "step_time_ms_median", "ms", Hint::kMilliseconds, "Median of this rank's own step time, measured steps."},
      {kRank, "peak_memory_bytes", "B", Hint::kBytes, "Peak device memory (resident set on the CPU)."},
      {kRank, "predicted_memory_bytes", "B", Hint::kBytes, "What the planner predicted for it."},

      {kWindow, "name", "", Hint::kText, "measured (training) or sweep (collectives)."},
      {kWindow, "begin_ns", "ns", Hint::kNanoseconds, "Monotonic clock of the node."},
      {kWindow, "end_ns", "ns", Hint::kNanoseconds, "Monotonic clock of the node."},

      {kFinding, "severity", "", Hint::kText, "error, warning or info."},
      {kFinding, "code", "", Hint::kText, "Stable short name, e.g. nan_loss."},
      {kFinding, "message", "", Hint::kText, "What was seen."},
      {kFinding, "help", "", Hint::kText, "What to do."},

      {kRunEnd, "status", "", Hint::kText, "ok, failed, partial or interrupted."},
      {kRunEnd, "exit_code", "", Hint::kCount, "Exit code of the run."},
  };
  return table;
}

}  // namespace sxb::record
