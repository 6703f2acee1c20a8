// Times every kernel of a training step at the shapes of a model, beside the composition of ATen
// operators that does the same.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "config/model/model.h"
#include "engine/comm/communicator.h"

namespace sxb::engine::kernel_bench {

struct KernelTime {
  std::string kernel;             ///< "SwiGLU forward"
  std::string shape;              ///< "16384 x 11008"
  double us = 0;                  ///< one call: median over hot calls
  double bytes = 0;               ///< the least that must cross the memory bus; 0 for products and attention
  double flops = 0;               ///< of products and attention (causal: half of the scores)
  std::optional<double> aten_us;  ///< nothing where the kernel is ATen's own
};

/// BF16 on the current GPU, micro-batches of training.micro_batch x training.seq_len whole rows. `comm`
/// has one rank; cuBLASLt's algorithms are chosen as for training.
void bench_kernels(const config::Model& model, comm::Communicator& comm,
                   const std::function<void(const KernelTime&)>& emit);

}  // namespace sxb::engine::kernel_bench
