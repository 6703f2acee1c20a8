// Copies between each two GPUs of a node by their copy engines: read (the reader's engine) and write (the
// writer's), one way and both ways at once, and the latency of a load.
//
// A rank sees one GPU, so a peer's memory is mapped through CUDA IPC, whose handles travel through the
// rendezvous. That keeps one rank per GPU, as NCCL's own P2P transport works, and what one process with all
// GPUs measures is the same copy by the same engine. Pairs take turns: the others wait.
#include <cstring>
#include <memory>

#include "engine/gpu/chase.h"
#include "engine/gpu/cuda.h"
#include "engine/gpu/test.h"
#include "engine/kernels/gpu_bench.h"
#include "sxbench/base/units.h"

namespace sxb::engine::gpu {
namespace {

namespace cuda = kernels::cuda;

/// What a rank offers its peers.
struct Offer {
  cudaIpcMemHandle_t to_read, to_write;
  int gpu;
};

/// A peer's buffer in this rank's address space.
class Mapping {
 public:
  explicit Mapping(const cudaIpcMemHandle_t& handle) {
    error_ = cudaIpcOpenMemHandle(&data_, handle, cudaIpcMemLazyEnablePeerAccess);
    if (error_ != cudaSuccess)
      static_cast<void>(cudaGetLastError());  // an answer, not an error of a later call
  }
  ~Mapping() {
    if (data_ != nullptr) cudaIpcCloseMemHandle(data_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  void* data() const { return data_; }
  bool ok() const { return error_ == cudaSuccess; }
  std::string why() const { return std::string("CUDA IPC: ") + cudaGetErrorString(error_); }

 private:
  void* data_ = nullptr;
  cudaError_t error_ = cudaSuccess;
};

struct Peer {
  int gpu;
  Mapping to_read, to_write;
  explicit Peer(const Offer& offer) : gpu(offer.gpu), to_read(offer.to_read), to_write(offer.to_write) {}
  bool ok() const { return to_read.ok() && to_write.ok(); }
  std::string why() const { return (to_read.ok() ? to_write : to_read).why(); }
};

/// Both directions are timed by both ranks, run by run: as many for both.
constexpr int kRunsBothWays = 7;
constexpr std::uint64_t kReadSeed = 100, kWriteSeed = 1000;

class P2p {
 public:
  explicit P2p(Context& context)
      : context_(context),
        bytes_(context.suite.bytes),
        shape_(format_bytes(bytes_)),
        to_read_(bytes_),
        to_write_(bytes_),
        own_(bytes_),
        wrong_(stream_) {
    check_launch(cuda::pattern_fill(to_read_.data(), bytes_, read_seed(rank()), stream_), "pattern_fill");
    stream_.synchronize();
  }

  void run() {
    connect();
    for (int reader = 0; reader < world(); ++reader) {
      for (int peer = 0; peer < world(); ++peer) {
        if (reader == rank() && peer != rank()) one_way(peer);
        if (reader != peer) context_.ranks.barrier();
      }
    }
    for (int a = 0; a < world(); ++a) {
      for (int b = a + 1; b < world(); ++b) {
        for (const bool write : {false, true}) both_ways(a, b, write);
      }
    }
    peers_.clear();
    context_.ranks.barrier();  // nobody frees what a peer has mapped
  }

 private:
  int rank() const { return context_.ranks.local_rank(); }
  int world() const { return context_.ranks.local_world(); }
  std::size_t size() const { return static_cast<std::size_t>(bytes_); }
  static std::uint64_t read_seed(int rank) { return kReadSeed + static_cast<std::uint64_t>(rank); }
  static std::uint64_t write_seed(int rank) { return kWriteSeed + static_cast<std::uint64_t>(rank); }

  void connect() {
    Offer mine{};
    SXB_CUDA(cudaIpcGetMemHandle(&mine.to_read, to_read_.data()));
    SXB_CUDA(cudaIpcGetMemHandle(&mine.to_write, to_write_.data()));
    mine.gpu = context_.task.gpu;
    std::vector<char> text(sizeof mine);
    std::memcpy(text.data(), &mine, sizeof mine);
    const auto all = context_.ranks.exchange(text);
    for (int r = 0; r < world(); ++r) {
      Offer offer{};
      std::memcpy(&offer, all[static_cast<std::size_t>(r)].data(), sizeof offer);
      peers_.push_back(r == rank() ? nullptr : std::make_unique<Peer>(offer));
    }
  }

  void copy(void* to, const void* from) {
    SXB_CUDA(cudaMemcpyAsync(to, from, size(), cudaMemcpyDeviceToDevice, stream_));
  }
  void read(const Peer& peer) { copy(own_.data(), peer.to_read.data()); }
  void write(const Peer& peer) { copy(peer.to_write.data(), own_.data()); }

  void emit(const char* test, const Peer& peer, std::vector<double> seconds, bool stable,
            std::int64_t wrong) {
    const Runs runs{std::move(seconds), stable};
    context_.emit(
        {test, shape_, "GB/s", runs.rates(static_cast<double>(bytes_), 1e9), stable, wrong, peer.gpu});
  }

  std::int64_t wrong_in_own(std::uint64_t seed) {
    check_launch(cuda::pattern_check(own_.data(), bytes_, seed, wrong_.device(), stream_), "pattern_check");
    return wrong_.take();
  }
  void fill_own() {
    check_launch(cuda::pattern_fill(own_.data(), bytes_, write_seed(rank()), stream_), "pattern_fill");
  }
  /// Wrong words that `reader` finds in the peer's buffer after it has written there.
  std::int64_t wrong_in_peer(const Peer& peer) {
    SXB_CUDA(cudaMemsetAsync(own_.data(), 0, size(), stream_));
    copy(own_.data(), peer.to_write.data());
    return wrong_in_own(write_seed(rank()));
  }

  void one_way(int other) {
    const Peer& peer = *peers_[static_cast<std::size_t>(other)];
    if (!peer.ok()) return context_.waive("p2p", peer.why(), peer.gpu);
    const auto time = [&](const std::function<void()>& call) {
      return repeat(context_.suite, [&] { return gated_seconds(gate_, stream_, kCopiesPerRun, call); });
    };
    Runs runs = time([&] { read(peer); });
    emit("p2p_read", peer, runs.seconds, runs.stable, wrong_in_own(read_seed(other)));
    fill_own();
    runs = time([&] { write(peer); });
    emit("p2p_write", peer, runs.seconds, runs.stable, wrong_in_peer(peer));
    Figure latency = chase_latency("p2p_latency", "a load from the peer's memory", peer.to_write.data());
    latency.peer = peer.gpu;
    context_.emit(latency);
  }

  /// Ranks a and b copy from (to) each other at the same time; each times its own copies.
  void both_ways(int a, int b, bool writes) {
    const bool takes_part = rank() == a || rank() == b;
    Peer* peer = takes_part ? peers_[static_cast<std::size_t>(rank() == a ? b : a)].get() : nullptr;
    const bool can = peer != nullptr && peer->ok();
    std::vector<double> seconds;
    if (can && writes) fill_own();
    for (int run = 0; run < kRunsBothWays; ++run) {
      context_.ranks.barrier();
      if (!can) continue;
      seconds.push_back(
          gated_seconds(gate_, stream_, kCopiesPerRun, [&] { writes ? write(*peer) : read(*peer); }));
    }
    context_.ranks.barrier();
    if (!can) return;
    const std::int64_t wrong = writes ? wrong_in_peer(*peer) : wrong_in_own(read_seed(rank() == a ? b : a));
    emit(writes ? "p2p_bidir_write" : "p2p_bidir_read", *peer, std::move(seconds), true, wrong);
  }

  Context& context_;
  const std::int64_t bytes_;
  const std::string shape_;
  DeviceMemory to_read_, to_write_, own_;
  CudaStream stream_;
  Gate gate_;
  WrongCounter wrong_;
  std::vector<std::unique_ptr<Peer>> peers_;  ///< by local rank; null at one's own
};

std::string waived(const Facts& facts) {
  if (!facts.cuda) return needs_gpu(facts);
  if (facts.mig) return "MIG is on: slices of a GPU cannot reach each other";
  return facts.local_world < 2 ? "one GPU on this node" : "";
}

}  // namespace

extern const Test kP2p;
const Test kP2p = {"p2p", waived, [](Context& context) { P2p(context).run(); }};

}  // namespace sxb::engine::gpu
