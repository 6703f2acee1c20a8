#include "engine/bench/sweep/sweep.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/units.h"
#include "engine/bench/collectives/collective.h"
#include "engine/bench/sweep/runner.h"
#include "engine/bench/sweep/split_groups.h"
#include "engine/bench/sweep/sweep_figures.h"
#include "engine/bench/sweep/variants.h"
#include "record/kinds/collective.h"
#include "record/kinds/node.h"

namespace sxb::engine::bench {
namespace {

/// Iterations are timed one by one for about this long in a placement, so that they never double a sweep.
constexpr double kPerIterationBudgetUs = 20'000;
constexpr int kFewIterations = 10;
constexpr int kManyIterations = 200;

/// What a rank knows of how its call runs; plain data, to be exchanged as it is.
struct Path {
  std::array<char, 256> text{};
  std::array<char, 32> algorithm{};
  std::array<char, 64> protocol{};
  int channels = 0;
};

/// "2026-11-21 13:40:02" of the local time, as nccl-tests' -S.
std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

class Sweep {
 public:
  Sweep(const plan::CollectiveSweep& sweep, comm::Communicator& world, Memory& memory, const Emitter& emitter,
        const plan::RankPlace& place)
      : sweep_(sweep),
        collective_(find_collective(sweep.collective)),
        variants_(variants_of(sweep, collective_)),
        sizes_(plan::sizes_of(sweep)),
        world_(world),
        memory_(memory),
        emitter_(emitter),
        groups_(sweep, world, place),
        roots_(roots_of(sweep, collective_, groups_.smallest())) {}

  void run() {
    check_ranks();
    refuse_early();
    fit_memory();
    allocate();
    int done = 0;
    for (const Variant& variant : variants_) {
      Runner runner(sweep_, world_, groups_.mine(), memory_, shifted_buffers(variant.dtype));
      if (!possible(runner, variant)) continue;
      for (const int root : roots_) {
        warm_up(runner, variant, root);
        if (done++ == 0) emit_overhead(runner);
        for (const std::int64_t bytes : sizes_) measure_size(runner, variant, root, bytes);
      }
    }
    if (wrong_) {
      throw EngineError(
          "wrong data in " + std::string(collective_.name) + ", " + std::to_string(wrong_total_) +
              " elements in all: " + to_text(*wrong_),
          "wrong_data",
          "a GPU, link or NIC corrupts data, most often that of this rank or of a neighbour of it: run the "
          "sweep on fewer nodes to find which, and look at the ECC and NVLink error counters (nvidia-smi "
          "-q)");
    }
    if (done == 0) throw *refusal_;  // "all" was asked for, and there was nothing that could run
  }

 private:
  Case case_of(const Variant& variant, int root, std::int64_t bytes, int ranks) const {
    Case c;
    c.collective = &collective_;
    c.dtype = variant.dtype;
    c.op = variant.op;
    c.root = root;
    c.layout = collective_.layout({bytes, ranks, c.element(), traffic_of(sweep_)});
    return c;
  }
  Case my_case(const Variant& variant, int root, std::int64_t bytes) {
    return case_of(variant, root, bytes, groups_.mine().world());
  }

  void check_ranks() const {
    for (int group = 0; collective_.kind().powers_of_two && group < groups_.count(); ++group) {
      const auto ranks = groups_.members(group).size();
      if ((ranks & (ranks - 1)) == 0) continue;
      throw EngineError(
          std::string(collective_.name) + " runs on 2, 4, 8, 16, ... ranks, not on " + std::to_string(ranks),
          "bad_argument", "use other --nodes, or another collective, for example all_gather",
          ExitCode::kUsage);
    }
  }

  /// A type and operator that the communicator lacks is said before anything is allocated: an empty call.
  void refuse_early() {
    if (variants_.size() > 1) return;  // "all": skipped when its turn comes
    collective_.run(groups_.mine(), {nullptr,
                                     nullptr,
                                     0,
                                     variants_.front().dtype,
                                     variants_.front().op,
                                     std::max(roots_.front(), 0),
                                     {},
                                     memory_.stream()});
    groups_.mine().synchronize(memory_.stream());
  }

  std::int64_t padding() const { return 8 * std::int64_t{sweep_.unalign}; }

  /// Two buffers of the largest size must fit on the rank with the least memory.
  void fit_memory() {
    const std::vector<std::int64_t> free = comm::from_every_rank(world_, memory_.available_bytes());
    const auto least = std::min_element(free.begin(), free.end());
    const auto rank = static_cast<int>(least - free.begin());
    const std::int64_t capacity = *least / 2 - padding();
    if (sizes_.back() <= capacity) return;
    const std::string room = "rank " + std::to_string(rank) + " has " + format_bytes(*least) + " free";
    const std::int64_t asked = sizes_.back(), smallest = sizes_.front();
    while (!sizes_.empty() && sizes_.back() > capacity) sizes_.pop_back();
    if (sizes_.empty()) {
      throw EngineError("two buffers of " + format_bytes(smallest) + " do not fit: " + room, "out_of_memory",
                        "use a smaller -b, or free memory on its node (nvidia-smi, free -h)");
    }
    if (world_.rank() != rank) return;  // so that the finding has its node
    emitter_.finding(
        "warning", "sweep_range_cut",
        "the sweep ends at " + format_bytes(sizes_.back()) + " instead of " + format_bytes(asked) +
            ": two buffers must fit, and " + room,
        "free memory on its node (nvidia-smi, free -h), or pass -e " + std::to_string(sizes_.back()));
  }

  void allocate() {
    // A probing call needs 16 bytes for every rank.
    buffers_.bytes = std::max<std::int64_t>(sizes_.back(), 16 * std::int64_t{world_.world()});
    buffers_.send = static_cast<char*>(memory_.allocate(buffers_.bytes + padding()));
    buffers_.recv = static_cast<char*>(memory_.allocate(buffers_.bytes + padding()));
    register_buffers();
    buffers_.bytes = sizes_.back();
    if (world_.max_over_ranks(memory_.fallback() ? 1 : 0) > 0 && world_.rank() == 0) {
      emitter_.finding("info", "nccl_mem_fallback",
                       "ncclMemAlloc refused on some rank: buffers are from cudaMalloc",
                       "figures may be lower than with registered memory; see NCCL_CUMEM_ENABLE");
    }
  }

  void register_buffers() {
    if (sweep_.registration == 0) return;
    for (char* buffer : {buffers_.send, buffers_.recv}) {
      const std::int64_t bytes = buffers_.bytes + padding();
      registrations_.push_back(sweep_.registration == 2 ? groups_.mine().register_window(buffer, bytes)
                                                        : groups_.mine().register_buffer(buffer, bytes));
    }
    const bool refused = registrations_.front() == nullptr || registrations_.back() == nullptr;
    const std::vector<char> refusals = comm::from_every_rank(world_, refused ? '\1' : '\0');
    const auto first = static_cast<int>(std::find(refusals.begin(), refusals.end(), '\1') - refusals.begin());
    registered_ = first == world_.world();
    if (world_.rank() != first) return;  // so that the finding has its node
    emitter_.finding("warning", "no_registration",
                     "-R " + std::to_string(sweep_.registration) +
                         " has no effect: buffers cannot be registered on rank " + std::to_string(first),
                     "it needs GPUs whose driver supports cuMem (NCCL_CUMEM_ENABLE=1) and peer access");
  }

  Buffers shifted_buffers(DType dtype) const {
    const std::int64_t shift = sweep_.unalign * dtype_size(dtype);
    return {buffers_.send + shift, buffers_.recv + shift, buffers_.bytes};
  }

  /// Whether the communicator has the type and operator. Alone they must be there; of "all" the others run.
  bool possible(Runner& runner, const Variant& variant) {
    runner.fill_buffers(variant.dtype);
    const Case probe =
        my_case(variant, std::max(roots_.front(), 0), 16 * std::int64_t{groups_.mine().world()});
    try {
      runner.probe(probe);
      groups_.mine().synchronize(memory_.stream());
      return true;
    } catch (const EngineError& error) {
      if (error.code != "unsupported" || variants_.size() == 1) throw;
      refusal_ = error;
    }
    if (world_.rank() == 0) {
      emitter_.finding(
          "info", "pair_skipped",
          std::string(collective_.name) + " of " + comm::dtype_name(variant.dtype) +
              (collective_.kind().reduces ? std::string(" with ") + comm::redop_name(variant.op) : "") +
              " is left out: " + refusal_->what(),
          refusal_->help);
    }
    return false;
  }

  /// Every size once, because NCCL connects an algorithm's channels when it is first used.
  void warm_up(Runner& runner, const Variant& variant, int root) {
    for (const std::int64_t bytes : sizes_) runner.warm_up(my_case(variant, root, bytes));
  }

  void emit_overhead(Runner& runner) {
    std::array<double, 5> times{};
    for (double& time : times) time = runner.time_nothing();
    std::sort(times.begin(), times.end());
    const double us = world_.max_over_ranks(times[times.size() / 2]);
    if (world_.rank() != 0) return;
    emitter_.emit(record::Overhead{us, sweep_.iterations});
  }

  int iterations_to_time(double time_us) const {
    if (sweep_.per_iteration != 0) return std::max(sweep_.iterations, sweep_.per_iteration_skip + 1);
    const double affordable = kPerIterationBudgetUs / std::max(time_us * sweep_.agg_iterations, 0.1);
    const int count = static_cast<int>(std::min<double>(affordable, kManyIterations));
    const int least = std::min(sweep_.iterations, kFewIterations);
    return sweep_.per_iteration_skip + std::max(count, least);
  }

  /// `times` of every rank.
  std::vector<std::vector<double>> exchange_times(const std::vector<double>& times) {
    const auto bytes = static_cast<std::int64_t>(times.size() * sizeof(double));
    const std::vector<char> all = world_.exchange(times.data(), bytes);
    std::vector<std::vector<double>> of_ranks;
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(world_.world()); ++rank) {
      std::vector<double> row(times.size());
      std::memcpy(row.data(), all.data() + rank * static_cast<std::size_t>(bytes),
                  static_cast<std::size_t>(bytes));
      of_ranks.push_back(std::move(row));
    }
    return of_ranks;
  }

  /// Of all ranks of the world.
  PlacementFigures measure(Runner& runner, const Case& c) {
    RankFigures mine;
    runner.prepare(c);
    mine.time_us = runner.time(c);
    const int count = iterations_to_time(world_.max_over_ranks(mine.time_us));
    const std::vector<double> each = runner.time_each(c, count);
    mine.checked = sweep_.check > 0 && (!c.in_place || collective_.in_place);
    if (mine.checked) mine.timed = runner.check_timed(c);
    for (int check = 0; mine.checked && check < sweep_.check; ++check) {
      const Fault fault = runner.check_fresh(c);
      const std::int64_t before = mine.fresh.count;
      if (before == 0) mine.fresh = fault;
      if (before > 0) mine.fresh.count += fault.count;
    }
    return {comm::from_every_rank(world_, mine), exchange_times(each),
            static_cast<std::size_t>(sweep_.per_iteration_skip)};
  }

  /// Reading the path from a captured graph makes NCCL's later launches slower for good, and freeing what it
  /// registered for the graph takes milliseconds of a later sweep. So its log is asked, which says nothing of
  /// sends and receives; a graph is read for copy engines alone, about which the log is silent too.
  Path path_of(Runner& runner, const Case& c) {
    constexpr int kZeroCta = 2;
    Path path;
    const auto issue = [&] { runner.issue(c); };
    const comm::Choice choice = groups_.mine().choice_of(issue, memory_.stream());
    const bool on_gpus = std::string_view(groups_.mine().backend()) == "nccl";
    if (!on_gpus || sweep_.cta_policy == kZeroCta)
      comm::put_text(path.text, groups_.mine().path_of(issue, memory_.stream()));
    comm::put_text(path.algorithm, choice.algorithm);
    comm::put_text(path.protocol, choice.protocol);
    path.channels = choice.channels;
    return path;
  }

  void measure_size(Runner& runner, const Variant& variant, int root, std::int64_t bytes) {
    Case c = my_case(variant, root, bytes);
    std::array<PlacementFigures, kPlacements> figures;
    for (int placement = 0; placement < kPlacements; ++placement) {
      c.in_place = placement == 1;
      figures[static_cast<std::size_t>(placement)] = measure(runner, c);
    }
    // After the figures, and outside of every timed part.
    c.in_place = false;
    const std::vector<Path> paths = comm::from_every_rank(world_, path_of(runner, c));
    for (int group = 0; group < groups_.count(); ++group) {
      const std::vector<int>& members = groups_.members(group);
      const Case of_group = case_of(variant, root, bytes, static_cast<int>(members.size()));
      finish_group(of_group, figures, group, paths[static_cast<std::size_t>(members.front())]);
    }
  }

  /// Takes the group's part of the figures, counts what is wrong, and emits its record.
  void finish_group(Case c, const std::array<PlacementFigures, kPlacements>& figures, int group,
                    const Path& path) {
    const std::vector<int>& members = groups_.members(group);
    record::Collective row = describe(c, group);
    for (int placement = 0; placement < kPlacements; ++placement) {
      c.in_place = placement == 1;
      const PlacementFigures& all = figures[static_cast<std::size_t>(placement)];
      PlacementFigures own{{}, {}, all.skip};
      for (const int rank : members) {
        own.ranks.push_back(all.ranks[static_cast<std::size_t>(rank)]);
        own.iterations.push_back(all.iterations[static_cast<std::size_t>(rank)]);
        wrong_total_ += own.ranks.back().timed.count + own.ranks.back().fresh.count;
      }
      row.*kPlacementOf[static_cast<std::size_t>(placement)] =
          placement_record(c, own, members, sweep_.average, sweep_.per_iteration != 0);
      if (!row.first_wrong) row.first_wrong = first_wrong(c, own, members);
    }
    if (!wrong_) wrong_ = row.first_wrong;
    if (world_.rank() != 0) return;
    add_path(path, row);
    emitter_.emit(row);
  }

  record::Collective describe(const Case& c, int group) const {
    const std::vector<int>& members = groups_.members(group);
    record::Collective row;
    row.collective = collective_.name;
    row.size_bytes = c.size();
    row.count = c.layout.count;
    row.dtype = comm::dtype_name(c.dtype);
    row.redop = collective_.kind().reduces ? comm::redop_name(c.op) : "none";
    row.root = c.root;
    row.ranks = static_cast<int>(members.size());
    row.iterations = sweep_.iterations;
    row.agg_iterations = sweep_.agg_iterations;
    row.graph_launches = sweep_.graph_launches;
    row.cta_policy = sweep_.cta_policy;
    row.registration = !registered_ ? "none" : sweep_.registration == 2 ? "symmetric" : "local";
    row.group = group;
    row.groups = groups_.count();
    if (groups_.split()) row.group_ranks = members;
    if (sweep_.timestamps) row.timestamp = timestamp();
    return row;
  }

  static void add_path(const Path& path, record::Collective& row) {
    row.path = path.text.data();
    row.algorithm = path.algorithm.data();
    if (row.algorithm.empty()) return;
    row.protocol = path.protocol.data();
    row.channels = path.channels;
  }

  const plan::CollectiveSweep& sweep_;
  const Collective& collective_;
  const std::vector<Variant> variants_;
  std::vector<std::int64_t> sizes_;
  comm::Communicator& world_;
  Memory& memory_;
  const Emitter& emitter_;
  Groups groups_;
  const std::vector<int> roots_;
  Buffers buffers_;
  std::vector<std::shared_ptr<void>> registrations_;
  bool registered_ = false;
  std::optional<EngineError> refusal_;
  std::optional<record::FirstWrong> wrong_;
  std::int64_t wrong_total_ = 0;
};

}  // namespace

void run_sweep(const plan::CollectiveSweep& sweep, comm::Communicator& world, Memory& memory,
               const Emitter& emitter, const plan::RankPlace& place) {
  refuse_invalid(sweep);
  Sweep runner(sweep, world, memory, emitter, place);
  const std::int64_t begin = monotonic_ns();
  const auto window = [&] {
    if (place.local_rank != 0) return;
    emitter.emit(record::Window{"sweep", begin, monotonic_ns()});
  };
  try {
    runner.run();
  } catch (const EngineError& error) {
    if (error.code == "wrong_data") window();  // the sweep is complete: its figures count
    throw;
  }
  window();
}

}  // namespace sxb::engine::bench
