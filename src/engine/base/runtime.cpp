// Includes torch: no fmt, spdlog or json here.
#include "engine/base/runtime.h"

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

namespace sxb::engine {

std::string torch_version() { return TORCH_VERSION; }

std::string cudnn_version() {
  const auto& hooks = at::detail::getCUDAHooks();
  if (!hooks.hasCUDA() || !hooks.compiledWithCuDNN()) return "";
  const long version = hooks.versionRuntimeCuDNN();
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

void set_intra_op_threads(int threads) { at::set_num_threads(threads); }

int cuda_error_of(const std::exception& error) {
  const auto* accelerator = dynamic_cast<const c10::AcceleratorError*>(&error);
  return accelerator == nullptr ? 0 : accelerator->get_error_code();
}

bool is_gpu_out_of_memory(const std::exception& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
}

}  // namespace sxb::engine
