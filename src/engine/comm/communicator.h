// Collectives on device buffers: NCCL on GPUs, Gloo on the CPU, one interface.
//
// Engine code throws EngineError; engine.cpp turns it into a record at the border.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "sxbench/base/result.h"

namespace sxb::engine {

/// What went wrong on this rank, with the exit code and remedy that the user sees.
class EngineError : public std::runtime_error {
 public:
  EngineError(const std::string& what, std::string code, std::string help = "",
              ExitCode exit_code = ExitCode::kTaskFailed)
      : std::runtime_error(what), code(std::move(code)), help(std::move(help)), exit_code(exit_code) {}
  std::string code;  ///< stable short name, e.g. "nccl_error", "nan_loss"
  std::string help;
  ExitCode exit_code;
};

/// A cudaStream_t; nullptr on the CPU (calls are then synchronous) and for the default stream.
using Stream = void*;

enum class DType { kInt8, kUint8, kInt32, kUint32, kInt64, kUint64, kFloat16, kFloat32, kFloat64, kBFloat16 };
enum class RedOp { kSum, kProd, kMin, kMax, kAvg };

std::int64_t dtype_size(DType dtype);  ///< bytes per element

/// All counts are elements. Buffers are device memory for NCCL, host memory for Gloo. Every rank of
/// the communicator calls the same functions in the same order. Throws EngineError.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int world() const = 0;
  virtual const char* backend() const = 0;  ///< "nccl" or "gloo"
  virtual std::string version() const = 0;  ///< of the library actually loaded

  virtual void all_reduce(const void* send, void* recv, std::int64_t count, DType, RedOp, Stream) = 0;
  /// recv holds world * send_count; in place if send == recv + rank * send_count.
  virtual void all_gather(const void* send, void* recv, std::int64_t send_count, DType, Stream) = 0;
  /// send holds world * recv_count; in place if recv == send + rank * recv_count.
  virtual void reduce_scatter(const void* send, void* recv, std::int64_t recv_count, DType, RedOp, Stream) = 0;
  virtual void broadcast(const void* send, void* recv, std::int64_t count, DType, int root, Stream) = 0;
  /// send and recv hold world * count.
  virtual void all_to_all(const void* send, void* recv, std::int64_t count, DType, Stream) = 0;
  virtual void send(const void* buffer, std::int64_t count, DType, int peer, Stream) = 0;
  virtual void recv(void* buffer, std::int64_t count, DType, int peer, Stream) = 0;

  /// Host-side helpers over the rendezvous store or a small collective; they block.
  virtual void barrier() = 0;
  virtual double max_over_ranks(double value) = 0;
  virtual double sum_over_ranks(double value) = 0;
};

}  // namespace sxb::engine
