#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/units.h"
#include "plan/validate.h"

namespace sxb::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::Cluster cluster(int nodes) {
  config::Cluster c;
  c.name = "mine";
  c.source = "mine.json";
  for (int i = 1; i <= nodes; ++i) {
    config::Node node;
    node.name = node.host = fmt::format("n{}", i);
    c.nodes.push_back(node);
  }
  return c;
}

DeviceFacts gpus(int per_node) { return {true, per_node, 1, 139 * kGiB}; }

std::vector<std::string> places(const Status& status) {
  std::vector<std::string> where;
  for (const Error& error : status.errors()) {
    where.push_back(error.where);
    EXPECT_FALSE(error.what.empty());
    EXPECT_FALSE(error.help.empty()) << error.what;
    EXPECT_EQ(error.code, ExitCode::kUsage) << error.what;
  }
  return where;
}

struct Bad {
  const char* flag;
  std::function<void(CollectiveSweep&)> change;
};

TEST(ValidateSweep, RefusesEachBadValueAtItsFlag) {
  const Bad cases[] = {{"--collectives", [](auto& s) { s.collective = "all_reduc"; }},
                       {"-d", [](auto& s) { s.dtype = "flaot"; }},
                       {"-o", [](auto& s) { s.redop = "median"; }},
                       {"-b", [](auto& s) { s.min_bytes = 0; }},
                       {"-e", [](auto& s) { s.max_bytes = (std::int64_t{1} << 46) + 4; }},
                       {"-i", [](auto& s) { s.step_bytes = (std::int64_t{1} << 46) + 4; }},
                       {"-f", [](auto& s) { s.step_factor = (std::int64_t{1} << 46) + 1; }},
                       {"-n", [](auto& s) { s.iterations = 1'000'001; }},
                       {"-w", [](auto& s) { s.warmup = 1'000'001; }},
                       {"-c", [](auto& s) { s.check = 1'000'001; }},
                       {"-m", [](auto& s) { s.agg_iterations = 1'000'001; }},
                       {"-G", [](auto& s) { s.graph_launches = 1'000'001; }},
                       {"-b", [](auto& s) { s.min_bytes = 10; }},
                       {"-e", [](auto& s) { s.max_bytes = 4; }},
                       {"-i", [](auto& s) { s.step_bytes = -1; }},
                       {"-i", [](auto& s) { s.step_bytes = 3; }},
                       {"-f", [](auto& s) { s.step_factor = 1; }},
                       {"-n", [](auto& s) { s.iterations = 0; }},
                       {"-w", [](auto& s) { s.warmup = -1; }},
                       {"-c", [](auto& s) { s.check = -1; }},
                       {"-m", [](auto& s) { s.agg_iterations = 0; }},
                       {"-T", [](auto& s) { s.timeout_s = -1; }},
                       {"-G", [](auto& s) { s.graph_launches = -1; }},
                       {"-K", [](auto& s) { s.per_iteration_skip = 20; }},
                       {"-K", [](auto& s) { s.per_iteration_skip = -1; }},
                       {"-r", [](auto& s) { s.root = -2; }},
                       {"-z", [](auto& s) { s.blocking = 4; }},
                       {"-R", [](auto& s) { s.registration = 3; }},
                       {"-x", [](auto& s) { s.cta_policy = 3; }},
                       {"-a", [](auto& s) { s.average = 4; }},
                       {"-I", [](auto& s) { s.per_iteration = 2; }},
                       {"-u", [](auto& s) { s.unalign = -1; }},
                       {"--alltoallv-spread", [](auto& s) { s.spread = 1.5; }},
                       {"--split", [](auto& s) { s.split = "rail"; }},
                       {"-G with -z", [](auto& s) { s.graph_launches = 1, s.blocking = 2; }},
                       {"-G with -I", [](auto& s) { s.graph_launches = 1, s.per_iteration = 1; }}};
  EXPECT_TRUE(validate_sweep({}).ok());
  for (const Bad& bad : cases) {
    CollectiveSweep sweep;
    bad.change(sweep);
    EXPECT_THAT(places(validate_sweep(sweep)), ElementsAre(bad.flag));
  }
}

/// A rank reads its sweep with the same bounds: what validate_sweep() accepts, a rank reads.
TEST(ValidateSweep, AcceptsNoMoreThanARankReads) {
  CollectiveSweep most;
  most.max_bytes = most.step_bytes = std::int64_t{1} << 46;
  most.iterations = most.warmup = most.check = most.agg_iterations = most.graph_launches = 1'000'000;
  most.unalign = 1'000'000;
  most.root = 1 << 20;
  EXPECT_TRUE(validate_sweep(most).ok()) << format_errors(validate_sweep(most).errors());
  const auto read = parse_sweep(to_json(most), "stdin");
  EXPECT_TRUE(read.ok()) << format_errors(read.errors());
}

TEST(ValidateSweep, SuggestsTheNameThatWasMeant) {
  CollectiveSweep sweep;
  sweep.collective = "all_reduc";
  sweep.dtype = "bfloat61";
  EXPECT_EQ(validate_sweep(sweep).errors()[0].help, "did you mean \"all_reduce\"?");
  EXPECT_EQ(validate_sweep(sweep).errors()[1].help, "did you mean \"bfloat16\"?");
  sweep = {};
  sweep.dtype = sweep.redop = "all";
  EXPECT_TRUE(validate_sweep(sweep).ok());
}

TEST(ValidateSweep, SizesAreWholeElements) {
  CollectiveSweep sweep;
  sweep.min_bytes = 10;
  EXPECT_EQ(validate_sweep(sweep).error().what, "10 bytes are no whole number of float elements of 4 bytes");
  EXPECT_EQ(validate_sweep(sweep).error().help, "use -b 8 or 12");
  sweep.dtype = "all";  // holds for the largest of them
  sweep.min_bytes = 4;
  EXPECT_EQ(validate_sweep(sweep).error().help, "use -b 8");
  sweep.dtype = "int8";
  EXPECT_TRUE(validate_sweep(sweep).ok());
}

std::vector<std::string> places_on(const CollectiveSweep& sweep, int nodes, const DeviceFacts& facts) {
  return places(validate_sweep_on(sweep, cluster(nodes), nodes, facts));
}

TEST(ValidateSweepOn, TheRootIsARankOfTheWorldOrOfItsGroup) {
  CollectiveSweep sweep;
  sweep.collective = "broadcast";
  sweep.root = 7;
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre());
  EXPECT_THAT(places_on(sweep, 1, gpus(4)), ElementsAre("-r"));
  sweep.split = "nodes";
  const Error error = validate_sweep_on(sweep, cluster(2), 2, gpus(4)).error();
  EXPECT_EQ(error.what, "there is no rank 7 on 2 nodes");
  EXPECT_EQ(error.help, "the ranks of a group are 0 to 3; -r all takes each in turn");
  sweep.root = -1;
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre());
  sweep = {};
  sweep.root = 100;  // all_reduce has no root: nccl-tests ignores it as well
  EXPECT_THAT(places_on(sweep, 1, gpus(4)), ElementsAre());
}

TEST(ValidateSweepOn, GroupsHaveOneSizeAndTwoRanks) {
  CollectiveSweep sweep;
  sweep.split = "rails";
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre());
  EXPECT_EQ(validate_sweep_on(sweep, cluster(1), 1, gpus(4)).error().what,
            "split \"rails\" makes 4 groups of one rank on 1 node: nothing would be sent");
  sweep.split = "pairs";
  EXPECT_THAT(places_on(sweep, 4, gpus(4)), ElementsAre());
  EXPECT_EQ(validate_sweep_on(sweep, cluster(3), 3, gpus(4)).error().what,
            "split \"pairs\" makes groups of 4 and of 8 ranks on 3 nodes");
  sweep.split = "MOD 3";
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre("--split"));
  sweep.split = "MOD 4";
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre());
}

TEST(ValidateSweepOn, TheTrafficMatrixHasARowForEachRank) {
  CollectiveSweep sweep;
  sweep.collective = "alltoallv";
  sweep.matrix.rows = std::vector(4, std::vector<std::int64_t>(4, 16));
  EXPECT_THAT(places_on(sweep, 1, gpus(4)), ElementsAre());
  EXPECT_THAT(places_on(sweep, 1, gpus(2)), ElementsAre()) << "its first two";
  const Error error = validate_sweep_on(sweep, cluster(2), 2, gpus(4)).error();
  EXPECT_EQ(error.where, "--alltoallv-matrix");
  EXPECT_EQ(error.what, "the traffic matrix has 4 rows, there are 8 ranks on 2 nodes");
  sweep.split = "nodes";
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre()) << "groups of four";
}

TEST(ValidateSweepOn, HypercubeNeedsAPowerOfTwo) {
  CollectiveSweep sweep;
  sweep.collective = "hypercube";
  EXPECT_THAT(places_on(sweep, 2, gpus(4)), ElementsAre());
  const Error error = validate_sweep_on(sweep, cluster(3), 3, gpus(4)).error();
  EXPECT_THAT(error.what, HasSubstr("there are 12 on 3 nodes"));
  EXPECT_THAT(error.help, HasSubstr("all_reduce,"));
  EXPECT_THAT(error.help, testing::Not(HasSubstr("hypercube")));
}

TEST(ValidateSweepOn, CpuRanksHaveNoGpuModes) {
  CollectiveSweep sweep;
  sweep.registration = 2;
  sweep.cta_policy = 2;
  sweep.graph_launches = 1;
  EXPECT_THAT(places_on(sweep, 1, gpus(4)), ElementsAre());
  const DeviceFacts cpu{false, 0, 2, 8 * kGiB};
  EXPECT_THAT(places_on(sweep, 1, cpu), ElementsAre("-R", "-x", "-G"));
  sweep = {};
  sweep.dtype = "bfloat16";
  EXPECT_THAT(places_on(sweep, 1, cpu), ElementsAre("-d"));
  sweep.collective = "all_gather";  // nothing is computed
  EXPECT_THAT(places_on(sweep, 1, cpu), ElementsAre());
  sweep = {};
  sweep.dtype = "all";  // what Gloo lacks is left out
  EXPECT_THAT(places_on(sweep, 1, cpu), ElementsAre());
}

TEST(ValidateSweepOn, TheSmallestSizeFits) {
  CollectiveSweep sweep;
  sweep.min_bytes = sweep.max_bytes = 80 * kGiB;
  EXPECT_THAT(places_on(sweep, 1, gpus(4)), ElementsAre("-b"));
  EXPECT_THAT(places_on(sweep, 1, {true, 4, 1, 0}), ElementsAre());  // the memory is not known
  sweep.min_bytes = 8;                                               // larger sizes are cut, with a warning
  EXPECT_THAT(places_on(sweep, 1, gpus(4)), ElementsAre());
}

TEST(Validate, SaysOnceWhatHoldsForAllCollectives) {
  PlanInput in;
  in.cluster = cluster(1);
  in.node_counts = {1};
  in.phases = {Phase::kNccl};
  in.sweeps.resize(2);
  in.sweeps[1].collective = "reduce";
  in.sweeps[1].root = 9;
  for (CollectiveSweep& sweep : in.sweeps) sweep.split = "rails";
  EXPECT_THAT(places(validate(in, gpus(4))), ElementsAre("--split"));
  for (CollectiveSweep& sweep : in.sweeps) sweep.split = "";
  EXPECT_THAT(places(validate(in, gpus(4))), ElementsAre("-r"));
  in.sweeps.clear();
  EXPECT_THAT(places(validate(in, gpus(4))), ElementsAre("--collectives"));
}

}  // namespace
}  // namespace sxb::plan
