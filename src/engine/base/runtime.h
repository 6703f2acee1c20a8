// The few things that the engine asks of libtorch outside training.
#pragma once

#include <exception>
#include <string>

namespace sxb::engine {

std::string torch_version();
std::string cudnn_version();  ///< "9.19.0"; empty where there is no GPU
/// Threads that one operator uses.
void set_intra_op_threads(int threads);
/// The cudaError_t that libtorch met in one of its own calls; 0 if it is another exception.
int cuda_error_of(const std::exception& error);
/// Whether libtorch's allocator found no memory on the GPU.
bool is_gpu_out_of_memory(const std::exception& error);

}  // namespace sxb::engine
