#include "engine/bench/sweep.h"

#include <algorithm>
#include <chrono>

#include "engine/bench/collective.h"
#include "sxbench/base/clock.h"
#include "sxbench/base/units.h"

namespace sxb::engine {
namespace {

using Clock = std::chrono::steady_clock;

struct Measurement {
  double time_us = 0;
  std::int64_t wrong = -1;  ///< -1: not checked
};

class Sweep {
 public:
  Sweep(const plan::CollectiveSweep& sweep, Communicator& comm, Memory& memory, const Emitter& emitter)
      : sweep_(sweep),
        collective_(find_collective(sweep.collective)),
        comm_(comm),
        memory_(memory),
        emitter_(emitter),
        dtype_(parse_dtype(sweep.dtype)),
        op_(parse_redop(sweep.redop)),
        sizes_(sweep_sizes(sweep)) {}

  void run() {
    // An empty call makes the communicator refuse a type or operator that it lacks, before anything is
    // allocated.
    collective_.run(comm_, {nullptr, nullptr, 0, dtype_, op_, memory_.stream()});
    comm_.synchronize(memory_.stream());
    fit_memory();
    allocate();
    warm_up();
    for (const std::int64_t bytes : sizes_) measure_size(bytes);
    if (wrong_total_ > 0) {
      throw EngineError(
          std::to_string(wrong_total_) + " elements were wrong in " + std::string(collective_.name) + " of " +
              sweep_.dtype + " (see the wrong column)",
          "wrong_data",
          "a GPU, link or NIC corrupts data: run the sweep on fewer nodes to find which, and look at the "
          "ECC and NVLink error counters (nvidia-smi -q)");
    }
  }

 private:
  Layout layout_of(std::int64_t bytes) const {
    return collective_.layout(bytes, comm_.world(), dtype_size(dtype_));
  }
  /// nccl-tests' size column.
  std::int64_t size_of(const Layout& layout) const {
    return std::max(layout.send, layout.recv) * dtype_size(dtype_);
  }

  /// Two buffers of the largest size must fit on the rank with the least memory.
  void fit_memory() {
    const auto mine = static_cast<double>(memory_.available_bytes());
    const auto capacity = static_cast<std::int64_t>(-comm_.max_over_ranks(-mine)) / 2;
    if (sizes_.back() <= capacity) return;
    const std::int64_t asked = sizes_.back();
    while (!sizes_.empty() && sizes_.back() > capacity) sizes_.pop_back();
    if (sizes_.empty()) {
      throw EngineError(
          "two buffers of " + format_bytes(sweep_.min_bytes) + " do not fit in the memory that is free",
          "out_of_memory", "use a smaller -b, or free memory (nvidia-smi, free -h)");
    }
    if (comm_.rank() != 0) return;
    emitter_.finding("warning", "sweep_range_cut",
                     "the sweep ends at " + format_bytes(sizes_.back()) + " instead of " +
                         format_bytes(asked) + ": only " + format_bytes(2 * capacity) +
                         " are free on the rank with the least",
                     "free memory on the nodes, or pass -e " + std::to_string(sizes_.back()));
  }

  void allocate() {
    max_bytes_ = sizes_.back();
    send_ = static_cast<char*>(memory_.allocate(max_bytes_));
    recv_ = static_cast<char*>(memory_.allocate(max_bytes_));
    // Real numbers everywhere: the power that a GPU draws, and so its clock, depends on the data.
    const std::int64_t elements = max_bytes_ / dtype_size(dtype_);
    memory_.fill(send_, elements, pattern(), comm_.rank());
    memory_.fill(recv_, elements, pattern(), comm_.rank());
    comm_.synchronize(memory_.stream());
    if (comm_.max_over_ranks(memory_.fallback() ? 1 : 0) > 0 && comm_.rank() == 0) {
      emitter_.finding("info", "nccl_mem_fallback",
                       "ncclMemAlloc refused on some rank: buffers are from cudaMalloc",
                       "figures may be lower than with registered memory; see NCCL_CUMEM_ENABLE");
    }
  }

  /// Every size once, because NCCL connects an algorithm's channels when it is first used.
  void warm_up() {
    for (const std::int64_t bytes : sizes_) {
      const Layout layout = layout_of(bytes);
      for (int i = 0; i < sweep_.warmup; ++i) call(layout, false, i);
      comm_.synchronize(memory_.stream());
    }
  }

  void call(const Layout& layout, bool in_place, std::int64_t iteration) {
    // Each iteration uses another part of the buffers where they are large enough, as in nccl-tests: what
    // the last one left in a cache must not help, and a peer that reads too late is caught.
    const std::int64_t size = size_of(layout);
    const std::int64_t places = size > 0 ? max_bytes_ / size : 1;
    const std::int64_t shift = size * (iteration % places);
    const std::int64_t element = dtype_size(dtype_);
    const char* send =
        in_place ? recv_ + shift + comm_.rank() * layout.in_place_send * element : send_ + shift;
    char* recv = recv_ + shift + (in_place ? comm_.rank() * layout.in_place_recv * element : 0);
    collective_.run(comm_, {send, recv, layout.count, dtype_, op_, memory_.stream()});
  }

  /// Mean time of a call in microseconds on this rank. The host clock around launches and wait, as in
  /// nccl-tests; nothing else may be in here.
  double time_calls(const Layout& layout, bool in_place) {
    call(layout, in_place, 0);
    comm_.synchronize(memory_.stream());
    comm_.barrier();
    const auto begin = Clock::now();
    for (int i = 0; i < sweep_.iterations; ++i) call(layout, in_place, i);
    comm_.synchronize(memory_.stream());
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - begin;
    return elapsed.count() / sweep_.iterations;
  }

  kernels::VerifyPattern pattern() const { return {dtype_, op_for_data(), comm_.world(), seed_}; }
  /// Where nothing is reduced any data will do: those of min have all bits in play.
  RedOp op_for_data() const { return collective_.reduces ? op_ : RedOp::kMin; }

  /// Wrong elements of one fresh call, all ranks.
  std::int64_t count_wrong(const Layout& layout, bool in_place) {
    ++seed_;
    const std::int64_t element = dtype_size(dtype_);
    const std::int64_t sent_at = in_place ? comm_.rank() * layout.in_place_send * element : 0;
    const std::int64_t received_at = in_place ? comm_.rank() * layout.in_place_recv * element : 0;
    memory_.poison(recv_, in_place ? size_of(layout) : layout.recv * element);
    memory_.fill((in_place ? recv_ : send_) + sent_at, layout.send, pattern(), comm_.rank());
    call(layout, in_place, 0);
    comm_.synchronize(memory_.stream());
    collective_.verify(memory_, recv_ + received_at, layout, pattern(), comm_.rank());
    return static_cast<std::int64_t>(comm_.sum_over_ranks(static_cast<double>(memory_.take_wrong())));
  }

  Measurement measure(const Layout& layout, bool in_place) {
    Measurement result;
    result.time_us = comm_.max_over_ranks(time_calls(layout, in_place));
    for (int check = 0; check < sweep_.check; ++check) {
      result.wrong = std::max<std::int64_t>(result.wrong, 0) + count_wrong(layout, in_place);
    }
    wrong_total_ += std::max<std::int64_t>(result.wrong, 0);
    return result;
  }

  void measure_size(std::int64_t bytes) {
    const Layout layout = layout_of(bytes);
    const Measurement out_of_place = measure(layout, false);
    const Measurement in_place = measure(layout, true);
    if (comm_.rank() != 0) return;
    Json data;
    data["collective"] = collective_.name;
    data["size_bytes"] = size_of(layout);
    data["count"] = layout.count;
    data["dtype"] = sweep_.dtype;
    data["redop"] = collective_.reduces ? sweep_.redop : "none";
    data["root"] = collective_.root;
    data["ranks"] = comm_.world();
    data["iterations"] = sweep_.iterations;
    data["out_of_place"] = to_json(out_of_place, layout);
    data["in_place"] = to_json(in_place, layout);
    emitter_.record("collective", std::move(data));
  }

  Json to_json(const Measurement& m, const Layout& layout) const {
    Json json;
    json["time_us"] = m.time_us;
    json["algbw_gBps"] = nullptr;
    json["busbw_gBps"] = nullptr;
    // One rank transfers nothing: size / time would be a bandwidth that no wire has (in place, terabytes).
    if (comm_.world() > 1 && m.time_us > 0) {
      const double algbw = static_cast<double>(size_of(layout)) / m.time_us * 1e-3;  // 1 B/us = 1e-3 GB/s
      json["algbw_gBps"] = algbw;
      json["busbw_gBps"] = algbw * collective_.bus_factor(comm_.world());
    }
    json["wrong"] = m.wrong < 0 ? Json(nullptr) : Json(m.wrong);
    return json;
  }

  const plan::CollectiveSweep& sweep_;
  const Collective& collective_;
  Communicator& comm_;
  Memory& memory_;
  const Emitter& emitter_;
  DType dtype_;
  RedOp op_;
  std::vector<std::int64_t> sizes_;
  std::int64_t max_bytes_ = 0;
  char* send_ = nullptr;
  char* recv_ = nullptr;
  std::uint64_t seed_ = 0;
  std::int64_t wrong_total_ = 0;
};

[[noreturn]] void bad_sweep(const std::string& what, const std::string& help) {
  throw EngineError(what, "bad_argument", help, ExitCode::kUsage);
}

}  // namespace

std::vector<std::int64_t> sweep_sizes(const plan::CollectiveSweep& sweep) {
  if (sweep.min_bytes <= 0) bad_sweep("the smallest size is not positive", "pass -b with 1 or more");
  if (sweep.max_bytes < sweep.min_bytes)
    bad_sweep("the largest size is below the smallest", "pass -e at least as large as -b");
  if (sweep.iterations < 1) bad_sweep("there is no iteration to time", "pass -n with 1 or more");
  if (sweep.step_bytes <= 0 && sweep.step_factor < 2)
    bad_sweep("the sizes would never grow", "pass -f 2 or more, or -i");
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = sweep.min_bytes; size <= sweep.max_bytes;) {
    sizes.push_back(size);
    if (sweep.step_bytes <= 0 && size > sweep.max_bytes / sweep.step_factor)
      break;  // the product may overflow
    size = sweep.step_bytes > 0 ? size + sweep.step_bytes : size * sweep.step_factor;
  }
  return sizes;
}

void run_sweep(const plan::CollectiveSweep& sweep, Communicator& comm, Memory& memory, const Emitter& emitter,
               bool emit_window) {
  Sweep runner(sweep, comm, memory, emitter);
  const std::int64_t begin = monotonic_ns();
  const auto window = [&] {
    if (!emit_window) return;
    emitter.record("window", {{"name", "sweep"}, {"begin_ns", begin}, {"end_ns", monotonic_ns()}});
  };
  try {
    runner.run();
  } catch (const EngineError& error) {
    if (error.code == "wrong_data") window();  // the sweep is complete: its figures count
    throw;
  }
  window();
}

}  // namespace sxb::engine
