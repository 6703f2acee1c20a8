#include "engine/gpu/tests/test.h"

namespace sxb::engine::gpu {

extern const Test kGemm;
extern const Test kGemmMax;
extern const Test kHbm;
extern const Test kHostDevice;
extern const Test kP2p;
extern const Test kLatency;
extern const Test kAttention;
extern const Test kHostGemm;
extern const Test kHostMemory;

const std::vector<const Test*>& tests() {
  static const std::vector<const Test*> list = {&kGemm,    &kGemmMax,   &kHbm,      &kHostDevice, &kP2p,
                                                &kLatency, &kAttention, &kHostGemm, &kHostMemory};
  return list;
}

}  // namespace sxb::engine::gpu
