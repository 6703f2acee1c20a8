// The GPU's nanosecond clock, read in a stream's turn.
#include "engine/kernels/kernels.h"

namespace sxb::kernels::cuda {
namespace {

__global__ void timestamp_kernel(std::int64_t* out) {
  unsigned long long now = 0;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  *out = static_cast<std::int64_t>(now);
}

}  // namespace

void timestamp(std::int64_t* out, Stream stream) {
  timestamp_kernel<<<1, 1, 0, static_cast<cudaStream_t>(stream)>>>(out);
}

}  // namespace sxb::kernels::cuda
