// A wrong element fails the sweep and is named, whichever iteration wrote it. An injected communicator
// corrupts one element of one call.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/support/forwarding.h"
#include "sweeps.h"

namespace sxb::engine::bench {
namespace {

using testing::HasSubstr;

/// Flips bits of an element of rank 1's result in one call: the n-th of those of `count` elements that
/// work in place, or out of place.
class Corrupting final : public Forwarding {
 public:
  struct Target {
    bool in_place = false;
    std::int64_t count = 0;
    int call = 0;
    std::int64_t element = 0;
  };
  Corrupting(comm::Communicator& inner, const Target& target) : Forwarding(inner), target_(target) {}

  void all_reduce(const void* send, void* recv, std::int64_t count, DType dtype, RedOp op,
                  Stream stream) override {
    inner_.all_reduce(send, recv, count, dtype, op, stream);
    if (rank() != 1 || count != target_.count || (send == recv) != target_.in_place) return;
    if (calls_++ != target_.call) return;
    auto* bytes = static_cast<unsigned char*>(recv) + target_.element * dtype_size(dtype);
    bytes[dtype_size(dtype) - 1] ^= 0x41U;  // float: the result 0 becomes 8
  }
  int calls() const { return calls_; }

 private:
  Target target_;
  int calls_ = 0;
};

constexpr std::int64_t kBytes = 4096;
constexpr std::int64_t kCount = kBytes / 4;
constexpr int kIterations = 4;

struct Outcome {
  Json row;
  std::string message;
  int calls = 0;
};

/// One size; the buffers hold `places` of it, and the iterations go round them.
Outcome corrupt(const Corrupting::Target& target, int places) {
  auto sweep = small_sweep();
  sweep.min_bytes = kBytes;
  sweep.max_bytes = kBytes * places;
  sweep.step_factor = places > 1 ? places : 2;
  sweep.iterations = kIterations;
  sweep.per_iteration = 1;  // exactly kIterations more
  sweep.warmup = 0;
  Records records;
  Outcome outcome;
  run_gloo(2, [&](comm::Communicator& comm) {
    Corrupting corrupting(comm, target);
    const auto memory = make_host_memory(2);
    try {
      run_sweep(sweep, corrupting, *memory, Emitter(&Records::add, &records), place_of(comm.rank()));
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "wrong_data");
      EXPECT_EQ(error.exit_code, ExitCode::kTaskFailed);
      if (comm.rank() == 0) outcome.message = error.what();
    }
    if (comm.rank() == 1) outcome.calls = corrupting.calls();
  });
  outcome.row = records.of("collective").at(0);
  return outcome;
}

// Calls of one size out of place: 1 that warms up, the timed ones, those timed one by one, the check, and
// one more to see the path. In place the last is missing.
constexpr int kFirstTimed = 1;
constexpr int kLastTimed = 2 * kIterations;
constexpr int kCheck = 2 * kIterations + 1;

void expect_found(const Outcome& outcome, const Corrupting::Target& target, const char* when) {
  const char* placement = target.in_place ? "in_place" : "out_of_place";
  const bool timed = when == std::string("timed");
  EXPECT_GE(outcome.row[placement][timed ? "wrong_timed" : "wrong"], 1) << outcome.row.dump();
  EXPECT_EQ(outcome.row[placement][timed ? "wrong" : "wrong_timed"], 0) << outcome.row.dump();
  ASSERT_TRUE(outcome.row.contains("first_wrong")) << outcome.row.dump();
  const Json& first = outcome.row["first_wrong"];
  EXPECT_EQ(first["offset"], target.element);
  EXPECT_EQ(first["placement"], placement);
  EXPECT_EQ(first["when"], when);
  EXPECT_NE(first["expected"], first["found"]);
  EXPECT_THAT(outcome.message,
              HasSubstr("rank " + std::to_string(first["rank"].get<int>()) + " has at element " +
                        std::to_string(target.element) + " " + first["found"].get<std::string>() +
                        " instead of " + first["expected"].get<std::string>()));
}

TEST(Corruption, InTheCheckIsNamed) {
  for (const bool in_place : {false, true}) {
    const Corrupting::Target target{in_place, kCount, kCheck, 321};
    const Outcome outcome = corrupt(target, 1);
    expect_found(outcome, target, "check");
    EXPECT_EQ(outcome.row["first_wrong"]["rank"], 1);
    EXPECT_EQ(outcome.row[in_place ? "in_place" : "out_of_place"]["wrong"], 1);
  }
}

TEST(Corruption, InTheLastTimedIterationIsNamed) {
  for (const bool in_place : {false, true}) {
    const Corrupting::Target target{in_place, kCount, kLastTimed, 17};
    const Outcome outcome = corrupt(target, 1);
    expect_found(outcome, target, "timed");
    EXPECT_EQ(outcome.row["first_wrong"]["rank"], 1);
  }
}

TEST(Corruption, OfAnyTimedIterationInPlaceIsStillThereAtTheEnd) {
  for (const int call : {kFirstTimed, kFirstTimed + 2, kIterations + 1}) {
    const Corrupting::Target target{true, kCount, call, 5};
    expect_found(corrupt(target, 1), target, "timed");  // by then on every rank: the next calls spread it
  }
}

TEST(Corruption, OfEveryPartOfTheBufferIsSeen) {
  // Out of place, and the buffers have room for as many parts as there are iterations.
  for (int call = kIterations + 1; call <= kLastTimed; ++call) {
    const Corrupting::Target target{false, kCount, call, 1000};
    expect_found(corrupt(target, kIterations), target, "timed");
  }
}

TEST(Corruption, ACleanRunHasNoneAndTheCallsAreThoseThisTestCountsOn) {
  const Outcome out = corrupt({false, kCount, -1, 0}, 1);
  EXPECT_EQ(out.message, "");
  EXPECT_FALSE(out.row.contains("first_wrong"));
  EXPECT_EQ(out.calls, kCheck + 3);  // the check, the path, and what NCCL chose: each one call
  EXPECT_EQ(corrupt({true, kCount, -1, 0}, 1).calls, kCheck + 1);
}

TEST(Corruption, NumbersAreShownWithTheirBits) {
  EXPECT_EQ(element_text(DType::kFloat32, 0x40400000), "3 (0x40400000)");
  EXPECT_EQ(element_text(DType::kInt8, 0xA5), "-91 (0xa5)");
  EXPECT_EQ(element_text(DType::kUint64, ~0ULL), "18446744073709551615 (0xffffffffffffffff)");
  EXPECT_EQ(element_text(DType::kBFloat16, 0x3f80), "1 (0x3f80)");
  EXPECT_EQ(element_text(DType::kFloat8E4M3, 0x38), "1 (0x38)");
}

}  // namespace
}  // namespace sxb::engine::bench
