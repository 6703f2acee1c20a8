#include "record/kinds/collective.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<Iterations> R>
void rows(V& visit, R& r) {
  visit(r.count, {"count", "", Hint::kCount, "Iterations."});
  visit(r.min_us, {"min_us", "us", Hint::kMicroseconds, "Shortest."});
  visit(r.p50_us, {"p50_us", "us", Hint::kMicroseconds, "Median."});
  visit(r.p95_us, {"p95_us", "us", Hint::kMicroseconds, "95th percentile."});
  visit(r.p99_us, {"p99_us", "us", Hint::kMicroseconds, "99th percentile."});
  visit(r.max_us, {"max_us", "us", Hint::kMicroseconds, "Longest."});
  visit(r.mean_us, {"mean_us", "us", Hint::kMicroseconds, "Mean."});
  visit(r.cv_pct, {"cv_pct", "%", Hint::kPercent, "Coefficient of variation: standard deviation / mean."});
}

template <typename V, Of<Placement> R>
void rows(V& visit, R& r) {
  visit(r.time_us, {"time_us", "us", Hint::kMicroseconds,
                    "Over the ranks, by -a the maximum, of the mean over iterations."});
  visit(r.algbw_gBps,
        {"algbw_gBps", "GB/s", Hint::kGBps,
         "size / time (nccl-tests doc/PERFORMANCE.md); null with one rank, which transfers nothing.",
         Absent::kNull});
  visit(r.busbw_gBps,
        {"busbw_gBps", "GB/s", Hint::kGBps,
         "algbw x the factor of the collective (nccl-tests doc/PERFORMANCE.md); null with one rank.",
         Absent::kNull});
  visit(r.wrong,
        {"wrong", "", Hint::kCount, "Wrong elements in the check; null when not checked.", Absent::kNull});
  visit(r.wrong_timed,
        {"wrong_timed", "", Hint::kCount,
         "Elements that the timed iterations left wrong; null when not checked.", Absent::kNull});
  visit(r.per_iteration,
        {"per_iteration", "", Hint::kText, "Statistics of a further run, iteration by iteration."});
  visit(r.slowest_rank, {"slowest_rank", "", Hint::kCount, "Rank whose mean iteration was longest."});
  visit(r.rank_spread_pct,
        {"rank_spread_pct", "%", Hint::kPercent, "(max - min) / max of the ranks' means."});
  visit(r.times_us, {"times_us", "us", Hint::kMicroseconds,
                     "With -I every time, the maximum over ranks, also of iterations that -K leaves out.",
                     Absent::kLeftOut});
  visit(r.rank_times_us,
        {"rank_times_us", "us", Hint::kMicroseconds, "With -I the times of each rank.", Absent::kLeftOut});
}

template <typename V, Of<FirstWrong> R>
void rows(V& visit, R& r) {
  visit(r.rank, {"rank", "", Hint::kCount, "Rank of the world."});
  visit(r.offset, {"offset", "", Hint::kCount, "Element of its result."});
  visit(r.expected, {"expected", "", Hint::kText, "What it should be."});
  visit(r.found, {"found", "", Hint::kText, "What it is."});
  visit(r.placement, {"placement", "", Hint::kText, "out_of_place or in_place."});
  visit(r.when, {"when", "", Hint::kText, "timed or check."});
}

template <typename V, Of<Collective> R>
void rows(V& visit, R& r) {
  visit(r.collective, {"collective", "", Hint::kText, "all_reduce, ..."});
  visit(r.size_bytes, {"size_bytes", "B", Hint::kBytes, "nccl-tests' size column."});
  visit(r.count, {"count", "", Hint::kCount, "Elements, nccl-tests' count column."});
  visit(r.dtype, {"dtype", "", Hint::kText, "nccl-tests' type name."});
  visit(r.redop, {"redop", "", Hint::kText,
                  "sum, prod, min, max, avg, mulsum (each rank's elements times 1 or 2, then the sum); none "
                  "where there is no operator."});
  visit(r.root, {"root", "", Hint::kCount, "Root rank, counted in the group, or -1."});
  visit(r.ranks, {"ranks", "", Hint::kCount, "Ranks in the communicator: of the group."});
  visit(r.group, {"group", "", Hint::kCount, "Index of the group, from 0 (--split)."});
  visit(r.groups, {"groups", "", Hint::kCount, "Groups that ran at the same time; 1 = not split."});
  visit(r.group_ranks,
        {"group_ranks", "", Hint::kText, "Ranks of the group (array), only of a split.", Absent::kLeftOut});
  visit(r.iterations, {"iterations", "", Hint::kCount, "Timed iterations."});
  visit(r.agg_iterations,
        {"agg_iterations", "", Hint::kCount, "Calls of an iteration, in one group; times are of one call."});
  visit(r.graph_launches, {"graph_launches", "", Hint::kCount,
                           "Launches of a CUDA graph of all iterations; 0 = no graph, each call launched."});
  visit(r.registration, {"registration", "", Hint::kText,
                         "Of the buffers: none, local (ncclCommRegister) or symmetric (windows)."});
  visit(r.cta_policy,
        {"cta_policy", "", Hint::kCount, "NCCL's CTAPolicy: 0 default, 1 efficiency, 2 zero; -1 = not set."});
  visit(r.path,
        {"path", "", Hint::kText,
         "What the device ran, read from a captured graph: kernels with their thread blocks, or copy engine.",
         Absent::kLeftOut});
  visit(r.algorithm,
        {"algorithm", "", Hint::kText, "What NCCL's tuner chose by its own log; missing where it tells none.",
         Absent::kLeftOut});
  visit(r.protocol,
        {"protocol", "", Hint::kText, "The same; of symmetric windows the kernel.", Absent::kLeftOut});
  visit(r.channels, {"channels", "", Hint::kCount, "The same."});
  visit(r.timestamp, {"timestamp", "", Hint::kText, "Local time of rank 0's node at the end of the row (-S).",
                      Absent::kLeftOut});
  visit(r.out_of_place, {"out_of_place", "", Hint::kText, "The collective into a buffer of its own."});
  visit(r.in_place, {"in_place", "", Hint::kText,
                     "The same in place; wrong is null where nccl-tests defines no result (alltoall, "
                     "alltoallv, sendrecv)."});
  visit(r.first_wrong, {"first_wrong", "", Hint::kText, "Only when elements were wrong: the first of them."});
}

template <typename V, Of<Overhead> R>
void rows(V& visit, R& r) {
  visit(r.null_call_us,
        {"null_call_us", "us", Hint::kMicroseconds,
         "Time of a call that does nothing, measured as a collective is: what the harness adds to each."});
  visit(r.iterations,
        {"iterations", "", Hint::kCount, "Calls that it is the mean of; the median of five such runs."});
}

SXB_RECORD_KIND(Collective)
SXB_RECORD_KIND(Overhead)
// Reports show it by itself.
template Json write<FirstWrong>(const FirstWrong&);

}  // namespace sxb::record
