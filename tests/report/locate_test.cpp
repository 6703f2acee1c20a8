// The report of a search: words for the terminal, the matrix as a table and as a heat map, the exports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/locate/locate.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::LocateSearch;
using plan::LocateStage;
using ::testing::HasSubstr;
using ::testing::Not;

/// Nodes n0 ... of one rank each; every pair reaches 48 GB/s but for those of `slow`, and n0 - n1 does not
/// answer.
struct Made {
  analysis::TaskData task;
  analysis::Analysis analysis;

  Made(int nodes, int slow) {
    task.id = "0123456789ab";
    LocateSearch& search = analysis.searches.emplace_back();
    search.task = &task;
    search.rounds = 7;
    search.size_bytes = 1 << 20;
    search.duration_s = 3.25;
    search.complete = true;
    search.spread.pair_gBps = 48;
    search.spread.node_share = 0.95;
    for (int i = 0; i < nodes; ++i) {
      search.nodes.push_back("n" + std::to_string(i));
      search.ranks.push_back(1);
      search.results.push_back({LocateStage::kNode, 0, {i}, {std::nullopt}, {700.0}, ""});
    }
    for (int i = 0; i < nodes; ++i) {
      for (int j = i + 1; j < nodes; ++j) {
        const bool cut = i == 0 && j == 1;
        const double value = i == slow || j == slow ? 24 : 48;
        search.results.push_back({LocateStage::kPair,
                                  2,
                                  {i, j},
                                  {cut ? std::nullopt : std::optional(value)},
                                  {},
                                  cut ? "timed out" : ""});
      }
    }
    analysis::LocateFault fault;
    fault.trial.suspect = {plan::Fault::kNode, slow, -1, -1, 0.5, 48};
    fault.trial.standing = plan::Standing::kConfirmed;
    fault.name = "n" + std::to_string(slow);
    fault.evidence = "with every partner it reaches 24 of 48 GB/s (50 %)";
    fault.trial.share = 0.5;
    search.faults.push_back(fault);
  }
  std::string markdown() const {
    Document document;
    add_locate(analysis, document);
    return to_markdown(document);
  }
};

TEST(LocateReport, ShowsVerdictMatrixAndSensitivity) {
  const std::string text = Made(4, 2).markdown();
  EXPECT_THAT(text,
              HasSubstr("7 rounds of all-reduces of 1 MiB in 3.2 s; a pair of nodes normally reaches 48"));
  EXPECT_THAT(text, HasSubstr("| n2 | FAIL | 50 | with every partner it reaches 24 of 48 GB/s (50 %) |"));
  EXPECT_THAT(text, HasSubstr("| n2 | 24"));
  EXPECT_THAT(text, HasSubstr("| n0 |  | no answer |"));
  EXPECT_THAT(text, HasSubstr("charts/locate_pairs.svg"));
  EXPECT_THAT(text, HasSubstr("A node or rail below 95.0 % of normal would have been named."));
}

TEST(LocateReport, ManyNodesGetTheirSlowestPairsInsteadOfAMatrix) {
  const std::string many = Made(17, 2).markdown();
  EXPECT_THAT(many, HasSubstr("The slowest of 136 pairs"));
  EXPECT_THAT(many, HasSubstr("| n0 | n1 | no answer |"));
  EXPECT_THAT(Made(65, 2).markdown(), Not(HasSubstr("locate_pairs.svg")));
}

TEST(LocateReport, NothingIsAddedToARunWithoutASearch) {
  const auto row = std::find_if(sections().begin(), sections().end(),
                                [](const Section& section) { return section.add == add_locate; });
  ASSERT_NE(row, sections().end());
  EXPECT_FALSE(row->applies({}));
  EXPECT_TRUE(row->applies(Made(4, 2).analysis));
}

TEST(HeatMap, DarkensWithTheShareAndTellsMissingFromNoAnswer) {
  HeatMap map;
  map.title = "pairs";
  map.labels = {"a", "b<", "c"};
  map.cells = {{{std::nullopt, ""}, {0.5, "24"}, {0.0, "×"}},
               {{1.0, "48"}, {std::nullopt, ""}, {std::nullopt, ""}},
               {{0.0, "×"}, {std::nullopt, ""}, {std::nullopt, ""}}};
  const std::string svg = render_svg(map);
  EXPECT_THAT(svg, HasSubstr("fill=\"#b91c1c\" stroke=\"#ffffff\"><title>a - b&lt;: 24 (50 %)</title>"));
  EXPECT_THAT(svg, HasSubstr("fill=\"#dcfce7\" stroke=\"#ffffff\"><title>b&lt; - a: 48 (100 %)</title>"));
  EXPECT_THAT(svg, HasSubstr("fill=\"#111827\" stroke=\"#ffffff\"><title>a - c: no answer</title>"));
  EXPECT_THAT(svg, HasSubstr("fill=\"#d1d5db\" stroke=\"#ffffff\"><title>b&lt; - c: not probed</title>"));
  EXPECT_THAT(svg, HasSubstr("% of normal"));
  EXPECT_THAT(svg, HasSubstr(">no answer</text>"));
  EXPECT_THAT(svg, HasSubstr(">not probed</text>"));
  EXPECT_TRUE(is_empty(HeatMap{}));
}

TEST(LocateText, LeadsWithWhatIsSlow) {
  const std::string text = locate_text(Made(4, 2).analysis.searches.front());
  EXPECT_THAT(text, HasSubstr("search of 4 nodes: 7 rounds, 3.2 s, all-reduces of 1 MiB\n"));
  EXPECT_THAT(text, HasSubstr("SLOW  n2\n      with every partner"));
}

TEST(LocateExports, HaveEveryProbeAndEveryFault) {
  Made made(3, 2);
  record::Record link;
  link.kind = record::kind::kLocateLink;
  link.data = {{"stage", "confirm"},
               {"round", 5},
               {"rail", 0},
               {"ranks", 2},
               {"size_bytes", 4},
               {"busbw_gBps", 24.5},
               {"time_us", 10},
               {"iterations", 5},
               {"a", {{"node", "n0"}}},
               {"b", {{"node", "n2"}}},
               {"a_to_b_gBps", 48},
               {"b_to_a_gBps", nullptr},
               {"failure", nullptr}};
  made.task.add({1, link});
  EXPECT_THAT(locate_csv(made.analysis), HasSubstr("\n0123456789ab,confirm,5,n0 n2,0,2,4,24.5,10,5,48,,,\n"));
  const Json json = locate_json(made.analysis);
  EXPECT_EQ(json[0]["faults"][0]["kind"], "node");
  EXPECT_EQ(json[0]["faults"][0]["node"], "n2");
  EXPECT_TRUE(json[0]["faults"][0]["peer"].is_null());
  EXPECT_EQ(json[0]["detectable_node_share"], 0.95);
}

}  // namespace
}  // namespace sxb::report
