#include "engine/gpu/device/cuda.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "base/text.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {
namespace {

/// CPUs of a list as /sys writes it: "0-15,64-79".
cpu_set_t parse_cpu_list(const std::string& list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::string& piece : split(list, ',')) {
    unsigned first = 0, last = 0;
    const int found = std::sscanf(piece.c_str(), "%u-%u", &first, &last);
    if (found < 1) continue;
    if (found == 1) last = first;
    for (unsigned cpu = first; cpu <= last && cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &set);
  }
  return set;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The calling thread runs on the CPUs of a node while it lives: the driver takes pages from there. Where
/// that is not allowed (a container's limits) pages come from wherever the kernel chooses.
class OnNumaNode {
 public:
  explicit OnNumaNode(int node) {
    if (node < 0 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t wanted =
        parse_cpu_list(first_line("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist"));
    CPU_AND(&wanted, &wanted, &before_);
    moved_ = CPU_COUNT(&wanted) > 0 && sched_setaffinity(0, sizeof wanted, &wanted) == 0;
  }
  ~OnNumaNode() {
    if (moved_) sched_setaffinity(0, sizeof before_, &before_);
  }
  OnNumaNode(const OnNumaNode&) = delete;
  OnNumaNode& operator=(const OnNumaNode&) = delete;

 private:
  cpu_set_t before_;
  bool moved_ = false;
};

}  // namespace

int gpu_numa_node() {
  std::array<char, 32> bus{};
  int device = 0;
  SXB_CUDA(cudaGetDevice(&device));
  SXB_CUDA(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), device));
  std::string address = bus.data();
  for (char& c : address) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string node = first_line("/sys/bus/pci/devices/" + address + "/numa_node");
  return node.empty() ? -1 : std::atoi(node.c_str());
}

PinnedMemory pinned_near_gpu(std::int64_t bytes) {
  const OnNumaNode here(gpu_numa_node());
  return PinnedMemory(bytes);
}

void Gate::close(cudaStream_t stream) {
  *flag_.as<volatile int>() = 0;
  check_launch(kernels::cuda::gate(flag_.as<const volatile int>(), stream), "gate");
}

std::int64_t WrongCounter::take() {
  unsigned long long wrong = 0;
  SXB_CUDA(cudaMemcpyAsync(&wrong, memory_.data(), sizeof wrong, cudaMemcpyDeviceToHost, stream_));
  SXB_CUDA(cudaStreamSynchronize(stream_));
  reset();
  return static_cast<std::int64_t>(wrong);
}

double gated_seconds(Gate& gate, const CudaStream& stream, int count, const std::function<void()>& call) {
  call();
  stream.synchronize();
  CudaEvent begin, end;
  ClosedGate closed(gate, stream);
  call();
  begin.record(stream);
  for (int i = 0; i < count; ++i) call();
  end.record(stream);
  closed.open();
  end.synchronize();
  return begin.seconds_to(end) / count;
}

double timed_seconds(const CudaStream& stream, int count, const std::function<void()>& call) {
  CudaEvent begin, end;
  begin.record(stream);
  for (int i = 0; i < count; ++i) call();
  end.record(stream);
  end.synchronize();
  return begin.seconds_to(end) / count;
}

}  // namespace sxb::engine::gpu
