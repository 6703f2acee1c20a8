// The tests and the burn on real GPUs: figures exist, data are right, and what is broken on purpose is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/gpu/burn/burn.h"
#include "engine/gpu/product/gemm_case.h"
#include "engine/gpu/suite.h"
#include "engine/kernels/bench_pattern.h"
#include "engine/support/gpu_ranks.h"
#include "on_node.h"

namespace sxb::engine::gpu {
namespace {

using ::testing::HasSubstr;

/// `body` as the ranks of one node, one process per GPU, which sees the others behind its own as in a run.
void on_gpu_node(
    const plan::Task& what,
    const std::function<void(const plan::RankTask&, rank::NodeRanks&, const Emitter&, Records&)>& body) {
  const int port = free_port();
  on_every_gpu([&](int rank, int world) {
    std::string visible = std::to_string(rank);
    for (int other = 0; other < world; ++other) {
      if (other != rank) visible += "," + std::to_string(other);
    }
    setenv("CUDA_VISIBLE_DEVICES", visible.c_str(), 1);
    auto options = local_rendezvous(rank, world, port);
    options.timeout = std::chrono::seconds(60);
    comm::Rendezvous rendezvous(options);
    plan::RankTask task;
    task.task = what;
    task.node = "node";
    task.rank = task.local_rank = task.gpu = rank;
    task.world = task.local_world = world;
    task.cuda = true;
    rank::NodeRanks ranks(rendezvous, task);
    Records records;
    body(task, ranks, Emitter(&Records::add, &records), records);
  });
}

plan::Task suite(std::vector<std::string> names) {
  plan::Task task;
  task.phase = plan::Phase::kGpu;
  task.gpu.tests = std::move(names);
  task.gpu.bytes = 64 << 20;
  task.gpu.max_runs = 5;
  return task;
}

/// Every figure that is not waived has a value and right data; `expected` are there.
void expect_figures(const Records& records, const std::vector<std::string>& expected) {
  std::vector<std::string> found;
  for (const Json& figure : records.of("gpu_bench")) {
    if (figure.contains("waived")) continue;
    found.push_back(figure["test"]);
    EXPECT_GT(figure["value"].get<double>(), 0) << figure;
    if (!figure["wrong"].is_null()) {
      EXPECT_EQ(figure["wrong"], 0) << figure;
    }
  }
  for (const std::string& name : expected) EXPECT_THAT(found, ::testing::Contains(name));
}

void run_tests(std::vector<std::string> names, const std::vector<std::string>& expected) {
  on_gpu_node(suite(std::move(names)),
              [&](const auto& task, auto& ranks, const auto& emitter, auto& records) {
                run_suite(task, facts_of(task), ranks, emitter);
                expect_figures(records, expected);
              });
}

TEST(GpuSuite, Memory) {
  run_tests({"hbm"}, {"hbm_copy_sm", "hbm_copy_ce", "hbm_read", "hbm_write", "hbm_triad"});
}
TEST(GpuSuite, HostDevice) { run_tests({"host_device"}, {"h2d", "d2h", "h2d_bidir", "d2h_bidir"}); }
TEST(GpuSuite, Latency) { run_tests({"latency"}, {"launch", "launch_wait", "host_latency"}); }
TEST(GpuSuite, Attention) { run_tests({"attention"}, {"attention_forward", "attention_backward"}); }
TEST(GpuSuite, Gemm) {
  run_tests({"gemm"}, {"gemm_bf16", "gemm_fp16", "gemm_tf32", "gemm_fp32", "gemm_fp64", "gemm_fp8"});
}

TEST(GpuSuite, PeerToPeer) {
  on_gpu_node(suite({"p2p"}), [&](const auto& task, auto& ranks, const auto& emitter, auto& records) {
    if (task.world < 2) {
      EXPECT_THROW(run_suite(task, facts_of(task), ranks, emitter), EngineError);
      return;
    }
    run_suite(task, facts_of(task), ranks, emitter);
    expect_figures(records, {"p2p_read", "p2p_write", "p2p_latency", "p2p_bidir_read", "p2p_bidir_write"});
    std::size_t reads = 0;
    for (const Json& figure : records.of("gpu_bench")) reads += figure["test"] == "p2p_read" ? 1u : 0u;
    EXPECT_EQ(reads, static_cast<std::size_t>(task.world - 1));
  });
}

/// On the first GPU, in a process of its own.
void on_one_gpu(const std::function<void()>& body) {
  const int code = exit_code_of(start_child([&] {
    SXB_CUDA(cudaSetDevice(0));
    body();
    return ::testing::Test::HasFailure() ? 1 : 0;
  }));
  EXPECT_EQ(code, 0);
}

TEST(ProductCheck, FindsAFlippedBitInEveryPrecision) {
  on_one_gpu([] {
    const CudaStream stream;
    const Blas blas;
    for (const Numeric numeric :
         {Numeric::kBf16, Numeric::kFp16, Numeric::kTf32, Numeric::kFp32, Numeric::kFp64, Numeric::kFp8}) {
      GemmCase product(blas, numeric, {512, 768, 1024}, 3, stream);
      product.run(blas, stream);
      EXPECT_EQ(product.count_wrong(stream), 0) << name_of(numeric);
      SXB_CUDA(cudaMemsetAsync(product.result(), 0x7f, 64,
                               stream));  // the first row is one of those that are checked
      EXPECT_GT(product.count_wrong(stream), 0) << name_of(numeric);
    }
  });
}

TEST(Compare, TellsTheFirstWordThatDiffers) {
  on_one_gpu([] {
    constexpr std::int64_t kBytes = 1 << 20;
    const CudaStream stream;
    const DeviceMemory a(kBytes), b(kBytes), seen(sizeof(kernels::cuda::Mismatch));
    for (const DeviceMemory* memory : {&a, &b}) {
      check_launch(kernels::cuda::pattern_fill(memory->data(), kBytes, 5, stream), "fill");
    }
    SXB_CUDA(cudaMemsetAsync(seen.data(), 0, sizeof(kernels::cuda::Mismatch), stream));
    const auto compare = [&](unsigned long long result) {
      check_launch(kernels::cuda::compare(a.data(), b.data(), kBytes, result,
                                          seen.as<kernels::cuda::Mismatch>(), stream),
                   "compare");
      kernels::cuda::Mismatch found{};
      SXB_CUDA(cudaMemcpyAsync(&found, seen.data(), sizeof found, cudaMemcpyDeviceToHost, stream));
      stream.synchronize();
      return found;
    };
    EXPECT_EQ(compare(1).count, 0u);
    check_launch(kernels::cuda::flip_bit(b.data(), 777, stream), "flip");
    const kernels::cuda::Mismatch found = compare(2);
    EXPECT_EQ(found.count, 1u);
    EXPECT_EQ(found.result, 2u);
    EXPECT_EQ(found.offset, 777u);
    EXPECT_EQ(found.expected, kernels::bench_word(777, 5));
    EXPECT_EQ(found.found, found.expected ^ (1u << 13));
  });
}

TEST(MemoryRead, SeesEveryWord) {
  on_one_gpu([] {
    constexpr std::int64_t kBytes = (1 << 20) + 16;  // the last block has one word of 16 bytes
    const CudaStream stream;
    const DeviceMemory data(kBytes), sums(kernels::cuda::kReadSlots * sizeof(unsigned));
    const auto read = [&] {
      std::vector<unsigned> slots(kernels::cuda::kReadSlots);
      SXB_CUDA(cudaMemsetAsync(sums.data(), 0, slots.size() * sizeof(unsigned), stream));
      check_launch(kernels::cuda::memory_read(data.data(), kBytes, sums.as<unsigned>(), stream), "read");
      SXB_CUDA(cudaMemcpyAsync(slots.data(), sums.data(), slots.size() * sizeof(unsigned),
                               cudaMemcpyDeviceToHost, stream));
      stream.synchronize();
      unsigned all = 0;
      for (const unsigned slot : slots) all ^= slot;
      return all;
    };
    check_launch(kernels::cuda::pattern_fill(data.data(), kBytes, 9, stream), "fill");
    EXPECT_EQ(read(), kernels::bench_xor(kBytes, 9));
    for (const std::int64_t word : {std::int64_t{0}, std::int64_t{777}, kBytes / 4 - 1}) {
      check_launch(kernels::cuda::flip_bit(data.data(), word, stream), "flip");
      EXPECT_NE(read(), kernels::bench_xor(kBytes, 9)) << word;
      check_launch(kernels::cuda::flip_bit(data.data(), word, stream), "flip back");
    }
    EXPECT_EQ(read(), kernels::bench_xor(kBytes, 9));
  });
}

plan::Task burn(const char* precision) {
  plan::Task task;
  task.phase = plan::Phase::kBurn;
  task.burn.precision = precision;
  task.burn.size = 2048;
  task.burn.streams = 3;
  task.burn.duration_s = 2;
  task.burn.memory_pct = 10;
  return task;
}

TEST(GpuBurn, RepeatsBitForBitInEveryPrecision) {
  for (const char* precision : {"bf16", "fp8", "fp32", "fp64"}) {
    on_gpu_node(burn(precision), [&](const auto& task, auto& ranks, const auto& emitter, auto& records) {
      const auto device = make_cuda_burn(task.task.burn);
      run_burn(task, *device, ranks, emitter);
      const auto seconds = records.of("burn");
      ASSERT_GE(seconds.size(), 2u);
      for (const Json& second : seconds) {
        EXPECT_GT(second["tflops"].get<double>(), 0) << precision;
        EXPECT_EQ(second["mismatches"], 0) << precision;
      }
      EXPECT_EQ(seconds.front()["memory_bytes"], seconds.back()["memory_bytes"]) << "memory grows";
    });
  }
}

}  // namespace
}  // namespace sxb::engine::gpu
