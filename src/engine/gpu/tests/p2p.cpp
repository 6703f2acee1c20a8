// Copies between each two GPUs of a node by their copy engines: read (the reader's engine) and write (the
// writer's), one way and both ways at once, and the latency of a load.
//
// The rank of the GPU whose figure it is drives both ends: it sees the other GPUs of its node behind its own
// (launch/agent_task.cpp). A peer's memory mapped through CUDA IPC is no substitute: GPUs that read from each
// other at once then reach 4 % less (373.5 instead of 389.5 GB/s on H200). Ranks take turns.
#include <array>
#include <cstring>
#include <memory>

#include "base/units.h"
#include "engine/gpu/device/cuda.h"
#include "engine/gpu/tests/chase.h"
#include "engine/gpu/tests/test.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {
namespace {

namespace cuda = kernels::cuda;

/// As which CUDA device a rank sees its own GPU.
constexpr int kOwn = 0;

/// The current device, until this ends.
class OnDevice {
 public:
  explicit OnDevice(int device) { SXB_CUDA(cudaSetDevice(device)); }
  ~OnDevice() { cudaSetDevice(kOwn); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
};

/// How a rank's peers find its GPU.
struct Address {
  std::array<char, 32> bus{};
  int gpu = 0;  ///< NVML index
};

struct Peer {
  int gpu = 0;
  int device = -1;
  std::string why;  ///< it cannot be reached; empty = it can
};

/// Where copies begin and end on one GPU.
struct End {
  explicit End(std::int64_t bytes) : source(bytes), target(bytes) {}
  DeviceMemory source, target;
  CudaStream stream;
};

std::unique_ptr<End> end_on(int device, std::int64_t bytes) {
  const OnDevice there(device);
  return std::make_unique<End>(bytes);
}

void enable_access(int from, int to) {
  const OnDevice there(from);
  const cudaError_t error = cudaDeviceEnablePeerAccess(to, 0);
  if (error == cudaErrorPeerAccessAlreadyEnabled) {
    static_cast<void>(cudaGetLastError());  // an answer, not an error of a later call
  } else {
    SXB_CUDA(error);
  }
}

Peer find(const Address& address) {
  Peer peer{address.gpu, -1, ""};
  if (cudaDeviceGetByPCIBusId(&peer.device, address.bus.data()) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    peer.why = std::string("this rank does not see the GPU at ") + address.bus.data();
    return peer;
  }
  int there = 0, back = 0;
  SXB_CUDA(cudaDeviceCanAccessPeer(&there, kOwn, peer.device));
  SXB_CUDA(cudaDeviceCanAccessPeer(&back, peer.device, kOwn));
  if (there == 0 || back == 0) {
    peer.why = "the driver allows no peer access between the two (nvidia-smi topo -p2p r)";
    return peer;
  }
  enable_access(kOwn, peer.device);
  enable_access(peer.device, kOwn);
  return peer;
}

class P2p {
 public:
  explicit P2p(Context& context)
      : context_(context),
        bytes_(context.suite.bytes),
        shape_(format_bytes(bytes_)),
        own_(bytes_),
        wrong_(own_.stream) {}

  void run() {
    const std::vector<Peer> peers = connect();  // all ranks at once: a context on every GPU takes time
    context_.ranks.in_turn([&] {
      for (const Peer& peer : peers) measure(peer);
    });
  }

 private:
  enum class Direction { kRead, kWrite };

  std::vector<Peer> connect() {
    Address mine;
    SXB_CUDA(cudaDeviceGetPCIBusId(mine.bus.data(), static_cast<int>(mine.bus.size()), kOwn));
    mine.gpu = context_.task.gpu;
    std::vector<char> text(sizeof mine);
    std::memcpy(text.data(), &mine, sizeof mine);
    const auto all = context_.ranks.exchange(text);
    std::vector<Peer> peers;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      if (rank == static_cast<std::size_t>(context_.ranks.local_rank())) continue;
      Address address;
      std::memcpy(&address, all[rank].data(), sizeof address);
      peers.push_back(find(address));
    }
    return peers;
  }

  void measure(const Peer& peer) {
    if (!peer.why.empty()) return context_.waive("p2p", peer.why, peer.gpu);
    const std::unique_ptr<End> other = end_on(peer.device, bytes_);
    fill(own_.source, kOwnSeed);
    fill(other->source, kPeerSeed);
    own_.stream.synchronize();
    for (const bool both : {false, true}) {
      for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
        measure_copies(peer, *other, direction, both);
      }
    }
    Figure latency = chase_latency("p2p_latency", "a load from the peer's memory", other->target.data());
    latency.peer = peer.gpu;
    context_.emit(latency);
  }

  void measure_copies(const Peer& peer, End& other, Direction direction, bool both) {
    clear(own_.target);
    clear(other.target);
    own_.stream.synchronize();
    // Who reads has its own engine fetch; who writes, its own engine send.
    const bool reads = direction == Direction::kRead;
    const auto copy = [&] { reads ? pull(own_, other) : push(own_, other); };
    const auto copy_back = [&] { reads ? pull(other, own_) : push(other, own_); };
    const Runs runs = repeat(context_.suite, [&] {
      return both ? both_seconds(other, copy, copy_back)
                  : gated_seconds(gate_, own_.stream, kCopiesPerRun, copy);
    });
    if (reads || both) check(own_.target, kPeerSeed);
    if (!reads || both) check(other.target, kOwnSeed);
    context_.emit({std::string("p2p_") + (both ? "bidir_" : "") + (reads ? "read" : "write"), shape_, "GB/s",
                   runs.rates(static_cast<double>(bytes_), 1e9), runs.stable, wrong_.take(), peer.gpu});
  }

  /// Seconds of a copy of this GPU while the peer's engine does the same towards it. The peer's begin with
  /// the first that is timed, and are more, so that none of them runs alone.
  double both_seconds(const End& other, const std::function<void()>& copy,
                      const std::function<void()>& copy_back) {
    copy();
    copy_back();
    own_.stream.synchronize();
    other.stream.synchronize();
    CudaEvent begin, end;
    ClosedGate closed(gate_, own_.stream);
    copy();
    begin.record(own_.stream);
    begin.block(other.stream);
    for (int i = 0; i < kCopiesPerRun; ++i) copy();
    end.record(own_.stream);
    for (int i = 0; i < kCopiesPerRun + 1; ++i) copy_back();
    closed.open();
    end.synchronize();
    other.stream.synchronize();
    return begin.seconds_to(end) / kCopiesPerRun;
  }

  /// By the engine of `reader`.
  void pull(const End& reader, const End& from) { copy(reader.target, from.source, reader.stream); }
  /// By the engine of `writer`.
  void push(const End& writer, const End& to) { copy(to.target, writer.source, writer.stream); }
  void copy(const DeviceMemory& to, const DeviceMemory& from, cudaStream_t stream) {
    SXB_CUDA(cudaMemcpyAsync(to.data(), from.data(), static_cast<std::size_t>(bytes_),
                             cudaMemcpyDeviceToDevice, stream));
  }

  // This GPU fills and checks the peer's memory too.
  void fill(const DeviceMemory& memory, std::uint64_t seed) {
    check_launch(cuda::pattern_fill(memory.data(), bytes_, seed, own_.stream), "pattern_fill");
  }
  void clear(const DeviceMemory& memory) {
    SXB_CUDA(cudaMemsetAsync(memory.data(), 0, static_cast<std::size_t>(bytes_), own_.stream));
  }
  void check(const DeviceMemory& memory, std::uint64_t seed) {
    check_launch(cuda::pattern_check(memory.data(), bytes_, seed, wrong_.device(), own_.stream),
                 "pattern_check");
  }

  static constexpr std::uint64_t kOwnSeed = 1, kPeerSeed = 2;

  Context& context_;
  const std::int64_t bytes_;
  const std::string shape_;
  End own_;
  Gate gate_;
  WrongCounter wrong_;
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
