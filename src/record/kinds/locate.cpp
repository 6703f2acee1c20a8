#include "record/kinds/locate.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<LocateEnd> R>
void rows(V& visit, R& r) {
  visit(r.node, {"node", "", Hint::kText, "Name of the node."});
  visit(r.rank, {"rank", "", Hint::kCount, "Rank in the task."});
}

template <typename V, Of<LocateNode> R>
void rows(V& visit, R& r) {
  visit(r.stage, {"stage", "", Hint::kText, "node, or confirm."});
  visit(r.round,
        {"round", "", Hint::kCount, "Round of the search, from 0; probes of one round ran at once."});
  visit(r.node, {"node", "", Hint::kText, "The node, whose ranks were probed together."});
  visit(r.ranks, {"ranks", "", Hint::kCount, "Its ranks."});
  visit(r.collective, {"collective", "", Hint::kText, "all_reduce."});
  visit(r.size_bytes, {"size_bytes", "B", Hint::kBytes, "Bytes that each rank gave."});
  visit(r.busbw_gBps,
        {"busbw_gBps", "GB/s", Hint::kGBps,
         "Bus bandwidth, 2 (n - 1) / n of size / time (nccl-tests); null with one rank, or when it failed.",
         Absent::kNull});
  visit(r.time_us, {"time_us", "us", Hint::kMicroseconds,
                    "Median over the iterations of the maximum over ranks.", Absent::kNull});
  visit(r.iterations, {"iterations", "", Hint::kCount, "Timed iterations.", Absent::kNull});
  visit(r.tflops, {"tflops", "TFLOP/s", Hint::kNumber,
                   "By local rank (array): median rate of a matrix product of 8192 in BF16; null on the CPU, "
                   "whose cores are shared."});
  visit(r.failure, {"failure", "", Hint::kText, "Why there is no figure; null if there is.", Absent::kNull});
}

template <typename V, Of<LocateLink> R>
void rows(V& visit, R& r) {
  visit(r.stage, {"stage", "", Hint::kText, "pair, sample, repeat, bisect, cross or confirm."});
  visit(r.round, {"round", "", Hint::kCount, "As in locate_node."});
  visit(r.rail, {"rail", "", Hint::kCount, "Local rank of both ends."});
  visit(r.a, {"a", "", Hint::kText, "One end."});
  visit(r.b, {"b", "", Hint::kText, "The other end."});
  visit(r.ranks, {"ranks", "", Hint::kCount, "Ranks that took part: two."});
  visit(r.collective, {"collective", "", Hint::kText, "all_reduce."});
  visit(r.size_bytes,
        {"size_bytes", "B", Hint::kBytes, "Bytes that each rank gave, and that cross the link each way."});
  visit(r.busbw_gBps,
        {"busbw_gBps", "GB/s", Hint::kGBps,
         "What crosses the link each way at the same time; the slower way limits it. Null when it failed.",
         Absent::kNull});
  visit(r.time_us, {"time_us", "us", Hint::kMicroseconds,
                    "Median over the iterations of the maximum over ranks.", Absent::kNull});
  visit(r.iterations, {"iterations", "", Hint::kCount, "Timed iterations.", Absent::kNull});
  visit(r.a_to_b_gBps, {"a_to_b_gBps", "GB/s", Hint::kGBps, "Stage confirm: a sends alone.", Absent::kNull});
  visit(r.b_to_a_gBps, {"b_to_a_gBps", "GB/s", Hint::kGBps, "Stage confirm: b sends alone.", Absent::kNull});
  visit(r.failure, {"failure", "", Hint::kText, "Why there is no figure; null if there is.", Absent::kNull});
}

template <typename V, Of<LocateGroup> R>
void rows(V& visit, R& r) {
  visit(r.stage, {"stage", "", Hint::kText, "rail, bisect or confirm."});
  visit(r.round, {"round", "", Hint::kCount, "As in locate_node."});
  visit(r.rail, {"rail", "", Hint::kCount, "Local rank of all members."});
  visit(r.nodes, {"nodes", "", Hint::kText, "Names of the nodes in the ring (array)."});
  visit(r.ranks, {"ranks", "", Hint::kCount, "Ranks in the ring."});
  visit(r.collective, {"collective", "", Hint::kText, "all_reduce."});
  visit(r.size_bytes, {"size_bytes", "B", Hint::kBytes, "Bytes that each rank gave."});
  visit(r.busbw_gBps,
        {"busbw_gBps", "GB/s", Hint::kGBps,
         "Bus bandwidth; in a ring what the slowest link carries. Null when it failed.", Absent::kNull});
  visit(r.time_us, {"time_us", "us", Hint::kMicroseconds,
                    "Median over the iterations of the maximum over ranks.", Absent::kNull});
  visit(r.iterations, {"iterations", "", Hint::kCount, "Timed iterations.", Absent::kNull});
  visit(r.failure, {"failure", "", Hint::kText, "Why there is no figure; null if there is.", Absent::kNull});
}

template <typename V, Of<Locate> R>
void rows(V& visit, R& r) {
  visit(r.nodes, {"nodes", "", Hint::kCount, "Nodes that took part."});
  visit(r.rounds, {"rounds", "", Hint::kCount, "Rounds of the search."});
  visit(r.repeats, {"repeats", "", Hint::kCount, "How often a suspect was to be tested again (--rounds)."});
  visit(r.all_pairs,
        {"all_pairs", "", Hint::kFlag, "Every pair was probed; else samples and slow groups, halved."});
  visit(r.size_bytes, {"size_bytes", "B", Hint::kBytes, "Bytes of each all-reduce."});
  visit(r.duration_s,
        {"duration_s", "s", Hint::kSeconds, "From the meeting of the ranks to the last answer."});
}

SXB_RECORD_KIND(LocateNode)
SXB_RECORD_KIND(LocateLink)
SXB_RECORD_KIND(LocateGroup)
SXB_RECORD_KIND(Locate)

}  // namespace sxb::record
