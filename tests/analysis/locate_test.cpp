// Searches as their records tell them: what is named, with which evidence.
#include "analysis/locate/locate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "analysis/analysis.h"
#include "analysis/verdict/verdicts.h"

namespace sxb::analysis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
namespace kind = record::kind;

/// GB/s of a pair on a rail; `round` lets a fault go away. 0: no answer.
using PairFigure = std::function<double(int a, int b, int rail, int round)>;

/// A search over nodes n0, n1, ..., recorded as the engine records it.
struct Recorded {
  Dataset dataset;
  int nodes, rails;
  PairFigure pair = [](int, int, int, int) { return 48.0; };
  std::function<double(int node, int local)> tflops = [](int, int) { return 700.0; };
  double out_share = 1;  ///< of what node 1 sends, in its single ways

  Recorded(int node_count, int rail_count) : nodes(node_count), rails(rail_count) {
    TaskData& task = dataset.tasks.emplace_back();
    task.phase = "locate";
    task.attempt = 1;
    Json names = Json::array();
    for (int i = 0; i < nodes; ++i) names.push_back(name(i));
    add(kind::kTaskStart, {{"nodes", names}, {"world", nodes * rails}});
    for (int rank = 0; rank < nodes * rails; ++rank) add(kind::kDevice, {{"gpu", rank % rails}}, rank);
  }
  static std::string name(int i) { return "n" + std::to_string(i); }

  void add(const char* of, Json data, int rank = 0) {
    record::Record record;
    record.kind = of;
    record.rank = rank;
    record.data = std::move(data);
    dataset.tasks.front().add({1, std::move(record)});
  }

  void add_pair(const plan::ProbeRound& round, int a, int b) {
    for (int rail = 0; rail < rails; ++rail) {
      const double value = pair(a, b, rail, round.number);
      Json data = {{"stage", plan::to_string(round.stage)},
                   {"round", round.number},
                   {"rail", rail},
                   {"size_bytes", 4},
                   {"a", {{"node", name(a)}, {"rank", a * rails + rail}}},
                   {"b", {{"node", name(b)}, {"rank", b * rails + rail}}},
                   {"busbw_gBps", value > 0 ? Json(value) : Json(nullptr)},
                   {"failure", value > 0 ? Json(nullptr) : Json("timed out")}};
      if (round.stage == plan::LocateStage::kConfirm) {
        data["a_to_b_gBps"] = 48 * (a == 1 ? out_share : 1);
        data["b_to_a_gBps"] = 48 * (b == 1 ? out_share : 1);
      }
      add(kind::kLocateLink, std::move(data));
    }
  }
  void add_node(const plan::ProbeRound& round, int node) {
    Json rates = Json::array();
    for (int local = 0; local < rails; ++local) rates.push_back(tflops(node, local));
    add(kind::kLocateNode, {{"stage", plan::to_string(round.stage)},
                            {"round", round.number},
                            {"node", name(node)},
                            {"size_bytes", 4},
                            {"tflops", rates},
                            {"busbw_gBps", rails > 1 ? Json(360) : Json(nullptr)}});
  }
  void add_ring(const plan::ProbeRound& round, const std::vector<int>& members) {
    Json names = Json::array();
    for (const int node : members) names.push_back(name(node));
    for (int rail = 0; rail < rails; ++rail) {
      double slowest = 1e9;
      for (std::size_t i = 0; i + 1 < members.size(); ++i)
        slowest = std::min(slowest, pair(members[i], members[i + 1], rail, round.number));
      add(kind::kLocateGroup, {{"stage", plan::to_string(round.stage)},
                               {"round", round.number},
                               {"rail", rail},
                               {"nodes", names},
                               {"size_bytes", 4},
                               {"busbw_gBps", slowest}});
    }
  }

  /// Runs the search to its end; `ended`: with task_end and the record that closes it.
  LocateSearch search(bool ended = true) {
    const std::vector<int> ranks(static_cast<std::size_t>(nodes), rails);
    for (;;) {
      const std::vector<LocateSearch> read = read_searches(dataset);
      const plan::ProbeRound round = plan::next_round({}, ranks, read.front().results);
      if (round.probes.empty()) break;
      for (const plan::Probe& probe : round.probes) {
        if (probe.nodes.size() == 1) add_node(round, probe.nodes[0]);
        if (probe.nodes.size() == 2) add_pair(round, probe.nodes[0], probe.nodes[1]);
        if (probe.nodes.size() > 2) add_ring(round, probe.nodes);
      }
    }
    if (ended) {
      add(kind::kLocate, {{"rounds", 9}, {"all_pairs", true}, {"duration_s", 12.5}});
      add(kind::kTaskEnd, {{"status", "ok"}});
    }
    return read_searches(dataset).front();
  }
};

std::vector<std::string> confirmed(const LocateSearch& search) {
  std::vector<std::string> names;
  for (const LocateFault& fault : search.faults) {
    if (fault.trial.standing == plan::Standing::kConfirmed) names.push_back(fault.name);
  }
  return names;
}

TEST(ReadSearches, ACleanClusterPassesAndSaysWhatItWouldHaveSeen) {
  Recorded recorded(4, 2);
  const LocateSearch search = recorded.search();
  EXPECT_TRUE(search.complete);
  EXPECT_THAT(search.faults, IsEmpty());
  EXPECT_THAT(search.ranks, ElementsAre(2, 2, 2, 2));
  EXPECT_EQ(pair_gBps(search, 2, 1), 48);
  EXPECT_FALSE(pair_gBps(search, 1, 1));
  const std::vector<Verdict> verdicts = judge_searches({search});
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].mark, Mark::kPass);
  EXPECT_EQ(inconclusive(search), "");
  EXPECT_THAT(verdicts[0].note, HasSubstr("A node or rail below 95.0 % of normal would have been named."));
}

TEST(ReadSearches, ANodeIsNamedWithPartnersFiguresAndDirection) {
  Recorded recorded(5, 1);
  recorded.pair = [](int a, int b, int, int) { return a == 1 || b == 1 ? 16.0 : 48.0; };
  recorded.out_share = 1.0 / 3;
  const LocateSearch search = recorded.search();
  ASSERT_THAT(confirmed(search), ElementsAre("n1"));
  const std::string& evidence = search.faults[0].evidence;
  EXPECT_THAT(evidence, HasSubstr("with every partner it reaches 16 of 48 GB/s (33 %)"));
  EXPECT_THAT(evidence, HasSubstr("tested again with n0, n2, n3: 16, 16, 16 GB/s, beside others at 48 GB/s"));
  EXPECT_THAT(evidence, HasSubstr("sends 16, receives 48 GB/s alone"));
  const std::vector<Verdict> verdicts = judge_searches({search});
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].mark, Mark::kFail);
  EXPECT_EQ(verdicts[0].achieved, "33 % of normal");
}

TEST(ReadSearches, ALinkIsNamedWithTheFiguresOfItsEndsWithOthers) {
  Recorded recorded(5, 1);
  recorded.pair = [](int a, int b, int, int) { return a == 1 && b == 3 ? 24.0 : 48.0; };
  const LocateSearch search = recorded.search();
  ASSERT_THAT(confirmed(search), ElementsAre("link n1 - n3"));
  EXPECT_THAT(search.faults[0].evidence, HasSubstr("its end n1 with"));
  EXPECT_THAT(search.faults[0].evidence, HasSubstr("its end n3 with"));
}

TEST(ReadSearches, OneNicOfANodeIsNamedByItsRankAndGpu) {
  Recorded recorded(4, 8);
  recorded.pair = [](int a, int b, int rail, int) { return rail == 5 && (a == 2 || b == 2) ? 30.0 : 48.0; };
  EXPECT_THAT(confirmed(recorded.search()), ElementsAre("n2: rail 5 (rank 21, GPU 5)"));
}

TEST(ReadSearches, AGpuIsNamedAndTheNodeSaidToFollow) {
  Recorded recorded(4, 1);
  recorded.tflops = [](int node, int) { return node == 3 ? 350.0 : 700.0; };
  recorded.pair = [](int a, int b, int, int) { return a == 3 || b == 3 ? 30.0 : 48.0; };
  const LocateSearch search = recorded.search();
  ASSERT_THAT(confirmed(search), ElementsAre("n3: rank 3, GPU 0", "n3"));
  EXPECT_THAT(search.faults[0].evidence, HasSubstr("its matrix product reaches 350 of 700 TFLOP/s (50 %)"));
  EXPECT_THAT(search.faults[1].evidence, HasSubstr("may follow from the slow device of n3"));
}

// Slow during the matrix, as fast as the others when tested: a note, no failure.
TEST(ReadSearches, WhatIsNotSlowAgainIsNotHeldAgainstIt) {
  Recorded recorded(5, 1);
  recorded.pair = [](int a, int b, int, int round) { return round < 10 && (a == 1 || b == 1) ? 16.0 : 48.0; };
  const LocateSearch search = recorded.search();
  ASSERT_EQ(search.faults.size(), 1u);
  EXPECT_EQ(search.faults[0].trial.standing, plan::Standing::kNotRepeated);
  const std::vector<Verdict> verdicts = judge_searches({search});
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].mark, Mark::kNotJudged);
  EXPECT_THAT(verdicts[0].note, HasSubstr("not again when tested"));
  EXPECT_EQ(verdicts[1].mark, Mark::kPass);
}

TEST(ReadSearches, FiguresThatDoNotRepeatLeaveItInconclusive) {
  Recorded recorded(4, 1);
  recorded.pair = [](int, int, int, int round) { return round % 2 == 0 ? 48.0 : 20.0; };
  Analysis analysis;
  analysis.dataset = &recorded.dataset;
  analysis.searches = {recorded.search()};
  EXPECT_THAT(confirmed(analysis.searches[0]), IsEmpty());
  const std::string why = inconclusive(analysis.searches[0]);
  EXPECT_THAT(why, HasSubstr("repeated probes of a pair differ by 62 %"));
  EXPECT_THAT(why, HasSubstr("a node or link of half the normal speed could have been missed"));
  EXPECT_THAT(why, HasSubstr("--size"));
  analysis.verdicts = judge_searches(analysis.searches);
  ASSERT_EQ(analysis.verdicts.size(), 1u);
  EXPECT_EQ(analysis.verdicts[0].mark, Mark::kUnstable);
  EXPECT_EQ(analysis.verdicts[0].achieved, "inconclusive");
  EXPECT_FALSE(analysis.goals_met());
}

// Several distances, as in a fabric of several stages that is oversubscribed: steady, but not alike.
TEST(ReadSearches, PairsThatDifferForGoodAreNotCalledNoise) {
  Recorded recorded(8, 1);
  recorded.pair = [](int a, int b, int, int) { return 48.0 / (1 + std::abs(a - b) % 4); };
  const LocateSearch search = recorded.search();
  EXPECT_THAT(confirmed(search), IsEmpty());
  const std::string why = inconclusive(search);
  EXPECT_THAT(why, HasSubstr("pairs differ from each other, and each repeats its figure within 0.0 %"));
  EXPECT_THAT(why, Not(HasSubstr("Stop what else runs")));
}

// 10 % low in the matrix and in the tests, which vary by as much: neither named nor cleared.
TEST(ReadSearches, ASuspectThatTheTestsLeaveOpenIsSaid) {
  Recorded recorded(5, 1);
  recorded.pair = [](int a, int b, int, int round) {
    if (a != 1 && b != 1) return 48.0;
    return round < 10 || round % 3 != 0 ? 43.0 : 30.0;
  };
  const LocateSearch search = recorded.search();
  ASSERT_EQ(search.faults.size(), 1u);
  EXPECT_EQ(search.faults[0].trial.standing, plan::Standing::kInconclusive);
  EXPECT_THAT(search.faults[0].evidence, HasSubstr("these tests tell from noise what is below"));
  EXPECT_THAT(inconclusive(search), HasSubstr("nothing tells whether this is slow: n1"));
  const std::vector<Verdict> verdicts = judge_searches({search});
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].mark, Mark::kUnstable);
  EXPECT_EQ(verdicts[1].achieved, "inconclusive");
}

TEST(ReadSearches, ACutLinkIsNoAnswer) {
  Recorded recorded(5, 1);
  recorded.pair = [](int a, int b, int, int) { return a == 0 && b == 4 ? 0.0 : 48.0; };
  const LocateSearch search = recorded.search();
  ASSERT_THAT(confirmed(search), ElementsAre("link n0 - n4"));
  EXPECT_THAT(search.faults[0].evidence,
              HasSubstr("no answer; tested again: no answer, no answer, no answer"));
  EXPECT_EQ(pair_gBps(search, 0, 4), 0);
}

TEST(ReadSearches, ASearchThatBrokeOffIsNotMeasured) {
  Recorded recorded(4, 1);
  const LocateSearch search = recorded.search(false);
  EXPECT_FALSE(search.complete);
  const std::vector<Verdict> verdicts = judge_searches({search});
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].mark, Mark::kNotMeasured);
}

TEST(ReadSearches, TwoNodesCannotTellASlowPair) {
  Recorded recorded(2, 1);
  const LocateSearch search = recorded.search();
  EXPECT_THAT(search.faults, IsEmpty());
  EXPECT_THAT(sensitivity(search), ::testing::Contains(HasSubstr("Two nodes make one pair")));
  EXPECT_THAT(sensitivity(search), Not(::testing::Contains(HasSubstr("would have been named"))));
}

}  // namespace
}  // namespace sxb::analysis
