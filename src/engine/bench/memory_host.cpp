#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "engine/bench/memory.h"

namespace sxb::engine {
namespace {

/// MemAvailable of /proc/meminfo: free memory and what the kernel can reclaim.
std::int64_t memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::int64_t kib = 0;
  std::string unit;
  while (file >> key >> kib) {
    std::getline(file, unit);
    if (key == "MemAvailable:") return kib * 1024;
  }
  throw EngineError("/proc/meminfo has no MemAvailable", "no_meminfo", "", ExitCode::kEnvironment);
}

struct Free {
  void operator()(void* data) const { std::free(data); }
};

class HostMemory final : public Memory {
 public:
  explicit HostMemory(int sharers) : sharers_(sharers) {}

  Stream stream() const override { return nullptr; }
  bool fallback() const override { return false; }
  // Half: the page cache, and Gloo's own buffers, need room too.
  std::int64_t available_bytes() const override { return memory_available() / 2 / sharers_; }

  void* allocate(std::int64_t bytes) override {
    constexpr std::int64_t kAlignment = 4096;
    const std::int64_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void* data = std::aligned_alloc(kAlignment, static_cast<std::size_t>(rounded));
    if (data == nullptr) {
      throw EngineError("out of memory: " + std::to_string(bytes) + " bytes", "out_of_memory",
                        "use a smaller -e");
    }
    buffers_.emplace_back(data);
    return data;
  }

  void poison(void* data, std::int64_t bytes) override {
    if (bytes > 0) std::memset(data, kPoisonByte, static_cast<std::size_t>(bytes));
  }
  void fill(void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int rank) override {
    kernels::cpu::verify_fill(data, count, pattern, rank, 0);
  }
  void expect_reduced(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern,
                      std::int64_t first) override {
    wrong_ += kernels::cpu::verify_reduced(data, count, pattern, first);
  }
  void expect_copied(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int source,
                     std::int64_t first) override {
    wrong_ += kernels::cpu::verify_copied(data, count, pattern, source, first);
  }
  std::int64_t take_wrong() override { return std::exchange(wrong_, 0); }

 private:
  int sharers_;
  std::int64_t wrong_ = 0;
  std::vector<std::unique_ptr<void, Free>> buffers_;
};

}  // namespace

std::unique_ptr<Memory> make_host_memory(int sharers) { return std::make_unique<HostMemory>(sharers); }

}  // namespace sxb::engine
