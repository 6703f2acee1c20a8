#include "engine/base/cuda.h"

namespace sxb::engine {

CudaGraph::CudaGraph(cudaStream_t stream, const std::function<void()>& issue) {
  SXB_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  try {
    issue();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph_);
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
    throw;
  }
  SXB_CUDA(cudaStreamEndCapture(stream, &graph_));
}

}  // namespace sxb::engine
