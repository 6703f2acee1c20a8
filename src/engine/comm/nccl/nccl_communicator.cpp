// Collectives on GPU memory over raw NCCL: own communicator, own stream for the host-side helpers.
#include <nccl.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <exception>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/base/cuda.h"
#include "engine/comm/communicator.h"
#include "engine/comm/group.h"
#include "engine/comm/nccl/nccl_log.h"
#include "engine/comm/nccl/nccl_path.h"
#include "engine/comm/nccl/nccl_types.h"
#include "engine/comm/rendezvous.h"

/// An NCCL call of a NcclCommunicator's member function.
#define SXB_NCCL(call) check((call), #call, __LINE__)

namespace sxb::engine::comm {
namespace {

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

cudaStream_t cuda_stream(Stream stream) { return static_cast<cudaStream_t>(stream); }
std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

class NcclCommunicator final : public Communicator {
 public:
  // The private constructor that this one delegates to makes the object complete: when a later step
  // throws, the destructor runs and frees what is there.
  NcclCommunicator(Rendezvous& rendezvous, const CommunicatorOptions& options, int rank, int world,
                   bool blocking)
      : NcclCommunicator(rank, world, options.timeout) {
    const std::string key = "nccl/" + options.name;
    ncclUniqueId id;
    if (rank_ == 0) {
      SXB_NCCL(ncclGetUniqueId(&id));
      rendezvous.set(key, {id.internal, id.internal + sizeof(id.internal)});
    } else {
      const auto bytes = rendezvous.get(key);
      if (bytes.size() != sizeof(id.internal)) {
        throw EngineError("NCCL's unique id has " + std::to_string(bytes.size()) + " bytes", "nccl_error");
      }
      std::memcpy(id.internal, bytes.data(), bytes.size());
    }
    ncclConfig_t config = nccl_config(options);
    config.blocking = blocking ? 1 : 0;
    SXB_NCCL(ncclCommInitRankConfig(&comm_, world_, id, rank_, &config));
    allocate();
  }

  /// A split of `parent`.
  NcclCommunicator(NcclCommunicator& parent, int color, int key, const CommunicatorOptions& options)
      : NcclCommunicator(parent.rank_, parent.world_, options.timeout) {
    ncclConfig_t config = nccl_config(options);
    SXB_NCCL(ncclCommSplit(parent.comm_, color, key, &comm_, &config));
    SXB_NCCL(ncclCommUserRank(comm_, &rank_));
    SXB_NCCL(ncclCommCount(comm_, &world_));
    allocate();
  }

  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  // A destructor can report nothing; failures of the clean-up itself are of no consequence.
  ~NcclCommunicator() override {
    if (comm_ != nullptr) {
      // ncclCommDestroy waits for the peers, who may be gone when we are here because of an error.
      if (failed_ || std::uncaught_exceptions() > 0) {
        ncclCommAbort(comm_);
      } else {
        ncclCommDestroy(comm_);
      }
    }
  }

  int rank() const override { return rank_; }
  int world() const override { return world_; }
  const char* backend() const override { return "nccl"; }
  std::string version() const override { return nccl_version(); }

  void all_reduce(const void* send, void* recv, std::int64_t count, DType dtype, RedOp op,
                  Stream stream) override {
    SXB_NCCL(ncclAllReduce(send, recv, size(count), nccl_type(dtype), operator_of(op, dtype), comm_,
                           cuda_stream(stream)));
  }
  void all_gather(const void* send, void* recv, std::int64_t send_count, DType dtype,
                  Stream stream) override {
    SXB_NCCL(ncclAllGather(send, recv, size(send_count), nccl_type(dtype), comm_, cuda_stream(stream)));
  }
  void reduce_scatter(const void* send, void* recv, std::int64_t recv_count, DType dtype, RedOp op,
                      Stream stream) override {
    SXB_NCCL(ncclReduceScatter(send, recv, size(recv_count), nccl_type(dtype), operator_of(op, dtype), comm_,
                               cuda_stream(stream)));
  }
  void reduce(const void* send, void* recv, std::int64_t count, DType dtype, RedOp op, int root,
              Stream stream) override {
    SXB_NCCL(ncclReduce(send, recv, size(count), nccl_type(dtype), operator_of(op, dtype), root, comm_,
                        cuda_stream(stream)));
  }
  void broadcast(const void* send, void* recv, std::int64_t count, DType dtype, int root,
                 Stream stream) override {
    SXB_NCCL(ncclBroadcast(send, recv, size(count), nccl_type(dtype), root, comm_, cuda_stream(stream)));
  }
  void all_to_all(const void* send, void* recv, std::int64_t count, DType dtype, Stream stream) override {
    SXB_NCCL(ncclAlltoAll(send, recv, size(count), nccl_type(dtype), comm_, cuda_stream(stream)));
  }
  void gather(const void* send, void* recv, std::int64_t count, DType dtype, int root,
              Stream stream) override {
    SXB_NCCL(ncclGather(send, recv, size(count), nccl_type(dtype), root, comm_, cuda_stream(stream)));
  }
  void scatter(const void* send, void* recv, std::int64_t count, DType dtype, int root,
               Stream stream) override {
    SXB_NCCL(ncclScatter(send, recv, size(count), nccl_type(dtype), root, comm_, cuda_stream(stream)));
  }
  void send(const void* buffer, std::int64_t count, DType dtype, int peer, Stream stream) override {
    SXB_NCCL(ncclSend(buffer, size(count), nccl_type(dtype), peer, comm_, cuda_stream(stream)));
  }
  void recv(void* buffer, std::int64_t count, DType dtype, int peer, Stream stream) override {
    SXB_NCCL(ncclRecv(buffer, size(count), nccl_type(dtype), peer, comm_, cuda_stream(stream)));
  }

  void group_begin() override { SXB_NCCL(ncclGroupStart()); }
  void group_end() override { SXB_NCCL(ncclGroupEnd()); }
  void copy(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    if (bytes == 0) return;
    SXB_CUDA(cudaMemcpyAsync(to, from, size(bytes), cudaMemcpyDeviceToDevice, cuda_stream(stream)));
  }

  /// Polls as nccl-tests does, so that the end of short work is seen within a microsecond.
  void synchronize(Stream stream) override {
    constexpr unsigned kPollsPerCheck = 256;
    const auto deadline = std::chrono::steady_clock::now() + timeout_;
    for (unsigned polls = 1;; ++polls) {
      const cudaError_t state = cudaStreamQuery(cuda_stream(stream));
      if (state == cudaSuccess) return;
      if (state != cudaErrorNotReady) {
        failed_ = true;
        SXB_CUDA(state);
      }
      if (polls % kPollsPerCheck == 0) check_progress(deadline);
      sched_yield();  // NCCL's proxy threads may need this core
    }
  }

  void barrier() override { reduce_scalar(0, ncclSum); }
  double max_over_ranks(double value) override { return reduce_scalar(value, ncclMax); }
  double sum_over_ranks(double value) override { return reduce_scalar(value, ncclSum); }

  std::vector<char> exchange(const void* data, std::int64_t bytes) override {
    const std::int64_t all = bytes * world_;
    reserve(all);
    char* const host = host_.as<char>();
    std::memcpy(host, data, size(bytes));
    char* own = device_.as<char>() + bytes * rank_;
    SXB_CUDA(cudaMemcpyAsync(own, host, size(bytes), cudaMemcpyHostToDevice, *stream_));
    SXB_NCCL(ncclAllGather(own, device_.data(), size(bytes), ncclInt8, comm_, *stream_));
    SXB_CUDA(cudaMemcpyAsync(host, device_.data(), size(all), cudaMemcpyDeviceToHost, *stream_));
    synchronize(*stream_);
    return {host, host + all};
  }

  std::unique_ptr<Communicator> split(int color, int key, const CommunicatorOptions& options) override {
    return std::make_unique<NcclCommunicator>(*this, color, key, options);
  }

  std::shared_ptr<void> register_window(void* data, std::int64_t bytes) override {
    ncclWindow_t window = nullptr;
    SXB_NCCL(ncclCommWindowRegister(comm_, data, size(bytes), &window, NCCL_WIN_COLL_SYMMETRIC));
    if (window == nullptr) return nullptr;  // no registration at all on this system
    return {window, [comm = comm_](void* registered) {
              // After an error the process ends: withdrawing could wait for peers that are gone.
              if (std::uncaught_exceptions() > 0) return;
              ncclCommWindowDeregister(comm, static_cast<ncclWindow_t>(registered));
            }};
  }

  std::shared_ptr<void> register_buffer(void* data, std::int64_t bytes) override {
    void* handle = nullptr;
    SXB_NCCL(ncclCommRegister(comm_, data, size(bytes), &handle));
    if (handle == nullptr) return nullptr;  // no registration at all on this system
    return {handle, [comm = comm_](void* registered) {
              if (std::uncaught_exceptions() > 0) return;  // as above
              ncclCommDeregister(comm, registered);
            }};
  }

  std::string path_of(const std::function<void()>& issue, Stream stream) override {
    issue();  // NCCL connects and allocates in the first call, which a capture does not allow
    synchronize(stream);
    return captured_path(issue, cuda_stream(stream));
  }

  Choice choice_of(const std::function<void()>& issue, Stream stream) override {
    if (rank_ != 0) {  // only rank 0 writes it
      issue();
      synchronize(stream);
      return {};
    }
    const NcclLog log("TUNING");
    issue();
    synchronize(stream);
    return parse_choice(log.text());
  }

 private:
  NcclCommunicator(int rank, int world, std::chrono::milliseconds timeout)
      : rank_(rank), world_(world), timeout_(timeout) {}

  /// What the host-side helpers need.
  void allocate() {
    stream_.emplace();
    reserve(sizeof(double));
    ready_ = true;
  }

  /// Makes room for `bytes` on the device and in pinned memory.
  void reserve(std::int64_t bytes) {
    if (bytes <= reserved_) return;
    device_ = {};
    host_ = {};
    reserved_ = 0;
    device_ = DeviceMemory(bytes);
    host_ = PinnedMemory(bytes);
    reserved_ = bytes;
  }

  /// The operators that multiply first belong to a communicator and a type; made once, at the first use.
  ncclRedOp_t operator_of(RedOp op, DType dtype) {
    if (op != RedOp::kMulSum) return nccl_op(op);
    const auto known = premul_.find(dtype);
    if (known != premul_.end()) return known->second;
    Scalar scalar = nccl_scalar(dtype, premul_scalar(rank_));
    ncclRedOp_t made = ncclSum;
    SXB_NCCL(
        ncclRedOpCreatePreMulSum(&made, scalar.data(), nccl_type(dtype), ncclScalarHostImmediate, comm_));
    premul_[dtype] = made;
    return made;
  }

  void check(ncclResult_t result, const char* call, int line) {
    if (result == ncclInProgress) result = settled();
    if (result == ncclSuccess) return;
    if (ready_ && (result == ncclInvalidArgument || result == ncclInvalidUsage)) throw_refused(result, call);
    failed_ = true;
    if (result == ncclUnhandledCudaError) throw_if_gpu_is_broken(call, __FILE__, line);
    const char* detail = ncclGetLastError(comm_);
    throw EngineError(
        std::string(ncclGetErrorString(result)) + " from " + std::string(call).substr(0, 40) + " at " +
            file_name(__FILE__) + ":" + std::to_string(line) + " on rank " + std::to_string(rank_) + " of " +
            host_name() + (detail != nullptr && *detail != '\0' ? std::string(": ") + detail : ""),
        "nccl_error",
        result == ncclRemoteError
            ? "another rank has ended: its own message, earlier in the logs, says why"
            : "run again with NCCL_DEBUG=INFO in the cluster's NCCL profile; the rank's log then says more",
        ExitCode::kTaskFailed);
  }

  /// NCCL has looked at the arguments and done nothing: the communicator is as good as before.
  [[noreturn]] void throw_refused(ncclResult_t result, const char* call) {
    const char* detail = ncclGetLastError(comm_);
    throw EngineError(std::string("NCCL ") + nccl_version() + " refuses " +
                          std::string(call).substr(0, std::string_view(call).find('(')) + ": " +
                          (detail != nullptr && *detail != '\0' ? detail : ncclGetErrorString(result)),
                      "unsupported",
                      "choose another data type (-d), operator (-o) or registration (-R): FP8 needs compute "
                      "capability 9.0, symmetric windows need buffers of ncclMemAlloc (NCCL_CUMEM_ENABLE=1)",
                      ExitCode::kUsage);
  }

  /// What a call of a non-blocking communicator comes to: NCCL takes no other call before.
  ncclResult_t settled() {
    const auto deadline = std::chrono::steady_clock::now() + timeout_;
    for (;;) {
      ncclResult_t state = ncclSuccess;
      const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
      if (asked != ncclSuccess) return asked;
      if (state != ncclInProgress) return state;
      refuse_after(deadline);
      sched_yield();
    }
  }

  void check_progress(std::chrono::steady_clock::time_point deadline) {
    ncclResult_t asynchronous = ncclSuccess;
    SXB_NCCL(ncclCommGetAsyncError(comm_, &asynchronous));
    check(asynchronous, "asynchronous work", __LINE__);
    refuse_after(deadline);
  }

  void refuse_after(std::chrono::steady_clock::time_point deadline) {
    if (std::chrono::steady_clock::now() < deadline) return;
    failed_ = true;
    throw EngineError("rank " + std::to_string(rank_) + " of " + host_name() + " waited " +
                          std::to_string(timeout_.count() / 1000) + " s for a collective",
                      "collective_timeout", "another rank hangs or is gone: see the logs of the other ranks",
                      ExitCode::kTaskFailed);
  }

  double reduce_scalar(double value, ncclRedOp_t op) {
    void* const device = device_.data();
    std::memcpy(host_.data(), &value, sizeof(value));
    SXB_CUDA(cudaMemcpyAsync(device, host_.data(), sizeof(value), cudaMemcpyHostToDevice, *stream_));
    SXB_NCCL(ncclAllReduce(device, device, 1, ncclFloat64, op, comm_, *stream_));
    SXB_CUDA(cudaMemcpyAsync(host_.data(), device, sizeof(value), cudaMemcpyDeviceToHost, *stream_));
    synchronize(*stream_);
    std::memcpy(&value, host_.data(), sizeof(value));
    return value;
  }

  int rank_;
  int world_;
  std::chrono::milliseconds timeout_;
  bool ready_ = false;
  bool failed_ = false;
  ncclComm_t comm_ = nullptr;
  DeviceMemory device_;
  PinnedMemory host_;
  std::int64_t reserved_ = 0;
  std::optional<CudaStream> stream_;
  std::map<DType, ncclRedOp_t> premul_;
};

}  // namespace

std::string nccl_version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return "";
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::unique_ptr<Communicator> create_nccl_communicator(Rendezvous& rendezvous,
                                                       const CommunicatorOptions& options) {
  return std::make_unique<NcclCommunicator>(rendezvous, options, rendezvous.rank(), rendezvous.world(), true);
}

std::unique_ptr<Communicator> create_nccl_group(Rendezvous& rendezvous, const CommunicatorOptions& options,
                                                int rank, int world) {
  return std::make_unique<NcclCommunicator>(rendezvous, options, rank, world, false);
}

}  // namespace sxb::engine::comm
