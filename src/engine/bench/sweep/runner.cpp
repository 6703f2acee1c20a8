#include "engine/bench/sweep/runner.h"

#include <algorithm>
#include <chrono>

namespace sxb::engine::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

}  // namespace

std::int64_t Case::size() const { return std::max(layout.send, layout.recv) * element(); }

Runner::Runner(const plan::CollectiveSweep& sweep, comm::Communicator& world, comm::Communicator& group,
               Memory& memory, const Buffers& buffers)
    : sweep_(sweep),
      world_(world),
      group_(group),
      memory_(memory),
      buffers_(buffers),
      stream_(memory.stream()) {}

void Runner::fill_buffers(DType dtype) {
  // Real numbers everywhere: the power that a GPU draws, and so its clock, depends on the data.
  const kernels::VerifyPattern real{dtype, RedOp::kMin, group_.world(), seed_};
  const std::int64_t elements = buffers_.bytes / dtype_size(dtype);
  memory_.fill(buffers_.send, elements, real, group_.rank());
  memory_.fill(buffers_.recv, elements, real, group_.rank());
  finish();
}

void Runner::warm_up(const Case& c) {
  for (int i = 0; i < sweep_.warmup; ++i) call(c, i);
  finish();
}

void Runner::iteration(const Case& c, std::int64_t number) {
  if (sweep_.agg_iterations == 1) return call(c, number);
  group_.group_begin();
  for (int i = 0; i < sweep_.agg_iterations; ++i) call(c, number * sweep_.agg_iterations + i);
  group_.group_end();
}

double Runner::time(const Case& c) {
  call(c, 0);
  finish();
  world_.barrier();
  std::unique_ptr<Replay> graph;
  if (sweep_.graph_launches > 0) {
    graph = memory_.record([&] {
      for (int i = 0; i < sweep_.iterations; ++i) iteration(c, i);
    });
    world_.barrier();
  }
  Microseconds elapsed{};
  const auto begin = Clock::now();  // from here on nothing that nccl-tests does not do
  if (graph != nullptr) {
    for (int i = 0; i < sweep_.graph_launches; ++i) graph->launch();
    finish();
    elapsed = Clock::now() - begin;
    return elapsed.count() / sweep_.graph_launches / sweep_.iterations / sweep_.agg_iterations;
  }
  if (sweep_.blocking == 0) {
    for (int i = 0; i < sweep_.iterations; ++i) iteration(c, i);
    finish();
    elapsed = Clock::now() - begin;
  } else {
    for (int i = 0; i < sweep_.iterations; ++i) {
      const auto begin_one = Clock::now();
      iteration(c, i);
      finish();
      elapsed += Clock::now() - begin_one;  // -z 3: its barrier is not timed
      if (sweep_.blocking != 2) world_.barrier();
    }
    if (sweep_.blocking != 3) elapsed = Clock::now() - begin;
  }
  return elapsed.count() / sweep_.iterations / sweep_.agg_iterations;
}

std::vector<double> Runner::time_each(const Case& c, int count) {
  if (marks_count_ < 2 * count) {
    marks_ = memory_.make_marks(2 * count);
    marks_count_ = 2 * count;
  }
  std::unique_ptr<Replay> graph;
  if (sweep_.graph_launches > 0) graph = memory_.record([&] { iteration(c, 0); });
  // One after the other an iteration ends where the next begins; with a wait between them each has its own.
  const bool paired = sweep_.blocking != 0;
  world_.barrier();
  for (int i = 0; i < count; ++i) {
    marks_->set(paired ? 2 * i : i);
    if (graph != nullptr) {
      graph->launch();
    } else {
      iteration(c, i % sweep_.iterations);
    }
    if (!paired) continue;
    finish();
    marks_->set(2 * i + 1);
    if (sweep_.blocking != 2) world_.barrier();
  }
  if (!paired) marks_->set(count);
  finish();
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const double us = paired ? marks_->between_us(2 * i, 2 * i + 1) : marks_->between_us(i, i + 1);
    times.push_back(us / sweep_.agg_iterations);
  }
  return times;
}

double Runner::time_nothing() {
  static const Collective nothing{.name = "nothing",
                                  .layout = nullptr,
                                  .run = [](comm::Communicator&, const Call&) {},
                                  .verify = nullptr};
  Case c;
  c.collective = &nothing;
  return time(c);
}

char* Runner::in_place_send(const Case& c, std::int64_t shift) const {
  return buffers_.recv + shift + group_.rank() * c.layout.in_place_send * c.element();
}

char* Runner::in_place_recv(const Case& c, std::int64_t shift) const {
  return buffers_.recv + shift + group_.rank() * c.layout.in_place_recv * c.element();
}

std::int64_t Runner::parts(const Case& c) const {
  return std::min<std::int64_t>(places(c), std::int64_t{sweep_.iterations} * sweep_.agg_iterations);
}

kernels::VerifyPattern Runner::pattern(const Case& c, bool fixed_point) const {
  // Where nothing is reduced any data will do: those of min have all bits in play.
  const RedOp op = c.collective->kind().reduces ? c.op : RedOp::kMin;
  return {c.dtype, op, group_.world(), seed_, fixed_point};
}

void Runner::prepare(const Case& c) {
  ++seed_;
  // The first half last: like nccl-tests, which leaves there what it has just used at the size before, the
  // run begins with data in the L2 cache, as far as they fit.
  const std::int64_t half = parts(c) / 2;
  prepare_parts(c, half, parts(c));
  prepare_parts(c, 0, half);
  finish();
}

void Runner::prepare_parts(const Case& c, std::int64_t begin, std::int64_t end) {
  if (begin == end) return;
  const std::int64_t size = c.size(), shift = begin * size, bytes = (end - begin) * size;
  const std::int64_t first = shift / c.element(), count = bytes / c.element();
  if (!c.in_place) {
    memory_.poison(buffers_.recv + shift, bytes);
    memory_.fill(buffers_.send + shift, count, pattern(c, false), group_.rank(), first);
  } else if (c.layout.send * c.element() == size) {
    memory_.fill(buffers_.recv + shift, count, pattern(c, true), group_.rank(), first);
  } else {
    memory_.poison(buffers_.recv + shift, bytes);
    for (std::int64_t at = shift; at < shift + bytes; at += size) {
      memory_.fill(in_place_send(c, at), c.layout.send, pattern(c, true), group_.rank(), at / c.element());
    }
  }
}

void Runner::expect(const Case& c, std::int64_t shift, std::int64_t first, bool fixed_point) {
  const char* data = c.in_place ? in_place_recv(c, shift) : buffers_.recv + shift;
  const kernels::VerifyPattern expected = pattern(c, fixed_point);
  c.collective->verify(memory_, {data, c.layout, expected, group_.rank(), c.root, traffic_of(sweep_), first});
}

Fault Runner::take(const Case& c) {
  const Wrong wrong = memory_.take_wrong();
  Fault fault{wrong.count, 0, wrong.expected, wrong.found};
  if (wrong.first == nullptr) return fault;
  const std::int64_t at = static_cast<const char*>(wrong.first) - buffers_.recv;
  const std::int64_t begin = c.in_place ? in_place_recv(c, 0) - buffers_.recv : 0;
  fault.offset = (at % c.size() - begin) / c.element();
  return fault;
}

Fault Runner::check_timed(const Case& c) {
  const std::int64_t size = c.size();
  for (std::int64_t shift = 0; shift < parts(c) * size; shift += size) {
    expect(c, shift, shift / c.element(), c.in_place);
  }
  return take(c);
}

Fault Runner::check_fresh(const Case& c) {
  ++seed_;
  memory_.poison(buffers_.recv, c.in_place ? c.size() : c.layout.recv * c.element());
  memory_.fill(c.in_place ? in_place_send(c, 0) : buffers_.send, c.layout.send, pattern(c, false),
               group_.rank());
  if (sweep_.graph_launches > 0) {
    const auto graph = memory_.record([&] { call(c, 0); });
    graph->launch();
    finish();
  } else {
    call(c, 0);
    finish();
  }
  expect(c, 0, 0, false);
  return take(c);
}

}  // namespace sxb::engine::bench
