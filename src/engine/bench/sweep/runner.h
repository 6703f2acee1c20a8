// One collective at one size: times it as nccl-tests does, times each iteration, and checks the data.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/bench/collectives/collective.h"
#include "plan/sweep.h"

namespace sxb::engine::bench {

/// What is measured.
struct Case {
  const Collective* collective = nullptr;
  DType dtype = DType::kFloat32;
  RedOp op = RedOp::kSum;
  int root = 0;
  Layout layout{};
  bool in_place = false;

  std::int64_t element() const { return dtype_size(dtype); }
  /// nccl-tests' size column.
  std::int64_t size() const;
};

/// The buffers of a sweep, each of `bytes`.
struct Buffers {
  char* send = nullptr;
  char* recv = nullptr;
  std::int64_t bytes = 0;
};

/// Where the first wrong element of this rank stands.
struct Fault {
  std::int64_t count = 0;   ///< wrong elements of this rank
  std::int64_t offset = 0;  ///< element of the rank's result
  std::uint64_t expected = 0;
  std::uint64_t found = 0;
};

/// All functions are collective over the world: its groups run the same case at the same time, each on
/// its own communicator.
class Runner {
 public:
  Runner(const plan::CollectiveSweep& sweep, comm::Communicator& world, comm::Communicator& group,
         Memory& memory, const Buffers& buffers);

  /// Real numbers in all of both buffers.
  void fill_buffers(DType dtype);
  void warm_up(const Case& c);

  /// Gives the buffers the content that check_timed() expects afterwards.
  void prepare(const Case& c);
  /// Mean time of a call in microseconds on this rank. The host clock around launches and wait, as in
  /// nccl-tests.
  double time(const Case& c);
  /// The time of each iteration of a further run, per call. On the GPU between events.
  std::vector<double> time_each(const Case& c, int count);
  /// What prepare() and the two runs have left wrong. Out of place every part of the buffer that an iteration
  /// wrote is compared with the exact result of the last one that wrote it. In place each iteration works
  /// on what the one before has left, with data that the collective gives again exactly
  /// (VerifyPattern::fixed_point), so an element that went wrong in any iteration is still wrong at the end.
  /// What neither sees: a right result that a later iteration wrote over a wrong one, out of place.
  Fault check_timed(const Case& c);
  /// Of one call on new data, with the destination overwritten before.
  Fault check_fresh(const Case& c);

  /// One call, to see whether it can be made; one iteration, to be looked at. They do not wait.
  void probe(const Case& c) { call(c, 0); }
  void issue(const Case& c) { iteration(c, 0); }
  /// time() of a call that does nothing: what the harness adds.
  double time_nothing();

 private:
  void call(const Case& c, std::int64_t number) {
    // Each call uses another part of the buffers where they are large enough, as in nccl-tests: what
    // the last one left in a cache must not help, and a peer that reads too late is caught.
    const std::int64_t shift = c.size() * (number % places(c));
    const char* send = c.in_place ? in_place_send(c, shift) : buffers_.send + shift;
    char* recv = c.in_place ? in_place_recv(c, shift) : buffers_.recv + shift;
    c.collective->run(group_,
                      {send, recv, c.layout.count, c.dtype, c.op, c.root, traffic_of(sweep_), stream_});
  }
  void iteration(const Case& c, std::int64_t number);
  void finish() { group_.synchronize(stream_); }

  std::int64_t places(const Case& c) const {
    return c.size() > 0 && c.size() <= buffers_.bytes ? buffers_.bytes / c.size() : 1;
  }
  /// Parts of the buffers that the timed iterations use.
  std::int64_t parts(const Case& c) const;
  char* in_place_send(const Case& c, std::int64_t shift) const;
  char* in_place_recv(const Case& c, std::int64_t shift) const;
  kernels::VerifyPattern pattern(const Case& c, bool fixed_point) const;
  /// prepare() of the parts [begin, end).
  void prepare_parts(const Case& c, std::int64_t begin, std::int64_t end);
  /// Adds what must be at the part that begins at `shift`, whose data begins with element `first`.
  void expect(const Case& c, std::int64_t shift, std::int64_t first, bool fixed_point);
  Fault take(const Case& c);

  const plan::CollectiveSweep& sweep_;
  comm::Communicator& world_;
  comm::Communicator& group_;
  Memory& memory_;
  Buffers buffers_;
  Stream stream_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<Marks> marks_;
  int marks_count_ = 0;
};

}  // namespace sxb::engine::bench
