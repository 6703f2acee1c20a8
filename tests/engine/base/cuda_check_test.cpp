// What CUDA's errors become: on a cluster they are about a GPU of a node, and somebody has to do something.
#include "engine/base/cuda_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb::engine {
namespace {

using testing::HasSubstr;

struct Fault {
  cudaError_t error;
  const char* what;
  const char* help;
};

TEST(CudaErrors, SayWhatHasHappenedToTheGpuAndWhatToDo) {
  const Fault faults[] = {{cudaErrorUnknown, "fallen off the PCIe bus", "79"},
                          {cudaErrorNoDevice, "the GPU is gone", "reseat"},
                          {cudaErrorDevicesUnavailable, "taken", "exclusive"},
                          {cudaErrorECCUncorrectable, "ECC", "ROW_REMAPPER"},
                          {cudaErrorNvlinkUncorrectable, "NVLink", "nvidia-smi nvlink -e"},
                          {cudaErrorContained, "contained", "94"},
                          {cudaErrorSystemNotReady, "NVSwitch", "nvidia-fabricmanager"},
                          {cudaErrorInsufficientDriver, "driver is older", "update the driver"},
                          {cudaErrorIllegalAddress, "address", "13, 31"},
                          {cudaErrorLaunchFailure, "crashed", "sxbench burn"}};
  for (const Fault& fault : faults) {
    const EngineError error = cuda_error(fault.error, "cudaStreamQuery at x.cpp:7");
    EXPECT_EQ(error.code, "cuda_error");
    EXPECT_EQ(error.exit_code, ExitCode::kEnvironment) << fault.what;
    EXPECT_THAT(error.what(), HasSubstr(fault.what));
    EXPECT_THAT(error.what(), HasSubstr(std::string(": ") + cudaGetErrorName(fault.error)));
    EXPECT_THAT(error.what(), HasSubstr("from cudaStreamQuery at x.cpp:7"));
    EXPECT_THAT(error.help, HasSubstr(fault.help)) << fault.what;
  }
}

TEST(CudaErrors, OfTheProgramKeepCudasWords) {
  const EngineError error = cuda_error(cudaErrorInvalidValue, "cudaMemcpyAsync at y.cpp:9");
  EXPECT_STREQ(error.what(), "cudaErrorInvalidValue (invalid argument) from cudaMemcpyAsync at y.cpp:9");
  EXPECT_THAT(error.help, HasSubstr("dmesg"));
}

TEST(CudaErrors, OutOfMemoryNamesTheFlags) {
  const EngineError error = cuda_error(cudaErrorMemoryAllocation, "cudaMalloc at z.cpp:1");
  EXPECT_EQ(error.code, "out_of_memory");
  EXPECT_EQ(error.exit_code, ExitCode::kTaskFailed);
  EXPECT_THAT(error.help, HasSubstr("-e"));
}

TEST(CudaErrors, AreThrownWithTheCallAndItsPlace) {
  try {
    check_cuda(cudaErrorECCUncorrectable, "cudaEventSynchronize(event)", "/build/machine/cuda.cpp", 12);
    FAIL();
  } catch (const EngineError& error) {
    EXPECT_THAT(error.what(), HasSubstr("from cudaEventSynchronize(event) at cuda.cpp:12"));
  }
  EXPECT_NO_THROW(check_cuda(cudaSuccess, "", "", 1));
}

}  // namespace
}  // namespace sxb::engine
