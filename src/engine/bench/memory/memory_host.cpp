#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/bench/memory/memory.h"

namespace sxb::engine::bench {
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

class HostMarks final : public Marks {
 public:
  explicit HostMarks(int count) : points_(static_cast<std::size_t>(count)) {}
  void set(int index) override { points_[static_cast<std::size_t>(index)] = Clock::now(); }
  double between_us(int from, int to) override {
    const std::chrono::duration<double, std::micro> elapsed =
        points_[static_cast<std::size_t>(to)] - points_[static_cast<std::size_t>(from)];
    return elapsed.count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> points_;
};

class HostReplay final : public Replay {
 public:
  explicit HostReplay(std::function<void()> issue) : issue_(std::move(issue)) {}
  void launch() override { issue_(); }

 private:
  std::function<void()> issue_;
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
  void fill(void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int rank,
            std::int64_t first) override {
    kernels::cpu::verify_fill(data, count, pattern, rank, first);
  }

  std::unique_ptr<Marks> make_marks(int count) override { return std::make_unique<HostMarks>(count); }
  std::unique_ptr<Replay> record(const std::function<void()>& issue) override {
    return std::make_unique<HostReplay>(issue);
  }

 protected:
  void check(const Expectation& e) override {
    std::int64_t index = 0;
    const std::int64_t wrong =
        kernels::cpu::verify_count(e.data, e.count, e.pattern, e.source, e.first, &index);
    if (wrong == 0) return;
    tally_.count += wrong;
    const void* address = static_cast<const char*>(e.data) + index * dtype_size(e.pattern.dtype);
    if (tally_.first == nullptr || address < tally_.first) tally_.first = address;
  }
  Tally take_tally() override { return std::exchange(tally_, {}); }
  void read(void* to, const void* from, std::int64_t bytes) override {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }

 private:
  int sharers_;
  Tally tally_;
  std::vector<std::unique_ptr<void, Free>> buffers_;
};

}  // namespace

std::unique_ptr<Memory> make_host_memory(int sharers) { return std::make_unique<HostMemory>(sharers); }

}  // namespace sxb::engine::bench
