// A made-up run of the GPU micro-benchmarks and a burn: nothing in it was measured.
#pragma once

#include <filesystem>

namespace sxb::testing {

struct DeviceRunSpec {
  double slow_tflops = 560;  ///< of the last of four GPUs; the others have 700
  double mismatches = 0;     ///< of the last GPU
  double growth_bytes = 0;   ///< of the first GPU's memory, over the burn
  bool cuda = true;
  bool mixed = false;  ///< the last GPU is of another type
  int nodes = 2;
};
/// Two GPUs on each node. The suite once, a burn of four seconds once.
void make_device_run(const std::filesystem::path& folder, const DeviceRunSpec& spec = {});

}  // namespace sxb::testing
