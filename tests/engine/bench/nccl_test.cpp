// On real GPUs: the verify kernels against their reference, and every collective over NCCL. One process
// per GPU, as in a run; the parent never touches CUDA. Label gpu; without a GPU these tests fail.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "engine/base/cuda_check.h"
#include "engine/bench/collectives/collective.h"
#include "engine/bench/sweep/sweep.h"
#include "engine/comm/group.h"
#include "engine/comm/nccl/nccl_memory.h"
#include "engine/support/forwarding.h"
#include "engine/support/gpu_ranks.h"

namespace sxb::engine::bench {
namespace {

/// Copies between host and device, finished when it returns.
std::vector<char> to_host(const void* device, std::int64_t bytes) {
  std::vector<char> host(static_cast<std::size_t>(bytes));
  SXB_CUDA(cudaMemcpy(host.data(), device, host.size(), cudaMemcpyDeviceToHost));
  return host;
}
void to_device(void* device, const std::vector<char>& host) {
  SXB_CUDA(cudaMemcpy(device, host.data(), host.size(), cudaMemcpyHostToDevice));
  SXB_CUDA(cudaDeviceSynchronize());  // from pageable memory the copy returns before it has arrived
}

void check_kernels() {
  const auto memory = make_cuda_memory();
  const std::int64_t count = 100'003;
  void* device = memory->allocate(8 * count);
  for (const DType dtype : comm::all_dtypes()) {
    for (const RedOp op : comm::all_redops()) {
      const kernels::VerifyPattern pattern{dtype, op, 5, 11};
      const std::int64_t bytes = count * dtype_size(dtype);
      for (const int source : {3, kernels::kAllRanks}) {
        std::vector<char> expected(static_cast<std::size_t>(bytes));
        kernels::cpu::verify_fill(expected.data(), count, pattern, source, 7);
        memory->fill(device, count, pattern, source, 7);
        EXPECT_EQ(memory->take_wrong().count, 0);  // also waits
        EXPECT_EQ(to_host(device, bytes), expected) << comm::dtype_name(dtype) << " " << comm::redop_name(op);
        memory->expect(device, count, pattern, source, 7);
        EXPECT_EQ(memory->take_wrong().count, 0);

        const std::int64_t at = count / 2;
        expected[static_cast<std::size_t>(at * dtype_size(dtype))] ^= 1;
        to_device(device, expected);
        memory->expect(device, count, pattern, source, 7);
        const Wrong wrong = memory->take_wrong();
        EXPECT_EQ(wrong.count, 1);
        EXPECT_EQ(wrong.first, static_cast<char*>(device) + at * dtype_size(dtype));
        EXPECT_EQ(wrong.expected ^ wrong.found, 1U) << comm::dtype_name(dtype);
      }
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
  sweep.dtype = comm::dtype_name(dtype);
  sweep.redop = comm::redop_name(op);
  sweep.min_bytes = 8;
  sweep.max_bytes = 8 << 20;
  sweep.step_factor = 32;
  sweep.iterations = 2;
  sweep.warmup = 1;
  return sweep;
}

/// The rows of a sweep, all of them exact.
std::vector<Json> exact_rows(const plan::CollectiveSweep& sweep, comm::Communicator& comm) {
  std::vector<Json> records;
  {
    const auto memory = make_cuda_memory();
    run_sweep(sweep, comm, *memory, Emitter(&keep, &records), {comm.rank(), comm.rank(), 0});
  }
  std::vector<Json> rows;
  for (const Json& record : records) {
    if (record["kind"] != "collective") continue;
    rows.push_back(record["data"]);
    for (const char* placement : {"out_of_place", "in_place"}) {
      const Json& figures = rows.back()[placement];
      EXPECT_TRUE(figures["wrong"].is_null() || figures["wrong"] == 0) << record.dump();
      EXPECT_TRUE(figures["wrong_timed"].is_null() || figures["wrong_timed"] == 0) << record.dump();
      EXPECT_GT(figures["time_us"].get<double>(), 0) << record.dump();
      EXPECT_GT(figures["per_iteration"]["p50_us"].get<double>(), 0) << record.dump();
    }
    EXPECT_EQ(rows.back()["out_of_place"]["wrong"], 0) << record.dump();
  }
  EXPECT_EQ(rows.empty(), comm.rank() != 0);
  return rows;
}

bool runs_on(const Collective& collective, int ranks) {
  return !collective.kind().powers_of_two || (ranks & (ranks - 1)) == 0;
}

/// One line for each path that was taken: what NCCL does depends on the machine, and is shown, not asserted.
void show_paths(const char* what, const std::vector<Json>& rows) {
  for (const Json& row : rows) {
    std::printf("%s %s %lld B: %s; %s %s %d; %.2f us, per iteration p50 %.2f us\n", what,
                row["collective"].get<std::string>().c_str(), row["size_bytes"].get<long long>(),
                row.value("path", "-").c_str(), row.value("algorithm", "-").c_str(),
                row.value("protocol", "-").c_str(), row.value("channels", 0),
                row["out_of_place"]["time_us"].get<double>(),
                row["out_of_place"]["per_iteration"]["p50_us"].get<double>());
  }
}

TEST(Nccl, SweepsOfEveryCollectiveTypeAndOperatorAreExact) {
  run_nccl([&](comm::Communicator& comm) {
    for (const Collective* collective : collectives()) {
      if (!runs_on(*collective, comm.world())) continue;
      auto sweep = sweep_of(*collective, DType::kFloat32, RedOp::kSum);
      sweep.dtype = sweep.redop = "all";
      sweep.root = collective->kind().rooted ? -1 : 0;
      sweep.per_iteration = 1;
      const auto rows = exact_rows(sweep, comm);
      if (comm.rank() != 0) continue;
      const std::size_t variants =
          comm::all_dtypes().size() * (collective->kind().reduces ? comm::all_redops().size() : 1);
      const std::size_t roots = collective->kind().rooted ? static_cast<std::size_t>(comm.world()) : 1;
      EXPECT_EQ(rows.size(), 5 * variants * roots) << collective->name;  // 8 B, 256 B, 8 KiB, 256 KiB, 8 MiB
    }
  });
}

/// The collective over a communicator of its own, with the sweep's policy.
void check_flags(const char* what, const std::function<void(plan::CollectiveSweep&)>& change) {
  run_nccl([&](comm::Communicator& world) {
    for (const Collective* collective : collectives()) {
      if (!runs_on(*collective, world.world())) continue;
      auto sweep = sweep_of(*collective, DType::kFloat32, RedOp::kSum);
      change(sweep);
      comm::CommunicatorOptions options = communicator_options(sweep);
      const auto comm = world.split(0, world.rank(), options);
      show_paths(what, exact_rows(sweep, *comm));
      comm->barrier();
    }
  });
}

TEST(NcclFlags, Plain) {
  check_flags("plain", [](plan::CollectiveSweep&) {});
}
TEST(NcclFlags, LocalRegistration) {
  check_flags("-R 1", [](plan::CollectiveSweep& sweep) { sweep.registration = 1; });
}
TEST(NcclFlags, SymmetricWindows) {
  check_flags("-R 2", [](plan::CollectiveSweep& sweep) { sweep.registration = 2; });
}
TEST(NcclFlags, ZeroCta) {
  check_flags("-R 2 -x 2", [](plan::CollectiveSweep& sweep) {
    sweep.registration = 2;
    sweep.cta_policy = comm::kCtaZero;
  });
}
TEST(NcclFlags, EfficientCtas) {
  check_flags("-x 1", [](plan::CollectiveSweep& sweep) { sweep.cta_policy = comm::kCtaEfficiency; });
}
TEST(NcclFlags, CudaGraph) {
  check_flags("-G 3", [](plan::CollectiveSweep& sweep) { sweep.graph_launches = 3; });
}
TEST(NcclFlags, Aggregated) {
  check_flags("-m 4", [](plan::CollectiveSweep& sweep) { sweep.agg_iterations = 4; });
}
TEST(NcclFlags, Unaligned) {
  check_flags("-u 1", [](plan::CollectiveSweep& sweep) { sweep.unalign = 1; });
}
TEST(NcclFlags, Blocking) {
  for (const int blocking : {1, 2, 3}) {
    check_flags("-z", [&](plan::CollectiveSweep& sweep) { sweep.blocking = blocking; });
  }
}

TEST(NcclGroups, EveryGroupHasARow) {
  run_nccl([](comm::Communicator& world) {
    auto sweep = sweep_of(find_collective("all_reduce"), DType::kBFloat16, RedOp::kAvg);
    sweep.split = "MOD 2";
    const auto rows = exact_rows(sweep, world);
    if (world.rank() != 0) return;
    const std::size_t groups = world.world() > 1 ? 2 : 1;
    ASSERT_EQ(rows.size(), 5 * groups);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i]["group"], i % groups);
      EXPECT_EQ(rows[i]["group_ranks"][0], i % groups);
    }
  });
}

/// Flips a bit of an element of the last rank's result in device memory, in one call out of place.
class Corrupting final : public Forwarding {
 public:
  Corrupting(comm::Communicator& inner, int call) : Forwarding(inner), call_(call) {}
  void all_reduce(const void* s, void* r, std::int64_t n, DType d, RedOp o, Stream t) override {
    inner_.all_reduce(s, r, n, d, o, t);
    if (s == r || n == 0 || rank() != world() - 1 || calls_++ != call_) return;
    inner_.synchronize(t);
    SXB_CUDA(cudaMemset(static_cast<char*>(r) + 4 * 123, 0x11, 1));
  }

 private:
  int call_;
  int calls_ = 0;
};

TEST(NcclCorruption, IsNamedWhereverItHappens) {
  run_nccl([](comm::Communicator& comm) {
    struct Expected {
      int call;
      const char* when;
    };
    // The probe, a call that warms up, 2 timed ones, 2 timed one by one, the check.
    for (const Expected& expected : {Expected{5, "timed"}, Expected{6, "check"}}) {
      auto sweep = sweep_of(find_collective("all_reduce"), DType::kFloat32, RedOp::kSum);
      sweep.min_bytes = sweep.max_bytes = 1 << 20;
      sweep.per_iteration = 1;
      sweep.warmup = 0;
      Corrupting corrupting(comm, expected.call);
      std::vector<Json> records;
      const auto memory = make_cuda_memory();
      try {
        run_sweep(sweep, corrupting, *memory, Emitter(&keep, &records), {comm.rank(), comm.rank(), 0});
        ADD_FAILURE() << "no error " << expected.when;
      } catch (const EngineError& error) {
        EXPECT_EQ(error.code, "wrong_data") << error.what();
        EXPECT_NE(std::string(error.what()).find("at element 123 "), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("rank " + std::to_string(comm.world() - 1)),
                  std::string::npos);
      }
      if (comm.rank() == 0) {
        for (const Json& record : records) {
          if (record["kind"] != "collective") continue;
          EXPECT_EQ(record["data"]["first_wrong"]["when"], expected.when);
        }
      }
    }
  });
}

TEST(NcclLogs, TellTheTunersChoiceAndTheTransports) {
  run_nccl([](comm::Communicator& comm) {
    const auto memory = make_cuda_memory();
    void* data = memory->allocate(1 << 20);
    memory->poison(data, 1 << 20);
    const comm::Choice choice = comm.choice_of(
        [&] { comm.all_reduce(data, data, 1 << 18, DType::kInt32, RedOp::kSum, memory->stream()); },
        memory->stream());
    if (comm.rank() != 0 || comm.world() == 1) return;
    std::printf("all_reduce of 1 MiB: %s %s %d\n", choice.algorithm.c_str(), choice.protocol.c_str(),
                choice.channels);
    EXPECT_FALSE(choice.algorithm.empty());
    EXPECT_FALSE(choice.protocol.empty());
    EXPECT_GT(choice.channels, 0);
  });
}

TEST(Nccl, AllToAllSendReceiveAndScalars) {
  run_nccl([](comm::Communicator& comm) {
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
    for (int s = 0; s < n; ++s) memory->expect(recv + s * count * 4, count, pattern, s, me * count);
    EXPECT_EQ(memory->take_wrong().count, 0);

    if (n == 1) return;
    if (me == 0) comm.send(send, count, DType::kFloat32, n - 1, memory->stream());
    if (me == n - 1) {
      comm.recv(recv, count, DType::kFloat32, 0, memory->stream());
      memory->expect(recv, count, pattern, 0, 0);
    }
    comm.synchronize(memory->stream());
    EXPECT_EQ(memory->take_wrong().count, 0);
  });
}

TEST(NcclGroups, SplitsIntoCommunicatorsThatDoNotMix) {
  run_nccl([](comm::Communicator& world) {
    comm::CommunicatorOptions options;
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
void check_windows(comm::Communicator& world, bool zero_cta) {
  comm::CommunicatorOptions options;
  if (zero_cta) options.cta_policy = comm::kCtaZero;
  const auto comm = world.split(0, world.rank(), options);
  const std::int64_t count = 1 << 20;
  const kernels::VerifyPattern pattern{DType::kFloat32, RedOp::kSum, 3, 7};
  const auto memory = make_cuda_memory();
  const comm::NcclMemory part(count * 4);
  const comm::NcclMemory whole(count * 4 * comm->world());
  EXPECT_GE(comm::NcclMemory::allocated_bytes(), count * 4 * (1 + comm->world()));
  const auto part_window = comm->register_window(part.data(), count * 4);
  const auto whole_window = comm->register_window(whole.data(), count * 4 * comm->world());
  memory->fill(part.data(), count, pattern, comm->rank());
  const std::string path = comm->path_of(
      [&] { comm->all_gather(part.data(), whole.data(), count, DType::kFloat32, memory->stream()); },
      memory->stream());
  if (comm->rank() == 0)
    std::printf("all-gather, zero CTAs %s: %s\n", zero_cta ? "asked for" : "not", path.c_str());
  EXPECT_TRUE(path.starts_with("copy engine") || path.find("nccl") != std::string::npos) << path;
  for (int r = 0; r < comm->world(); ++r) {
    memory->expect(static_cast<float*>(whole.data()) + r * count, count, pattern, r, 0);
  }
  EXPECT_EQ(memory->take_wrong().count, 0);
}

TEST(NcclWindows, GatherIsRightWhicheverPathItTakes) {
  run_nccl([](comm::Communicator& world) {
    check_windows(world, false);
    check_windows(world, true);
  });
}

/// As `sxbench locate` makes them: the first and the last rank alone, over a non-blocking communicator.
TEST(NcclGroups, SomeRanksMeetWithoutTheOthers) {
  const int port = free_port();
  on_every_gpu([&](int rank, int world) {
    auto local = local_rendezvous(rank, world, port);
    local.timeout = std::chrono::seconds(60);
    comm::Rendezvous rendezvous(local);
    if (world > 1 && (rank == 0 || rank == world - 1)) {
      comm::CommunicatorOptions options;
      options.name = "ends";
      options.timeout = std::chrono::seconds(60);
      const auto ends = comm::create_nccl_group(rendezvous, options, rank == 0 ? 0 : 1, 2);
      EXPECT_EQ(ends->sum_over_ranks(rank), world - 1);
    }
    rendezvous.leave(local.timeout);
  });
}

/// The peer never comes: an error after the timeout, no hang.
TEST(NcclGroups, GiveUpOnAPeerThatNeverComes) {
  const int port = free_port();
  on_every_gpu([&](int rank, int world) {
    comm::Rendezvous rendezvous(local_rendezvous(rank, world, port));
    if (rank == 0) {
      comm::CommunicatorOptions options;
      options.timeout = std::chrono::seconds(2);
      EXPECT_THROW(comm::create_nccl_group(rendezvous, options, 0, 2), EngineError);
      rendezvous.set("given up", {});
    } else {
      rendezvous.wait({"given up"}, std::chrono::seconds(60));
    }
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
}  // namespace sxb::engine::bench
