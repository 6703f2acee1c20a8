#include "engine/locate/probe.h"

#include <chrono>
#include <vector>

#include "plan/collectives.h"
#include "stats/stats.h"
#include "stats/stopping_rule.h"

namespace sxb::engine::locate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr DType kType = DType::kFloat32;

}  // namespace

Prober::Prober(bench::Memory& memory, std::int64_t bytes, double seconds)
    : memory_(memory),
      count_(bytes / dtype_size(kType)),
      bytes_(count_ * dtype_size(kType)),
      seconds_(seconds),
      send_(memory.allocate(bytes_)),
      recv_(memory.allocate(bytes_)) {}

/// Median in microseconds, and of how many. Every rank adds the same maximum, so all stop together.
template <typename Call>
std::pair<double, int> Prober::settle(comm::Communicator& comm, Call&& call) const {
  stats::StoppingBounds bounds;
  bounds.min_count = 5;
  bounds.max_count = 200;
  bounds.max_time = seconds_ * 1e6;
  bounds.quiet_noise = 0.01;
  bounds.settle_window = 16;
  stats::StoppingRule rule(bounds);
  std::vector<double> times;
  const double longest = seconds_ * 1e6;
  double total = 0;
  call();  // connects
  comm.synchronize(memory_.stream());
  comm.barrier();
  // min_count holds against the time limit too, and on a link that is almost dead five calls take minutes.
  while (!rule.done() && (total < longest || times.empty())) {
    const auto begin = Clock::now();
    call();
    comm.synchronize(memory_.stream());
    const std::chrono::duration<double, std::micro> own = Clock::now() - begin;
    times.push_back(comm.max_over_ranks(own.count()));
    total += times.back();
    rule.add(times.back());
  }
  return {stats::median(times), static_cast<int>(times.size())};
}

ProbeFigures Prober::probe(comm::Communicator& comm, bool ways) {
  // Real numbers: the power that a GPU draws, and so its clock, depends on the data.
  const kernels::VerifyPattern pattern{kType, RedOp::kSum, comm.world(), 1};
  memory_.fill(send_, count_, pattern, comm.rank());
  memory_.poison(recv_, bytes_);
  ProbeFigures figures;
  std::tie(figures.time_us, figures.iterations) =
      settle(comm, [&] { comm.all_reduce(send_, recv_, count_, kType, RedOp::kSum, memory_.stream()); });
  memory_.expect(recv_, count_, pattern, kernels::kAllRanks, 0);
  figures.wrong =
      static_cast<std::int64_t>(comm.sum_over_ranks(static_cast<double>(memory_.take_wrong().count)));
  if (ways && comm.world() == 2) {
    figures.first_to_second_gBps = one_way_gBps(comm, 0);
    figures.second_to_first_gBps = one_way_gBps(comm, 1);
  }
  return figures;
}

double Prober::one_way_gBps(comm::Communicator& comm, int sender) {
  const double time_us = settle(comm, [&] {
                           if (comm.rank() == sender) {
                             comm.send(send_, count_, kType, 1 - sender, memory_.stream());
                           } else {
                             comm.recv(recv_, count_, kType, sender, memory_.stream());
                           }
                         }).first;
  return static_cast<double>(bytes_) / time_us * 1e-3;  // 1 B/us = 1e-3 GB/s
}

std::optional<double> all_reduce_busbw_gBps(std::int64_t bytes, double time_us, int ranks) {
  if (ranks < 2 || time_us <= 0) return std::nullopt;
  return static_cast<double>(bytes) / time_us * 1e-3 *
         plan::bus_bandwidth_factor("all_reduce", ranks).value();
}

}  // namespace sxb::engine::locate
