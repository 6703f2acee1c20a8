// On real GPUs: the verify kernels against their reference, and every collective over NCCL. One process
// per GPU, as in a run; the parent never touches CUDA. Label gpu; without a GPU these tests fail.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "engine/bench/collective.h"
#include "engine/bench/sweep.h"
#include "engine/comm/cuda_check.h"
#include "engine/comm/nccl_memory.h"
#include "gpu_ranks.h"

namespace sxb::engine {
namespace {

constexpr DType kAllTypes[] = {DType::kInt8,    DType::kUint8,   DType::kInt32,   DType::kUint32,
                               DType::kInt64,   DType::kUint64,  DType::kFloat16, DType::kFloat32,
                               DType::kFloat64, DType::kBFloat16};
constexpr RedOp kAllOps[] = {RedOp::kSum, RedOp::kProd, RedOp::kMin, RedOp::kMax, RedOp::kAvg};

/// Copies between host and device, finished when it returns.
std::vector<char> to_host(const void* device, std::int64_t bytes) {
  std::vector<char> host(static_cast<std::size_t>(bytes));
  SXB_CUDA(cudaMemcpy(host.data(), device, host.size(), cudaMemcpyDeviceToHost));
  return host;
}
void to_device(void* device, const std::vector<char>& host) {
  SXB_CUDA(cudaMemcpy(device, host.data(), host.size(), cudaMemcpyHostToDevice));
}

void check_kernels() {
  const auto memory = make_cuda_memory();
  const std::int64_t count = 100'003;
  void* device = memory->allocate(8 * count);
  for (const DType dtype : kAllTypes) {
    for (const RedOp op : kAllOps) {
      const kernels::VerifyPattern pattern{dtype, op, 5, 11};
      const std::int64_t bytes = count * dtype_size(dtype);
      std::vector<char> expected(static_cast<std::size_t>(bytes));
      kernels::cpu::verify_fill(expected.data(), count, pattern, 3, 0);
      memory->fill(device, count, pattern, 3);
      EXPECT_EQ(memory->take_wrong(), 0);  // also waits
      EXPECT_EQ(to_host(device, bytes), expected) << dtype_name(dtype) << " " << redop_name(op);
      memory->expect_copied(device, count, pattern, 3, 0);
      EXPECT_EQ(memory->take_wrong(), 0);

      expected[static_cast<std::size_t>(bytes / 2)] ^= 1;
      to_device(device, expected);
      memory->expect_copied(device, count, pattern, 3, 0);
      EXPECT_EQ(memory->take_wrong(), 1);
      memory->expect_reduced(device, count, pattern, 77);
      EXPECT_EQ(memory->take_wrong(), kernels::cpu::verify_reduced(expected.data(), count, pattern, 77));
    }
  }
}

TEST(NcclVerify, KernelsGiveTheBitsOfTheReference) {
  on_every_gpu([](int rank, int) {
    if (rank == 0) check_kernels();
  });
}

void keep(void* user, const char* json) {
  static_cast<std::vector<Json>*>(user)->push_back(Json::parse(json));
}

plan::CollectiveSweep sweep_of(const Collective& collective, DType dtype, RedOp op) {
  plan::CollectiveSweep sweep;
  sweep.collective = collective.name;
  sweep.dtype = dtype_name(dtype);
  sweep.redop = redop_name(op);
  sweep.min_bytes = 8;
  sweep.max_bytes = 8 << 20;
  sweep.step_factor = 32;
  sweep.iterations = 2;
  sweep.warmup = 1;
  return sweep;
}

TEST(Nccl, SweepsOfEveryCollectiveTypeAndOperatorAreExact) {
  run_nccl([&](Communicator& comm) {
    for (const Collective* collective : collectives()) {
      for (const DType dtype : kAllTypes) {
        for (const RedOp op : kAllOps) {
          if (!collective->reduces && op != RedOp::kSum) continue;
          std::vector<Json> records;
          const auto memory = make_cuda_memory();
          run_sweep(sweep_of(*collective, dtype, op), comm, *memory, Emitter(&keep, &records), false);
          if (comm.rank() != 0) continue;
          EXPECT_EQ(records.size(), 5U);  // 8 B, 256 B, 8 KiB, 256 KiB, 8 MiB
          for (const Json& record : records) {
            EXPECT_EQ(record["kind"], "collective") << record.dump();
            EXPECT_EQ(record["data"]["out_of_place"]["wrong"], 0) << record.dump();
            EXPECT_EQ(record["data"]["in_place"]["wrong"], 0) << record.dump();
          }
        }
      }
    }
  });
}

TEST(Nccl, AllToAllSendReceiveAndScalars) {
  run_nccl([](Communicator& comm) {
    const int n = comm.world();
    const int me = comm.rank();
    EXPECT_EQ(comm.max_over_ranks(-1.5 + me), -1.5 + n - 1);
    EXPECT_EQ(comm.sum_over_ranks(1), n);

    const auto memory = make_cuda_memory();
    const std::int64_t count = 1000;
    const kernels::VerifyPattern pattern{DType::kFloat32, RedOp::kMin, n, 3};
    void* send = memory->allocate(count * n * 4);
    auto* recv = static_cast<char*>(memory->allocate(count * n * 4));
    memory->poison(recv, count * n * 4);
    memory->fill(send, count * n, pattern, me);
    comm.all_to_all(send, recv, count, DType::kFloat32, memory->stream());
    comm.synchronize(memory->stream());
    for (int s = 0; s < n; ++s) memory->expect_copied(recv + s * count * 4, count, pattern, s, me * count);
    EXPECT_EQ(memory->take_wrong(), 0);

    if (n == 1) return;
    if (me == 0) comm.send(send, count, DType::kFloat32, n - 1, memory->stream());
    if (me == n - 1) {
      comm.recv(recv, count, DType::kFloat32, 0, memory->stream());
      memory->expect_copied(recv, count, pattern, 0, 0);
    }
    comm.synchronize(memory->stream());
    EXPECT_EQ(memory->take_wrong(), 0);
  });
}

TEST(NcclGroups, SplitsIntoCommunicatorsThatDoNotMix) {
  run_nccl([](Communicator& world) {
    CommunicatorOptions options;
    options.max_ctas = 4;
    const auto half = world.split(world.rank() % 2, world.rank(), options);
    double expected = 0;
    for (int r = world.rank() % 2; r < world.world(); r += 2) expected += r;
    EXPECT_EQ(half->rank(), world.rank() / 2);
    EXPECT_EQ(half->sum_over_ranks(world.rank()), expected);
    EXPECT_EQ(world.sum_over_ranks(1), world.world());
  });
}

/// The result of an all-gather between symmetric windows, under the default policy and with zero CTAs;
/// which path NCCL takes depends on the machine and is printed, not asserted.
void check_windows(Communicator& world, bool zero_cta) {
  CommunicatorOptions options;
  options.zero_cta = zero_cta;
  const auto comm = world.split(0, world.rank(), options);
  const std::int64_t count = 1 << 20;
  const kernels::VerifyPattern pattern{DType::kFloat32, RedOp::kSum, 3, 7};
  const auto memory = make_cuda_memory();
  const NcclMemory part(count * 4);
  const NcclMemory whole(count * 4 * comm->world());
  EXPECT_GE(NcclMemory::allocated_bytes(), count * 4 * (1 + comm->world()));
  const auto part_window = comm->register_window(part.data(), count * 4);
  const auto whole_window = comm->register_window(whole.data(), count * 4 * comm->world());
  memory->fill(part.data(), count, pattern, comm->rank());
  const std::string path = comm->path_of(
      [&] { comm->all_gather(part.data(), whole.data(), count, DType::kFloat32, memory->stream()); },
      memory->stream());
  if (comm->rank() == 0) std::printf("all-gather, zero CTAs %s: %s\n", zero_cta ? "asked for" : "not", path.c_str());
  EXPECT_TRUE(path.starts_with("copy engine") || path.find("nccl") != std::string::npos) << path;
  for (int r = 0; r < comm->world(); ++r) {
    memory->expect_copied(static_cast<float*>(whole.data()) + r * count, count, pattern, r, 0);
  }
  EXPECT_EQ(memory->take_wrong(), 0);
}

TEST(NcclWindows, GatherIsRightWhicheverPathItTakes) {
  run_nccl([](Communicator& world) {
    check_windows(world, false);
    check_windows(world, true);
  });
}

TEST(NcclErrors, MemoryThatIsNotThereIsNamedWithARemedy) {
  on_every_gpu([](int, int) {
    const auto memory = make_cuda_memory();
    try {
      memory->allocate(1LL << 50);
      ADD_FAILURE() << "no error";
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "out_of_memory") << error.what();
      EXPECT_NE(error.help.find("-e"), std::string::npos);
    }
  });
}

}  // namespace
}  // namespace sxb::engine
