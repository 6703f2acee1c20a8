// Burn of a CPU rank: one product after the other, whatever the number of streams.
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "engine/gpu/burn/burn.h"
#include "engine/gpu/product/host_product.h"

namespace sxb::engine::gpu {
namespace {

class HostBurn final : public BurnDevice {
 public:
  explicit HostBurn(const plan::Burn& burn)
      : n_(burn.size),
        x_(host_operand(n_ * n_, 1)),
        w_(host_operand(n_ * n_, 2)),
        first_(x_.size()),
        results_(static_cast<std::size_t>(burn.streams), std::vector<float>(x_.size())) {
    host_product(first_.data(), x_.data(), w_.data(), n_);
  }

  double flops_per_product() const override {
    return 2.0 * static_cast<double>(n_ * n_) * static_cast<double>(n_);
  }
  int streams() const override { return static_cast<int>(results_.size()); }
  void enqueue(int stream, int count) override {
    for (int i = 0; i < count; ++i) {
      std::vector<float>& y = results_[static_cast<std::size_t>(stream)];
      host_product(y.data(), x_.data(), w_.data(), n_);
      compare(y);
      ++done_;
    }
  }
  void wait_for_older(int) override {}
  void finish() override {}
  Mismatches mismatches() override { return seen_; }
  std::int64_t memory_bytes() override {
    std::ifstream file("/proc/self/statm");
    std::int64_t total = 0, resident = 0;
    file >> total >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
  }

 private:
  void compare(const std::vector<float>& y) {
    if (std::memcmp(y.data(), first_.data(), y.size() * sizeof(float)) == 0) return;
    for (std::size_t i = 0; i < y.size(); ++i) {
      std::uint32_t expected = 0, found = 0;
      std::memcpy(&expected, &first_[i], sizeof expected);
      std::memcpy(&found, &y[i], sizeof found);
      if (expected == found) continue;
      if (seen_.count++ == 0) seen_ = {1, done_, static_cast<std::int64_t>(i), expected, found};
    }
  }

  const std::int64_t n_;
  const std::vector<float> x_, w_;
  std::vector<float> first_;
  std::vector<std::vector<float>> results_;
  std::int64_t done_ = 0;
  Mismatches seen_;
};

}  // namespace

std::unique_ptr<BurnDevice> make_host_burn(const plan::Burn& burn) {
  return std::make_unique<HostBurn>(burn);
}

}  // namespace sxb::engine::gpu
