#include "record/kinds/training.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<Step> R>
void rows(V& visit, R& r) {
  visit(r.step, {"step", "", Hint::kCount, "Optimizer step, from 1."});
  visit(r.loss, {"loss", "", Hint::kNumber,
                 "Mean cross-entropy over the response tokens of the global batch; absent if it has none."});
  visit(r.lr, {"lr", "", Hint::kNumber, "Learning rate of this step."});
  visit(r.grad_norm, {"grad_norm", "", Hint::kNumber, "Global gradient norm before clipping."});
  visit(r.tokens, {"tokens", "", Hint::kCount, "Tokens processed by all ranks, padding excluded."});
  visit(r.loss_tokens, {"loss_tokens", "", Hint::kCount, "Tokens of them that count in the loss."});
  visit(r.samples, {"samples", "", Hint::kCount,
                    "Sequences processed by all ranks (world x micro-batch x accumulation)."});
  visit(r.documents, {"documents", "", Hint::kCount, "Documents (instruction pairs) in them."});
  visit(r.sum_len_sq,
        {"sum_len_sq", "", Hint::kNumber,
         "Sum over documents of length squared, all ranks; 0 = synthetic tokens, whole sequences."});
  visit(r.step_time_ms,
        {"step_time_ms", "ms", Hint::kMilliseconds, "Wall time of the step, maximum over ranks."});
  visit(r.data_wait_ms, {"data_wait_ms", "ms", Hint::kMilliseconds, "Time rank 0 waited for its batch."});
  visit(r.forward_ms, {"forward_ms", "ms", Hint::kMilliseconds,
                       "Rank 0 computed the forward pass of embedding and blocks, all micro-steps, waits for "
                       "communication left out."});
  visit(r.backward_ms,
        {"backward_ms", "ms", Hint::kMilliseconds,
         "... head and loss (their forward and backward are one pass) and the backward pass of the rest."});
  visit(r.optimizer_ms, {"optimizer_ms", "ms", Hint::kMilliseconds, "... gradient norm and AdamW."});
  visit(r.exposed_comm_ms, {"exposed_comm_ms", "ms", Hint::kMilliseconds,
                            "Rank 0 waited for communication instead of computing; a wait for nothing counts "
                            "about 3 us on a GPU."});
  visit(r.tokens_per_s, {"tokens_per_s", "1/s", Hint::kNumber, "tokens / step time, all ranks."});
  visit(r.mfu, {"mfu", "", Hint::kRatio,
                "Model FLOPs (6N + causal attention) per second over the device peak; null if unknown.",
                Absent::kNull});
  visit(r.memory_bytes, {"memory_bytes", "B", Hint::kBytes,
                         "Peak device memory so far on rank 0 (resident set on the CPU)."});
  visit(r.begin_ns,
        {"begin_ns", "ns", Hint::kNanoseconds, "Monotonic clock of rank 0's node at the start of the step."});
  visit(r.end_ns, {"end_ns", "ns", Hint::kNanoseconds, "... at its end."});
  visit(r.measured, {"measured", "", Hint::kFlag,
                     "False for warm-up steps, also those after a resumption: no figure counts them."});
}

template <typename V, Of<Training> R>
void rows(V& visit, R& r) {
  visit(r.model, {"model", "", Hint::kText, "Name of the model."});
  visit(r.parameters, {"parameters", "", Hint::kCount, "All parameters."});
  visit(r.matmul_parameters,
        {"matmul_parameters", "", Hint::kCount, "Parameters in matrix products (no input embedding)."});
  visit(r.precision, {"precision", "", Hint::kText, "bf16 or fp32."});
  visit(r.sharding, {"sharding", "", Hint::kText, "none, optimizer, gradients, full or hybrid."});
  visit(r.sharding_reason, {"sharding_reason", "", Hint::kText, "Why: set, or what the planner saw."});
  visit(r.resident_blocks,
        {"resident_blocks", "", Hint::kCount, "Blocks whose gathered weights exist at once (full, hybrid)."});
  visit(r.offload, {"offload", "", Hint::kText, "none, or optimizer: its state in host memory."});
  visit(r.communication, {"communication", "", Hint::kText,
                          "What the device runs for a block's collectives, read from a captured graph: "
                          "kernels with their thread blocks, or copy engine."});
  visit(r.recompute, {"recompute", "", Hint::kText,
                      "What the backward pass computed again: none, or some of norms,swiglu,blocks."});
  visit(r.attention_kernel, {"attention_kernel", "", Hint::kText,
                             "Kernel that ran: cudnn, cudnn-varlen, flash-varlen, reference."});
  visit(r.gemm, {"gemm", "", Hint::kText, "How the GEMM algorithms were chosen."});
  visit(r.cuda_graph,
        {"cuda_graph", "", Hint::kText, "replayed, or why the steps were launched kernel by kernel."});
  visit(r.seq_len, {"seq_len", "", Hint::kCount, "Tokens per sequence."});
  visit(r.micro_batch, {"micro_batch", "", Hint::kCount, "Sequences per rank and micro-step."});
  visit(r.grad_accumulation, {"grad_accumulation", "", Hint::kCount, "Micro-steps per optimizer step."});
  visit(r.world, {"world", "", Hint::kCount, "Ranks."});
  visit(r.flops_per_token_causal, {"flops_per_token_causal", "FLOP", Hint::kNumber,
                                   "6 N_matmul + 6 L d s, s = seq_len: causal attention counts half. Reports "
                                   "put in the real lengths by sum_len_sq."});
  visit(r.flops_per_token_full, {"flops_per_token_full", "FLOP", Hint::kNumber,
                                 "6 N_matmul + 12 L d s: the PaLM appendix B convention."});
  visit(r.peak_tflops, {"peak_tflops", "TFLOP/s", Hint::kNumber,
                        "Dense BF16 peak of one device; null if unknown.", Absent::kNull});
  visit(r.dataset, {"dataset", "", Hint::kText, "Name of the dataset, or synthetic."});
  visit(r.dataset_hash, {"dataset_hash", "", Hint::kText, "Hash of the packed dataset's index."});
  visit(r.tokenizer_hash,
        {"tokenizer_hash", "", Hint::kText, "Hash of the tokenizer's file that it was prepared with."});
  visit(r.init, {"init", "", Hint::kText, "random(seed) or the checkpoint folder."});
  visit(r.steps, {"steps", "", Hint::kCount, "Optimizer steps done."});
  visit(r.warmup, {"warmup", "", Hint::kCount, "Of them not measured."});
}

template <typename V, Of<Rank> R>
void rows(V& visit, R& r) {
  visit(r.gpu, {"gpu", "", Hint::kCount, "NVML index; -1 on the CPU."});
  visit(r.step_time_ms_median, {"step_time_ms_median", "ms", Hint::kMilliseconds,
                                "Median of this rank's own step time, measured steps.", Absent::kNull});
  visit(r.peak_memory_bytes,
        {"peak_memory_bytes", "B", Hint::kBytes, "Peak device memory (resident set on the CPU)."});
  visit(r.predicted_memory_bytes,
        {"predicted_memory_bytes", "B", Hint::kBytes, "What the planner predicted for it."});
}

template <typename V, Of<Phases> R>
void rows(V& visit, R& r) {
  visit(r.steps, {"steps", "", Hint::kCount, "Measured steps that the medians are over."});
  visit(r.step_ms, {"step_ms", "ms", Hint::kMilliseconds, "Median of this rank's own step time."});
  visit(r.forward_ms, {"forward_ms", "ms", Hint::kMilliseconds, "Median of this rank's step.forward_ms."});
  visit(r.backward_ms, {"backward_ms", "ms", Hint::kMilliseconds, "Median of this rank's step.backward_ms."});
  visit(r.optimizer_ms,
        {"optimizer_ms", "ms", Hint::kMilliseconds, "Median of this rank's step.optimizer_ms."});
  visit(r.exposed_comm_ms,
        {"exposed_comm_ms", "ms", Hint::kMilliseconds, "Median of this rank's step.exposed_comm_ms."});
}

template <typename V, Of<Trace> R>
void rows(V& visit, R& r) {
  visit(r.events, {"events", "", Hint::kText,
                   "Chrome trace events (array) of one step launched kernel by kernel after the last; ts and "
                   "dur in us from its start."});
}

SXB_RECORD_KIND(Step)
SXB_RECORD_KIND(Training)
SXB_RECORD_KIND(Rank)
SXB_RECORD_KIND(Phases)
SXB_RECORD_KIND(Trace)

}  // namespace sxb::record
