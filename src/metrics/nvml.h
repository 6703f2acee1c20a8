// A loaded and initialised NVML.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "metrics/nvml_api.h"

namespace sxb::metrics {

class Nvml {
 public:
  /// dlopen and nvmlInit. Fails with kEnvironment where there is no library, driver or GPU node.
  static Result<std::shared_ptr<const Nvml>> open(const std::string& library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  const nvml::Api& api() const { return api_; }
  /// NVML's own words for a return code.
  std::string describe(nvml::Return code) const;
  /// "580.95.05"; empty if NVML does not say.
  std::string driver() const;
  int device_count() const { return device_count_; }
  Result<nvml::Device> device(int index) const;
  /// `wanted`, or all indices if it is empty.
  std::vector<int> indices(const std::vector<int>& wanted) const;

 private:
  Nvml() = default;

  void* handle_ = nullptr;
  bool initialised_ = false;
  int device_count_ = 0;
  nvml::Api api_;
};

/// "sw_power_cap|hw_thermal"; "" when nothing holds the clocks down.
std::string clock_reason_names(unsigned long long reasons);

}  // namespace sxb::metrics
