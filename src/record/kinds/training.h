// A fine-tuning task: steps, facts and totals, each rank, one traced step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "record/record.h"

namespace sxb::record {

/// Rank 0: one optimizer step.
struct Step {
  static constexpr const char* kKind = kind::kStep;
  std::optional<std::int64_t> step;
  std::optional<double> loss;
  std::optional<double> lr;
  std::optional<double> grad_norm;
  std::optional<std::int64_t> tokens;
  std::optional<std::int64_t> loss_tokens;
  std::optional<std::int64_t> samples;
  std::optional<std::int64_t> documents;
  std::optional<double> sum_len_sq;
  std::optional<double> step_time_ms;
  std::optional<double> data_wait_ms;
  std::optional<double> forward_ms;
  std::optional<double> backward_ms;
  std::optional<double> optimizer_ms;
  std::optional<double> exposed_comm_ms;
  std::optional<double> tokens_per_s;
  std::optional<double> mfu;
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> begin_ns;
  std::optional<std::int64_t> end_ns;
  std::optional<bool> measured;
};

/// Rank 0: facts and totals of an SFT task.
struct Training {
  static constexpr const char* kKind = kind::kTraining;
  std::string model;
  std::optional<std::int64_t> parameters;
  std::optional<std::int64_t> matmul_parameters;
  std::string precision;
  std::string sharding;
  std::string sharding_reason;
  std::optional<std::int64_t> resident_blocks;
  std::string offload;
  std::string communication;
  std::string recompute;
  std::string attention_kernel;
  std::string gemm;
  std::string cuda_graph;
  std::optional<std::int64_t> seq_len;
  std::optional<std::int64_t> micro_batch;
  std::optional<std::int64_t> grad_accumulation;
  std::optional<int> world;
  std::optional<double> flops_per_token_causal;
  std::optional<double> flops_per_token_full;
  std::optional<double> peak_tflops;
  std::string dataset;
  std::string dataset_hash;
  std::string tokenizer_hash;
  std::string init;
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> warmup;
};

/// Every rank: its own step times, memory.
struct Rank {
  static constexpr const char* kKind = kind::kRank;
  std::optional<int> gpu;
  std::optional<double> step_time_ms_median;
  std::optional<std::int64_t> peak_memory_bytes;
  std::optional<std::int64_t> predicted_memory_bytes;
};

/// Every rank: where its measured steps went.
struct Phases {
  static constexpr const char* kKind = kind::kPhases;
  std::optional<std::int64_t> steps;
  std::optional<double> step_ms;
  std::optional<double> forward_ms;
  std::optional<double> backward_ms;
  std::optional<double> optimizer_ms;
  std::optional<double> exposed_comm_ms;
};

/// Every rank, if asked: one step, kernel by kernel; goes to traces/, not to records.jsonl.
struct Trace {
  static constexpr const char* kKind = kind::kTrace;
  Json events;
};

}  // namespace sxb::record
