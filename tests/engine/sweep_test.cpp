// The sweep over Gloo: a row for each size with exact data, and errors before anything is measured.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "engine/bench/collective.h"
#include "engine/bench/sweep.h"
#include "ranks.h"

namespace sxb::engine {
namespace {

using testing::HasSubstr;

struct Records {
  std::mutex mutex;
  std::vector<Json> list;

  static void add(void* user, const char* json) {
    auto* self = static_cast<Records*>(user);
    const std::lock_guard lock(self->mutex);
    self->list.push_back(Json::parse(json));
  }
  std::vector<Json> of(const std::string& kind) const {
    std::vector<Json> found;
    for (const Json& record : list) {
      if (record["kind"] == kind) found.push_back(record["data"]);
    }
    return found;
  }
};

plan::CollectiveSweep small_sweep() {
  plan::CollectiveSweep sweep;
  sweep.min_bytes = 8;
  sweep.max_bytes = 64 * 1024;
  sweep.step_factor = 8;
  sweep.iterations = 3;
  sweep.warmup = 1;
  return sweep;
}

/// The sweeps one after the other on the same communicators: connecting costs more than they do.
void sweep_on(int world, const std::vector<plan::CollectiveSweep>& sweeps, Records& records) {
  run_gloo(world, [&](Communicator& comm) {
    for (const auto& sweep : sweeps) {
      const auto memory = make_host_memory(world);
      run_sweep(sweep, comm, *memory, Emitter(&Records::add, &records), comm.rank() == 0);
    }
  });
}

std::string error_of(const plan::CollectiveSweep& sweep) {
  Records records;
  try {
    sweep_on(1, {sweep}, records);
  } catch (const EngineError& error) {
    EXPECT_EQ(error.exit_code, ExitCode::kUsage);
    EXPECT_TRUE(records.list.empty());
    return std::string(error.what()) + " | " + error.help;
  }
  return "no error";
}

void expect_exact_row(const Json& row, const Collective& collective, int world) {
  EXPECT_EQ(row["collective"], collective.name);
  EXPECT_EQ(row["ranks"], world);
  EXPECT_EQ(row["redop"], collective.reduces ? "sum" : "none");
  EXPECT_EQ(row["root"], collective.root);
  for (const char* placement : {"out_of_place", "in_place"}) {
    const Json& figures = row[placement];
    EXPECT_EQ(figures["wrong"], 0) << row.dump();
    EXPECT_GT(figures["time_us"].get<double>(), 0);
    if (world == 1) {  // nothing is transferred: a time, but no bandwidth
      EXPECT_TRUE(figures["algbw_gBps"].is_null());
      EXPECT_TRUE(figures["busbw_gBps"].is_null());
      continue;
    }
    const double algbw = row["size_bytes"].get<double>() / figures["time_us"].get<double>() / 1e3;
    EXPECT_DOUBLE_EQ(figures["algbw_gBps"].get<double>(), algbw);
    EXPECT_DOUBLE_EQ(figures["busbw_gBps"].get<double>(), algbw * collective.bus_factor(world));
  }
}

TEST(Sweep, GivesARowForEachSizeOfEachCollective) {
  std::vector<plan::CollectiveSweep> sweeps(collectives().size(), small_sweep());
  for (std::size_t i = 0; i < sweeps.size(); ++i) sweeps[i].collective = collectives()[i]->name;
  for (const int world : {1, 3}) {
    Records records;
    sweep_on(world, sweeps, records);
    constexpr std::size_t kSizes = 5;  // 8, 64, 512, 4096, 32768
    const auto rows = records.of("collective");
    ASSERT_EQ(rows.size(), kSizes * sweeps.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      expect_exact_row(rows[i], *collectives()[i / kSizes], world);
    const auto windows = records.of("window");
    ASSERT_EQ(windows.size(), sweeps.size());
    for (const Json& window : windows) {
      EXPECT_EQ(window["name"], "sweep");
      EXPECT_LT(window["begin_ns"].get<std::int64_t>(), window["end_ns"].get<std::int64_t>());
    }
    EXPECT_TRUE(records.of("finding").empty());
  }
}

TEST(Sweep, BusBandwidthHasTheFactorsOfNcclTests) {
  EXPECT_DOUBLE_EQ(find_collective("all_reduce").bus_factor(4), 1.5);
  EXPECT_DOUBLE_EQ(find_collective("all_gather").bus_factor(4), 0.75);
  EXPECT_DOUBLE_EQ(find_collective("reduce_scatter").bus_factor(4), 0.75);
  EXPECT_DOUBLE_EQ(find_collective("broadcast").bus_factor(4), 1);
}

TEST(Sweep, ChecksEveryTypeAndOperator) {
  std::vector<plan::CollectiveSweep> sweeps;
  for (const char* dtype :
       {"int8", "uint8", "int32", "uint32", "int64", "uint64", "half", "float", "double"}) {
    for (const char* op : {"sum", "prod", "min", "max", "avg"}) {
      auto sweep = small_sweep();
      sweep.min_bytes = sweep.max_bytes = 4096;
      sweep.iterations = 1;
      sweep.dtype = dtype;
      sweep.redop = op;
      sweeps.push_back(sweep);
    }
  }
  Records records;
  sweep_on(2, sweeps, records);
  const auto rows = records.of("collective");
  ASSERT_EQ(rows.size(), sweeps.size());
  for (const Json& row : rows) {
    EXPECT_EQ(row["out_of_place"]["wrong"], 0) << row.dump();
    EXPECT_EQ(row["in_place"]["wrong"], 0) << row.dump();
  }
}

/// Flips one bit of every result of rank 1.
class Corrupting final : public Communicator {
 public:
  explicit Corrupting(Communicator& inner) : inner_(inner) {}
  void all_reduce(const void* send, void* recv, std::int64_t count, DType dtype, RedOp op,
                  Stream stream) override {
    inner_.all_reduce(send, recv, count, dtype, op, stream);
    if (rank() == 1 && count > 0) *static_cast<unsigned char*>(recv) ^= 1U;
  }
  void all_gather(const void* s, void* r, std::int64_t n, DType d, Stream t) override {
    inner_.all_gather(s, r, n, d, t);
  }
  void reduce_scatter(const void* s, void* r, std::int64_t n, DType d, RedOp o, Stream t) override {
    inner_.reduce_scatter(s, r, n, d, o, t);
  }
  void broadcast(const void* s, void* r, std::int64_t n, DType d, int root, Stream t) override {
    inner_.broadcast(s, r, n, d, root, t);
  }
  void all_to_all(const void* s, void* r, std::int64_t n, DType d, Stream t) override {
    inner_.all_to_all(s, r, n, d, t);
  }
  void send(const void* b, std::int64_t n, DType d, int peer, Stream t) override {
    inner_.send(b, n, d, peer, t);
  }
  void recv(void* b, std::int64_t n, DType d, int peer, Stream t) override { inner_.recv(b, n, d, peer, t); }
  int rank() const override { return inner_.rank(); }
  int world() const override { return inner_.world(); }
  const char* backend() const override { return inner_.backend(); }
  std::string version() const override { return inner_.version(); }
  void synchronize(Stream stream) override { inner_.synchronize(stream); }
  void barrier() override { inner_.barrier(); }
  double max_over_ranks(double value) override { return inner_.max_over_ranks(value); }
  double sum_over_ranks(double value) override { return inner_.sum_over_ranks(value); }
  std::unique_ptr<Communicator> split(int color, int key, const CommunicatorOptions& options) override {
    return inner_.split(color, key, options);
  }

 private:
  Communicator& inner_;
};

TEST(Sweep, CountsCorruptionAndFailsAfterTheLastSize) {
  Records records;
  run_gloo(2, [&](Communicator& comm) {
    Corrupting corrupting(comm);
    const auto memory = make_host_memory(2);
    try {
      run_sweep(small_sweep(), corrupting, *memory, Emitter(&Records::add, &records), comm.rank() == 0);
      FAIL() << "no error";
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "wrong_data");
    }
  });
  const auto rows = records.of("collective");
  ASSERT_EQ(rows.size(), 5U);
  for (const Json& row : rows) {
    EXPECT_EQ(row["out_of_place"]["wrong"], 1) << row.dump();
    EXPECT_EQ(row["in_place"]["wrong"], 1) << row.dump();
  }
}

TEST(Sweep, WithoutACheckWrongIsMissingNotZero) {
  Records records;
  auto sweep = small_sweep();
  sweep.check = 0;
  sweep.max_bytes = 8;
  sweep_on(2, {sweep}, records);
  EXPECT_TRUE(records.of("collective").at(0)["in_place"]["wrong"].is_null());
}

TEST(Sweep, SizesAreThoseOfNcclTests) {
  auto sweep = small_sweep();
  sweep.min_bytes = 8;
  sweep.max_bytes = 100;
  sweep.step_factor = 2;
  EXPECT_THAT(sweep_sizes(sweep), testing::ElementsAre(8, 16, 32, 64));
  sweep.step_bytes = 40;
  EXPECT_THAT(sweep_sizes(sweep), testing::ElementsAre(8, 48, 88));
  sweep.step_bytes = 0;
  sweep.min_bytes = 1LL << 62;
  sweep.max_bytes = (1LL << 62) + 5;
  EXPECT_THAT(sweep_sizes(sweep), testing::ElementsAre(1LL << 62));
}

TEST(Sweep, ChunksAreSixteenByteAligned) {
  const Collective& all_gather = find_collective("all_gather");
  const Layout layout = all_gather.layout(1000, 4, 4);
  EXPECT_EQ(layout.count, 60);  // 62 elements per rank, down to a multiple of 4
  EXPECT_EQ(layout.recv, 240);
  EXPECT_EQ(all_gather.layout(8, 4, 4).count, 0);
}

TEST(Sweep, RefusesWhatCannotRunWithARemedy) {
  auto sweep = small_sweep();
  sweep.collective = "all_redce";
  EXPECT_THAT(error_of(sweep), HasSubstr("all_reduce"));
  sweep = small_sweep();
  sweep.dtype = "bfloat16";
  EXPECT_THAT(error_of(sweep), HasSubstr("-d float"));
  sweep = small_sweep();
  sweep.redop = "summ";
  EXPECT_THAT(error_of(sweep), HasSubstr("sum"));
  sweep = small_sweep();
  sweep.max_bytes = 4;
  EXPECT_THAT(error_of(sweep), HasSubstr("-e"));
  sweep = small_sweep();
  sweep.step_factor = 1;
  EXPECT_THAT(error_of(sweep), HasSubstr("-f"));
}

TEST(Sweep, ARangeThatMemoryCannotHoldIsCutAndSaid) {
  Records records;
  auto sweep = small_sweep();
  sweep.min_bytes = 1024;
  sweep.max_bytes = 1LL << 60;
  sweep.step_factor = 1LL << 50;
  sweep.iterations = 1;
  sweep_on(1, {sweep}, records);
  const auto findings = records.of("finding");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0]["code"], "sweep_range_cut");
  EXPECT_EQ(records.of("collective").size(), 1U);
}

}  // namespace
}  // namespace sxb::engine
