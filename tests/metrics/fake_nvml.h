// The script of the fake NVML library (fake_nvml.cpp): a test opens the same library with dlopen, takes
// `fake_nvml_script()` from it and sets what the functions answer. Atomic, since the sampler's thread reads.
// Programs that load it by its name get gpus, lose_gpu and lose_after_reads from the environment:
// SXB_FAKE_NVML = "4", or "4:1:0" to lose GPU 1 at once.
#pragma once

#include <atomic>

namespace sxb::metrics::fake {

inline constexpr int kMaxGpus = 4;

struct Script {
  std::atomic<int> init_result{0};
  std::atomic<int> gpus{2};
  std::atomic<bool> gpm{true};
  std::atomic<int> gpm_tensor_result{0};  ///< of the tensor metric alone
  std::atomic<bool> gpm_empty{false};     ///< spans without new counters: 0, 0, NaN
  std::atomic<int> energy_reads{0};       ///< of all GPUs
  std::atomic<bool> nvswitch{false};      ///< links lead to switches instead of to the other GPU
  std::atomic<int> nvlinks{4};            ///< active links per GPU; the fake has 6, 0 = a GPU without NVLink
  std::atomic<int> temperature_result{0};
  std::atomic<int> power_instant_result{0};
  std::atomic<unsigned long long> reasons{0x4 | 0x40};
  std::atomic<int> mig{-1};              ///< mode of every GPU; -1 = a library without the function
  std::atomic<int> lost_result{15};      ///< what a lost GPU answers: NVML_ERROR_GPU_IS_LOST
  std::atomic<int> lose_gpu{-1};         ///< NVML_ERROR_GPU_IS_LOST from this GPU after ...
  std::atomic<int> lose_after_reads{0};  ///< ... so many answers about its power
  std::atomic<int> refuse_gpu{-1};       ///< this GPU is lost already: there is no handle of it
  std::atomic<int> power_reads[kMaxGpus]{};
  std::atomic<int> open_samples{0};  ///< GPM buffers not freed
  std::atomic<int> sessions{0};      ///< nvmlInit less nvmlShutdown
};

}  // namespace sxb::metrics::fake

extern "C" sxb::metrics::fake::Script* fake_nvml_script();
