// Collectives on device buffers: NCCL on GPUs, Gloo on the CPU, one interface.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/stream.h"
#include "engine/kernels/dtype.h"

namespace sxb::engine::comm {

/// Values of ncclConfig_t::CTAPolicy, and of nccl-tests' -x. With kCtaZero collectives between symmetric
/// windows of one NVLink domain run on the copy engines; whether they do, path_of() says.
inline constexpr int kCtaDefault = 0;
inline constexpr int kCtaEfficiency = 1;
inline constexpr int kCtaZero = 2;

/// What NCCL's tuner chose for a call, in NCCL's words: {"RING", "SIMPLE", 16}. Empty and 0 where it
/// does not tell (point-to-point, copy engines, Gloo).
struct Choice {
  std::string algorithm;
  std::string protocol;
  int channels = 0;
};

struct CommunicatorOptions {
  /// Communicators over the same ranks are told apart by name; every rank creates the same ones in
  /// the same order.
  std::string name = "world";
  /// A collective that takes longer is an error: a peer hangs.
  std::chrono::milliseconds timeout{600'000};
  /// NCCL only: ncclConfig_t::nvlinkCentricSched = 1, which nccl-tests sets; for figures that compare.
  bool nvlink_centric = false;
  /// NCCL only: CTAPolicy; one of kCta..., or -1 for NCCL's default.
  int cta_policy = -1;
  /// NCCL only: most thread blocks of a collective; 0 = NCCL chooses.
  int max_ctas = 0;
};

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
  virtual void reduce_scatter(const void* send, void* recv, std::int64_t recv_count, DType, RedOp,
                              Stream) = 0;
  /// recv is written on the root alone; so are gather's. In place if send == recv.
  virtual void reduce(const void* send, void* recv, std::int64_t count, DType, RedOp, int root, Stream) = 0;
  virtual void broadcast(const void* send, void* recv, std::int64_t count, DType, int root, Stream) = 0;
  /// send and recv hold world * count.
  virtual void all_to_all(const void* send, void* recv, std::int64_t count, DType, Stream) = 0;
  /// The root's recv holds world * count; in place if the root's send == recv + rank * count.
  virtual void gather(const void* send, void* recv, std::int64_t count, DType, int root, Stream);
  /// The root's send holds world * count; in place if the root's recv == send + rank * count.
  virtual void scatter(const void* send, void* recv, std::int64_t count, DType, int root, Stream);
  virtual void send(const void* buffer, std::int64_t count, DType, int peer, Stream) = 0;
  virtual void recv(void* buffer, std::int64_t count, DType, int peer, Stream) = 0;

  /// Calls between the two are issued together: sends and receives of any order cannot block each other,
  /// and a rank may send to itself.
  virtual void group_begin() = 0;
  virtual void group_end() = 0;
  /// On this rank alone, in the order of the stream.
  virtual void copy(void* to, const void* from, std::int64_t bytes, Stream) = 0;

  /// Waits for the work on the stream. Unlike cudaStreamSynchronize it ends with an error when a peer
  /// has died or the timeout has passed. Nothing to do on the CPU, where every call is synchronous.
  virtual void synchronize(Stream) = 0;

  /// Host-side helpers, collective themselves; they block. They do not wait for other streams.
  virtual void barrier() = 0;
  virtual double max_over_ranks(double value) = 0;
  virtual double sum_over_ranks(double value) = 0;
  /// `bytes` of host memory from every rank, in rank order. For results, not for speed.
  virtual std::vector<char> exchange(const void* data, std::int64_t bytes) = 0;

  /// Ranks of equal color become a communicator of their own, ordered by key, as MPI_Comm_split does.
  /// Collective over all ranks; `name` tells the splits of one communicator apart.
  virtual std::unique_ptr<Communicator> split(int color, int key, const CommunicatorOptions&) = 0;

  /// Offers memory of NcclMemory as a symmetric window. Collective: all ranks offer equal sizes in the
  /// same order. It is withdrawn with the returned object, which the communicator must outlive; null
  /// where there are no windows. That it succeeds does not mean that NCCL uses it: see path_of().
  virtual std::shared_ptr<void> register_window(void* data, std::int64_t bytes) {
    static_cast<void>(data), static_cast<void>(bytes);
    return nullptr;
  }

  /// Registers memory of NcclMemory for zero-copy on this rank (ncclCommRegister); as register_window.
  virtual std::shared_ptr<void> register_buffer(void* data, std::int64_t bytes) {
    static_cast<void>(data), static_cast<void>(bytes);
    return nullptr;
  }

  /// What `issue`, which queues one collective on `stream`, makes the device run, for the record:
  /// "copy engine, 4 copies", "ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL, 24 CTAs", "gloo". Runs it
  /// once, then captures it and reads the graph, so it is what NCCL really launches. Collective.
  virtual std::string path_of(const std::function<void()>& issue, Stream stream) {
    static_cast<void>(stream);
    issue();
    return backend();
  }
  /// What NCCL's tuner chooses for `issue`, by its own log, which is on for this call alone. Runs it once.
  /// Known on the communicator's rank 0, and only where the user has not taken NCCL's log for himself.
  virtual Choice choice_of(const std::function<void()>& issue, Stream) {
    issue();
    return {};
  }
};

/// One T of every rank, in rank order.
template <typename T>
std::vector<T> from_every_rank(Communicator& comm, const T& mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::vector<char> bytes = comm.exchange(&mine, sizeof(T));
  std::vector<T> all(static_cast<std::size_t>(comm.world()));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

/// Text as a part of such a T: cut to what fits before a final zero.
template <std::size_t N>
void put_text(std::array<char, N>& to, std::string_view text) {
  to = {};
  std::copy_n(text.begin(), std::min(text.size(), N - 1), to.begin());
}

class Rendezvous;

/// NCCL on the current CUDA device. Collective over all ranks of the rendezvous.
std::unique_ptr<Communicator> create_nccl_communicator(Rendezvous&, const CommunicatorOptions&);
/// Gloo on host memory, over TCP. EngineError "no_gloo" if the engine was built without Gloo.
std::unique_ptr<Communicator> create_gloo_communicator(Rendezvous&, const CommunicatorOptions&);
/// Whether this build has Gloo.
bool has_gloo();
/// Version of the NCCL library actually loaded, "2.28.9".
std::string nccl_version();

/// "float", "bfloat16", ...: the names of nccl-tests. EngineError with a suggestion if unknown.
DType parse_dtype(const std::string& name);
const char* dtype_name(DType dtype);
RedOp parse_redop(const std::string& name);
const char* redop_name(RedOp op);
/// All that NCCL has, in the order in which nccl-tests takes "all".
const std::vector<DType>& all_dtypes();
const std::vector<RedOp>& all_redops();

}  // namespace sxb::engine::comm
