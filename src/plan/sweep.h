// One collective sweep: names and meanings of nccl-tests' flags (2.19.6). Where a default differs from
// nccl-tests', the field says so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/reader.h"

namespace sxb::plan {

/// How much every rank sends to every other: bytes, row = sender, column = receiver, multiples of 16.
struct TrafficMatrix {
  std::vector<std::vector<std::int64_t>> rows;  ///< as many columns as rows; empty = there is none

  bool empty() const { return rows.empty(); }
  std::size_t size() const { return rows.size(); }
  /// The most that one of the first `ranks` ranks sends or receives among them.
  std::int64_t most_bytes(std::size_t ranks) const;
  bool operator==(const TrafficMatrix&) const = default;
};

/// Reads it as nccl-tests does (NCCL_TESTS_ALLTOALLV_MATRIX_FILE): numbers between blanks, a row a line,
/// empty lines left out; each value times `scale`, down to a multiple of 16. Errors at "path:line".
Result<TrafficMatrix> parse_traffic_matrix(const std::string& text, const std::string& path, double scale);

struct CollectiveSweep {
  std::string collective = "all_reduce";
  std::int64_t min_bytes = 8;          // -b (nccl-tests: 32 MiB)
  std::int64_t max_bytes = 8LL << 30;  // -e (nccl-tests: 32 MiB)
  std::int64_t step_factor = 2;        // -f
  std::int64_t step_bytes = 0;         // -i; 0 = use the factor
  int iterations = 20;                 // -n
  int warmup = 5;                      // -w, before the first size
  int check = 1;                       // -c; checks per size and placement, 0 = none
  std::string dtype = "float";         // -d; "all" = each that NCCL has
  std::string redop = "sum";           // -o; "all" = each that NCCL has
  int agg_iterations = 1;              // -m; calls in one group, the time is divided by it
  int root = 0;                        // -r; -1 = every rank in turn
  int blocking = 0;            // -z; 1 wait and barrier per call, 2 wait only, 3 both per -n, barrier untimed
  int graph_launches = 0;      // -G; 0 = no CUDA graph
  int registration = 0;        // -R; 1 = ncclCommRegister, 2 = symmetric window
  int cta_policy = -1;         // -x; 0 default, 1 efficiency, 2 zero CTA; -1 = not set
  int average = 3;             // -a; 0 rank 0, 1 mean, 2 min, 3 max over ranks (nccl-tests: 1)
  int timeout_s = 0;           // -T; 0 = the communicator's own
  bool timestamps = false;     // -S
  int per_iteration = 0;       // -I; columns of the text. Measured and recorded always
  int per_iteration_skip = 0;  // -K; first iterations that the statistics leave out
  int unalign = 0;             // -u; elements by which both buffers are shifted
  /// "" = all ranks together; "rails" = ranks of equal place on their nodes, "nodes" = ranks of one
  /// node, "pairs" = ranks of nodes 2k and 2k+1; or as NCCL_TESTS_SPLIT: "MOD 8", "DIV 8", "AND 0x7",
  /// "OR 0x7" of the rank. All groups run at the same time.
  std::string split;
  /// alltoallv: 0 = equal parts for all peers, 1 = a part grows with the distance of the peer.
  double spread = 1;  // NCCL_TESTS_ALLTOALLV_SPREAD
  /// alltoallv: what to send instead. The first rows and columns, as many as a group has ranks; one size.
  TrafficMatrix matrix;  // NCCL_TESTS_ALLTOALLV_MATRIX_FILE
};

/// Sizes from min_bytes to max_bytes, multiplied by the factor or, if step_bytes > 0, increased by the step.
/// For what validate_sweep() accepts.
std::vector<std::int64_t> sizes_of(const CollectiveSweep& sweep);

/// Keys are the names above, spread and matrix are "alltoallv_spread" and "alltoallv_matrix". Fields that
/// came after plan ids were first kept stand in it only where they differ from the default.
Json to_json(const CollectiveSweep& sweep);
Result<CollectiveSweep> parse_sweep(const Json& json, const std::string& where);
/// The same inside a larger document; errors go to the reader's list.
void read_sweep(config::ObjectReader reader, CollectiveSweep& sweep);

/// Names as nccl-tests spells them, in the order in which "all" takes them; of the collectives
/// (plan/collectives.h), and of NCCL's types and operators: a test compares them with the engine's.
const std::vector<std::string>& collective_names();
const std::vector<std::string>& dtype_names();
const std::vector<std::string>& redop_names();
bool has_redop(const std::string& collective);
bool has_root(const std::string& collective);
/// Bytes of one element; 0 if the name is unknown.
int dtype_bytes(const std::string& dtype);

/// Where a rank stands, as far as a split looks at it.
struct RankPlace {
  int rank = 0;
  int local_rank = 0;
  int node_rank = 0;
};
/// The color of a rank: ranks of one color form a group, and groups are numbered in the order of their
/// colors. 0 for "". An error (where: "--split") if the text is none of those that `split` may have.
Result<int> split_color(const std::string& split, const RankPlace& place);

}  // namespace sxb::plan
