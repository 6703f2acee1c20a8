// Collectives on host memory over Debian's Gloo (TCP). Every call is synchronous.
#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/config.h>
#include <gloo/rendezvous/context.h>
#include <gloo/transport/tcp/device.h>

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "engine/comm/communicator.h"
#include "engine/comm/gloo/gloo_arithmetic.h"
#include "engine/comm/group.h"
#include "engine/comm/rendezvous.h"

namespace sxb::engine::comm {
namespace {

using Bytes = std::size_t;
using UnboundBuffer = std::unique_ptr<gloo::transport::UnboundBuffer>;

// Slots (message channels) of our own point-to-point traffic; Gloo's collectives use 0x01..0x08 in the
// top byte. Messages of one slot and peer arrive in the order in which they were sent.
constexpr std::uint64_t kScatterSlot = 0x41ULL << 56;
constexpr std::uint64_t kAllToAllSlot = 0x42ULL << 56;
constexpr std::uint64_t kSendSlot = 0x43ULL << 56;
constexpr std::uint64_t kReduceSlot = 0x44ULL << 56;

class StoreAdapter final : public gloo::rendezvous::Store {
 public:
  StoreAdapter(Rendezvous& rendezvous, std::string prefix, std::chrono::milliseconds timeout)
      : rendezvous_(rendezvous), prefix_(std::move(prefix)), timeout_(timeout) {}

  void set(const std::string& key, const std::vector<char>& data) override {
    rendezvous_.set(prefix_ + key, data);
  }
  std::vector<char> get(const std::string& key) override { return rendezvous_.get(prefix_ + key); }
  void wait(const std::vector<std::string>& keys) override { wait(keys, timeout_); }
  // Gloo passes its context's timeout, of which connect() makes something else.
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override {
    std::vector<std::string> prefixed;
    prefixed.reserve(keys.size());
    for (const auto& key : keys) prefixed.push_back(prefix_ + key);
    rendezvous_.wait(prefixed, timeout_);
  }

 private:
  Rendezvous& rendezvous_;
  std::string prefix_;
  std::chrono::milliseconds timeout_;
};

/// libtorch exports the symbols of its own, newer Gloo. Mixing the two would crash much later, so it
/// is checked that the linker bound ours.
void require_own_gloo() {
  void (*function)(const gloo::AllreduceOptions&) = &gloo::allreduce;
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(function), &info) != 0 && info.dli_fname != nullptr &&
      std::strstr(info.dli_fname, "libtorch") == nullptr) {
    return;
  }
  throw EngineError("Gloo's functions were bound to those inside libtorch", "gloo_binding",
                    "this is a defect of the build: libgloo must come before libtorch on the link line",
                    ExitCode::kEnvironment);
}

class GlooCommunicator final : public Communicator {
 public:
  /// Rank `rank` of `world` that meet under options.name, and connect within `connect_timeout`.
  GlooCommunicator(Rendezvous& rendezvous, const CommunicatorOptions& options, int rank, int world,
                   std::chrono::milliseconds connect_timeout)
      : rendezvous_(rendezvous), name_(options.name), rank_(rank), world_(world) {
    require_own_gloo();
    if (world_ > 1) guarded("connect", [&] { connect(options, connect_timeout); });
  }

  int rank() const override { return rank_; }
  int world() const override { return world_; }
  const char* backend() const override { return "gloo"; }
  std::string version() const override {
    return std::to_string(GLOO_VERSION_MAJOR) + "." + std::to_string(GLOO_VERSION_MINOR) + "." +
           std::to_string(GLOO_VERSION_PATCH);
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, DType dtype, RedOp op, Stream) override {
    const GlooReduce reduce = gloo_reduce(dtype, op);
    if (count == 0) return;
    copy(recv, send, size_of(count, dtype));  // in place is Gloo's own form, and keeps the order of sums
    gloo_premultiply(recv, count, dtype, op, rank_);
    if (world_ > 1) {
      guarded("all_reduce", [&] {
        gloo::AllreduceOptions options(context_);
        options.setAlgorithm(gloo::AllreduceOptions::Algorithm::RING);
        gloo_with_type(dtype, [&](auto zero) {
          options.setOutput(static_cast<decltype(zero)*>(recv), static_cast<std::size_t>(count));
        });
        options.setReduceFunction(reduce);
        gloo::allreduce(options);
      });
    }
    gloo_divide(recv, count, dtype, op, world_);
  }

  void all_gather(const void* send, void* recv, std::int64_t send_count, DType dtype, Stream) override {
    const Bytes bytes = size_of(send_count, dtype);
    char* out = static_cast<char*>(recv);
    copy(out + bytes * static_cast<Bytes>(rank_), send, bytes);
    if (world_ == 1 || bytes == 0) return;
    guarded("all_gather", [&] {
      gloo::AllgatherOptions options(context_);
      options.setOutput(out, bytes * static_cast<Bytes>(world_));
      gloo::allgather(options);
    });
  }

  /// Each rank sends every other rank its chunk and sums what it receives in rank order: the result
  /// does not depend on who is first.
  void reduce_scatter(const void* send, void* recv, std::int64_t recv_count, DType dtype, RedOp op,
                      Stream) override {
    const Bytes bytes = size_of(recv_count, dtype);
    scratch_.resize(bytes * static_cast<Bytes>(world_));
    if (bytes > 0) exchange_chunks("reduce_scatter", send, scratch_.data(), bytes, kScatterSlot);
    reduce_scratch(recv, recv_count, dtype, op);
  }

  void reduce(const void* send, void* recv, std::int64_t count, DType dtype, RedOp op, int root,
              Stream) override {
    const Bytes bytes = size_of(count, dtype);
    scratch_.resize(rank_ == root ? bytes * static_cast<Bytes>(world_) : 0);
    if (bytes > 0) {
      guarded("reduce", [&] {
        std::vector<UnboundBuffer> in;
        if (rank_ != root) return send_now(send, bytes, root, kReduceSlot);
        copy(scratch_.data() + bytes * static_cast<Bytes>(rank_), send, bytes);
        for (int source = 0; source < world_; ++source) {
          if (source == rank_) continue;
          in.push_back(bind(scratch_.data() + bytes * static_cast<Bytes>(source), bytes));
          in.back()->recv(source, kReduceSlot);
        }
        for (const auto& buffer : in) buffer->waitRecv();
      });
    }
    if (rank_ == root) {
      reduce_scratch(recv, count, dtype, op);
    } else {
      static_cast<void>(gloo_reduce(dtype, op));  // every rank refuses what the root refuses
    }
  }

  void broadcast(const void* send, void* recv, std::int64_t count, DType dtype, int root, Stream) override {
    const Bytes bytes = size_of(count, dtype);
    if (rank_ == root) copy(recv, send, bytes);
    if (world_ == 1 || bytes == 0) return;
    guarded("broadcast", [&] {
      gloo::BroadcastOptions options(context_);
      options.setOutput(static_cast<char*>(recv), bytes);
      options.setRoot(root);
      gloo::broadcast(options);
    });
  }

  void all_to_all(const void* send, void* recv, std::int64_t count, DType dtype, Stream) override {
    const Bytes bytes = size_of(count, dtype);
    if (bytes == 0) return;
    if (send != recv) return exchange_chunks("all_to_all", send, recv, bytes, kAllToAllSlot);
    scratch_.resize(bytes * static_cast<Bytes>(world_));
    exchange_chunks("all_to_all", send, scratch_.data(), bytes, kAllToAllSlot);
    copy(recv, scratch_.data(), scratch_.size());
  }

  void send(const void* buffer, std::int64_t count, DType dtype, int peer, Stream) override {
    queue({const_cast<void*>(buffer), size_of(count, dtype), peer, true});
  }
  void recv(void* buffer, std::int64_t count, DType dtype, int peer, Stream) override {
    queue({buffer, size_of(count, dtype), peer, false});
  }
  void group_begin() override { ++group_depth_; }
  void group_end() override {
    if (--group_depth_ == 0) run_queue();
  }
  void copy(void* to, const void* from, std::int64_t bytes, Stream) override {
    copy(to, from, static_cast<Bytes>(bytes));
  }

  void synchronize(Stream) override {}

  void barrier() override {
    if (world_ == 1) return;
    guarded("barrier", [&] {
      gloo::BarrierOptions options(context_);
      gloo::barrier(options);
    });
  }

  double max_over_ranks(double value) override { return reduce_scalar(value, RedOp::kMax); }
  double sum_over_ranks(double value) override { return reduce_scalar(value, RedOp::kSum); }

  std::vector<char> exchange(const void* data, std::int64_t bytes) override {
    std::vector<char> all(static_cast<Bytes>(bytes * world_));
    all_gather(data, all.data(), bytes, DType::kInt8, nullptr);
    return all;
  }

  std::unique_ptr<Communicator> split(int color, int key, const CommunicatorOptions& options) override {
    const std::array<std::int64_t, 2> own = {color, key};
    std::vector<std::int64_t> all(own.size() * static_cast<std::size_t>(world_));
    all_gather(own.data(), all.data(), static_cast<std::int64_t>(own.size()), DType::kInt64, nullptr);
    int rank = 0;
    int world = 0;
    for (int r = 0; r < world_; ++r) {
      const auto at = own.size() * static_cast<std::size_t>(r);
      if (all[at] != color) continue;
      ++world;
      if (std::pair(all[at + 1], r) < std::pair(own[1], rank_)) ++rank;
    }
    CommunicatorOptions of_color = options;
    of_color.name = name_ + "/" + options.name + "/" + std::to_string(color);
    return std::make_unique<GlooCommunicator>(rendezvous_, of_color, rank, world, rendezvous_.timeout());
  }

 private:
  /// A send or receive that waits for the end of its group.
  struct Transfer {
    void* data;
    Bytes bytes;
    int peer;
    bool outgoing;
  };

  void queue(const Transfer& transfer) {
    if (transfer.bytes > 0) queue_.push_back(transfer);
    if (group_depth_ == 0) run_queue();
  }

  /// All at once; those to this rank itself are copies, the first send into the first receive.
  void run_queue() {
    const std::vector<Transfer> transfers = std::exchange(queue_, {});
    std::vector<const Transfer*> from_self;
    std::vector<const Transfer*> to_self;
    guarded("send/receive", [&] {
      std::vector<std::pair<UnboundBuffer, bool>> pending;
      for (const Transfer& transfer : transfers) {
        if (transfer.peer == rank_) {
          (transfer.outgoing ? from_self : to_self).push_back(&transfer);
          continue;
        }
        pending.emplace_back(bind(transfer.data, transfer.bytes), transfer.outgoing);
        UnboundBuffer& buffer = pending.back().first;
        transfer.outgoing ? buffer->send(transfer.peer, kSendSlot) : buffer->recv(transfer.peer, kSendSlot);
      }
      for (const auto& [buffer, outgoing] : pending) {
        outgoing ? buffer->waitSend() : buffer->waitRecv();
      }
    });
    if (from_self.size() != to_self.size()) {
      throw EngineError("a rank sends to itself what it does not receive", "gloo_error",
                        "this is a defect of sxbench");
    }
    for (std::size_t i = 0; i < to_self.size(); ++i) {
      copy(to_self[i]->data, from_self[i]->data, to_self[i]->bytes);
    }
  }

  void send_now(const void* data, Bytes bytes, int peer, std::uint64_t slot) {
    const UnboundBuffer buffer = bind(data, bytes);
    buffer->send(peer, slot);
    buffer->waitSend();
  }

  /// Reduces the world_ chunks of the scratch buffer, of `count` elements each, into recv.
  void reduce_scratch(void* recv, std::int64_t count, DType dtype, RedOp op) {
    const GlooReduce reduce = gloo_reduce(dtype, op);
    const Bytes bytes = size_of(count, dtype);
    char* total = scratch_.data();
    for (int r = 0; r < world_ && bytes > 0; ++r) {
      char* chunk = total + bytes * static_cast<Bytes>(r);
      gloo_premultiply(chunk, count, dtype, op, r);
      if (r > 0) reduce(total, total, chunk, static_cast<std::size_t>(count));
    }
    gloo_divide(total, count, dtype, op, world_);
    copy(recv, total, bytes);
  }

  void connect(const CommunicatorOptions& options, std::chrono::milliseconds connect_timeout) {
    gloo::transport::tcp::attr attr;
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    if (interface != nullptr && *interface != '\0') {
      attr.iface = interface;
    } else {
      attr.hostname = rendezvous_.local_address();
    }
    auto device = gloo::transport::tcp::CreateDevice(attr);
    auto context = std::make_shared<gloo::rendezvous::Context>(rank_, world_);
    // Gloo waits five times its timeout for a connection.
    context->setTimeout(connect_timeout / 5);
    StoreAdapter store(rendezvous_, "gloo/" + options.name + "/", connect_timeout);
    context->connectFullMesh(store, device);
    context->setTimeout(options.timeout);
    context_ = context;
  }

  /// Chunk d of `send` goes to rank d, chunk s of `recv` comes from rank s; both hold world chunks.
  void exchange_chunks(const char* operation, const void* send, void* recv, Bytes bytes, std::uint64_t slot) {
    const Bytes own = bytes * static_cast<Bytes>(rank_);
    copy(static_cast<char*>(recv) + own, static_cast<const char*>(send) + own, bytes);
    if (world_ == 1) return;
    guarded(operation, [&] {
      // One buffer object per peer: Gloo allows one pending operation on each.
      std::vector<UnboundBuffer> in;
      std::vector<UnboundBuffer> out;
      for (int step = 1; step < world_; ++step) {
        const int source = (rank_ - step + world_) % world_;
        const int target = (rank_ + step) % world_;
        in.push_back(bind(static_cast<char*>(recv) + bytes * static_cast<Bytes>(source), bytes));
        in.back()->recv(source, slot);
        out.push_back(bind(static_cast<const char*>(send) + bytes * static_cast<Bytes>(target), bytes));
        out.back()->send(target, slot);
      }
      for (const auto& buffer : in) buffer->waitRecv();
      for (const auto& buffer : out) buffer->waitSend();
    });
  }

  double reduce_scalar(double value, RedOp op) {
    double result = 0;
    all_reduce(&value, &result, 1, DType::kFloat64, op, nullptr);
    return result;
  }

  UnboundBuffer bind(const void* data, Bytes bytes) {
    return context_->createUnboundBuffer(const_cast<void*>(data), bytes);
  }

  static Bytes size_of(std::int64_t count, DType dtype) {
    return static_cast<Bytes>(count * dtype_size(dtype));
  }

  static void copy(void* to, const void* from, Bytes bytes) {
    if (to != from && bytes > 0) std::memcpy(to, from, bytes);
  }

  template <typename F>
  void guarded(const char* operation, F&& f) {
    try {
      f();
    } catch (const EngineError&) {
      throw;
    } catch (const std::exception& error) {
      throw EngineError(
          "Gloo " + std::string(operation) + " failed on rank " + std::to_string(rank_) + ": " + error.what(),
          "gloo_error",
          "\"Connection closed by peer\" means that another rank has ended: its own message, earlier in "
          "the logs, says why. For a wrong interface set GLOO_SOCKET_IFNAME.");
    }
  }

  Rendezvous& rendezvous_;  // outlives the communicator: rank 0's serves the addresses
  const std::string name_;
  int rank_;
  int world_;
  std::shared_ptr<gloo::Context> context_;
  std::vector<char> scratch_;
  int group_depth_ = 0;
  std::vector<Transfer> queue_;
};

}  // namespace

bool has_gloo() { return true; }

std::unique_ptr<Communicator> create_gloo_communicator(Rendezvous& rendezvous,
                                                       const CommunicatorOptions& options) {
  return std::make_unique<GlooCommunicator>(rendezvous, options, rendezvous.rank(), rendezvous.world(),
                                            rendezvous.timeout());
}

std::unique_ptr<Communicator> create_gloo_group(Rendezvous& rendezvous, const CommunicatorOptions& options,
                                                int rank, int world) {
  return std::make_unique<GlooCommunicator>(rendezvous, options, rank, world, options.timeout);
}

}  // namespace sxb::engine::comm
