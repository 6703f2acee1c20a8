// Where the slow parts are: verdicts with their evidence, the pair matrix as a heat map, what each node does
// alone.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/locate/locate.h"
#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::LocateFault;
using analysis::LocateSearch;
using plan::Standing;

/// Above it a matrix is no longer read but searched, and the file grows with its square.
constexpr std::size_t kMostInHeatMap = 64;
constexpr std::size_t kMostInTable = 16;
constexpr std::size_t kSlowestShown = 20;

std::string gBps_cell(const std::optional<double>& value) {
  return value && *value == 0 ? "no answer" : cell(value);
}

void add_faults(const LocateSearch& search, Document& document) {
  if (const std::string why = inconclusive(search); !why.empty())
    document.add(Notice{fmt::format("Inconclusive: {}.", why)});
  if (search.faults.empty()) {
    document.add(
        Paragraph{search.complete ? "Nothing was found." : "Nothing was found until the search broke off."});
    return;
  }
  Table table{{{"Part"}, {"Verdict"}, {"Of normal (%)", true}, {"Evidence"}}, {}};
  for (const LocateFault& fault : search.faults)
    table.rows.push_back(
        {fault.name, fault.verdict(), fmt::format("{:.0f}", fault.trial.share * 100), fault.evidence});
  document.add(std::move(table));
}

HeatMap heat_map(const LocateSearch& search) {
  HeatMap map;
  const double normal = search.spread.pair_gBps.value_or(0);
  map.title = fmt::format("busbw of pairs of nodes in GB/s, 100 % = {}", sensible(normal));
  map.labels = search.nodes;
  for (int i = 0; i < static_cast<int>(search.nodes.size()); ++i) {
    auto& row = map.cells.emplace_back();
    for (int j = 0; j < static_cast<int>(search.nodes.size()); ++j) {
      HeatMap::Cell cell_of_pair;
      if (const auto value = i == j ? std::nullopt : pair_gBps(search, i, j)) {
        cell_of_pair.share = normal > 0 ? *value / normal : 0;
        cell_of_pair.text = *value == 0 ? "×" : sensible(*value);
      }
      row.push_back(std::move(cell_of_pair));
    }
  }
  return map;
}

void add_matrix(const LocateSearch& search, Document& document) {
  Table table{{{"GB/s"}}, {}};
  for (const std::string& name : search.nodes) table.columns.push_back({name, true});
  for (int i = 0; i < static_cast<int>(search.nodes.size()); ++i) {
    auto& row = table.rows.emplace_back();
    row.push_back(search.nodes[static_cast<std::size_t>(i)]);
    for (int j = 0; j < static_cast<int>(search.nodes.size()); ++j)
      row.push_back(i == j ? "" : gBps_cell(pair_gBps(search, i, j)));
  }
  document.add(std::move(table));
}

void add_slowest(const LocateSearch& search, Document& document) {
  std::vector<std::pair<double, std::pair<int, int>>> pairs;
  for (int i = 0; i < static_cast<int>(search.nodes.size()); ++i) {
    for (int j = i + 1; j < static_cast<int>(search.nodes.size()); ++j) {
      if (const auto value = pair_gBps(search, i, j)) pairs.push_back({*value, {i, j}});
    }
  }
  std::sort(pairs.begin(), pairs.end());
  document.add(Paragraph{fmt::format("The slowest of {} pairs that were probed:", pairs.size())});
  Table table{{{"Node"}, {"Node"}, {"GB/s", true}}, {}};
  for (std::size_t i = 0; i < std::min(pairs.size(), kSlowestShown); ++i) {
    const auto [node, peer] = pairs[i].second;
    table.rows.push_back({search.nodes[static_cast<std::size_t>(node)],
                          search.nodes[static_cast<std::size_t>(peer)], gBps_cell(pairs[i].first)});
  }
  document.add(std::move(table));
}

void add_pairs(const LocateSearch& search, std::size_t number, Document& document) {
  if (search.nodes.size() < 2) return;
  if (search.nodes.size() <= kMostInHeatMap) {
    document.add(
        Figure{number == 0 ? "locate_pairs" : fmt::format("locate_pairs_{}", number + 1), heat_map(search)});
  }
  if (search.nodes.size() <= kMostInTable) {
    add_matrix(search, document);
  } else {
    add_slowest(search, document);
  }
}

std::string rings_cell(const plan::ProbeResult& result) {
  if (!result.failure.empty()) return "no answer: " + result.failure;
  std::vector<std::string> words;
  for (const auto& value : result.busbw_gBps) words.push_back(cell(value));
  return fmt::format("{}", fmt::join(words, ", "));
}

void add_nodes(const LocateSearch& search, Document& document) {
  Table table{{{"Node"}, {"Ranks", true}, {"Among themselves (GB/s)"}, {"Matrix product by rank (TFLOP/s)"}},
              {}};
  const auto measured = [](const auto& value) { return value.has_value(); };
  for (const plan::ProbeResult& result : search.results) {
    if (result.stage == plan::LocateStage::kRail) {
      document.add(Paragraph{fmt::format("Ring of all nodes, busbw by rail: {} GB/s.", rings_cell(result))});
    }
    if (result.stage != plan::LocateStage::kNode) continue;
    std::vector<std::string> rates;
    for (const auto& value : result.tflops) rates.push_back(cell(value));
    if (std::none_of(result.tflops.begin(), result.tflops.end(), measured)) rates = {"–"};
    table.rows.push_back({search.nodes[static_cast<std::size_t>(result.nodes.front())],
                          std::to_string(result.tflops.size()), rings_cell(result),
                          fmt::format("{}", fmt::join(rates, ", "))});
  }
  const bool any =
      std::any_of(search.results.begin(), search.results.end(), [&](const plan::ProbeResult& result) {
        return result.stage == plan::LocateStage::kNode &&
               (!result.failure.empty() ||
                std::any_of(result.busbw_gBps.begin(), result.busbw_gBps.end(), measured) ||
                std::any_of(result.tflops.begin(), result.tflops.end(), measured));
      });
  if (any) document.add(std::move(table));  // CPU nodes of one rank have nothing to show by themselves
}

void add_search(const LocateSearch& search, std::size_t number, Document& document) {
  document.add(Heading{3, analysis::on_nodes(static_cast<int>(search.nodes.size()))});
  if (search.results.empty()) {
    document.add(Paragraph{fmt::format("No result: {}.", search.task->reason())});
    return;
  }
  if (!search.complete) document.add(Notice{fmt::format("The search broke off: {}.", search.task->reason())});
  std::string facts =
      fmt::format("{} rounds of all-reduces of {}", search.rounds, format_bytes(search.size_bytes));
  if (search.duration_s) facts += fmt::format(" in {:.1f} s", *search.duration_s);
  if (search.spread.pair_gBps)
    facts +=
        fmt::format("; a pair of nodes normally reaches {} GB/s a rail", sensible(*search.spread.pair_gBps));
  document.add(Paragraph{facts + "."});
  add_faults(search, document);
  if (const auto lines = sensitivity(search); !lines.empty()) document.add(List{lines});
  add_pairs(search, number, document);
  add_nodes(search, document);
}

}  // namespace

void add_locate(const analysis::Analysis& analysis, Document& document) {
  document.add(
      Paragraph{"Pairs run on each rail (ranks of equal local rank) as rings of two; a cell is the slowest "
                "rail. The matrix is "
                "taken apart by median polish of its logarithms: a low row is a node, a single low cell is a "
                "link. FAIL = low "
                "again in tests with partners above suspicion, by more than the noise of these tests."});
  for (std::size_t i = 0; i < analysis.searches.size(); ++i) add_search(analysis.searches[i], i, document);
}

std::string locate_text(const LocateSearch& search) {
  std::string out = fmt::format("search of {}: {} rounds",
                                analysis::on_nodes(static_cast<int>(search.nodes.size())), search.rounds);
  if (search.duration_s) out += fmt::format(", {:.1f} s", *search.duration_s);
  out += fmt::format(", all-reduces of {}\n", format_bytes(search.size_bytes));
  if (search.spread.pair_gBps)
    out +=
        fmt::format("a pair of nodes normally reaches {} GB/s a rail\n", sensible(*search.spread.pair_gBps));
  for (const LocateFault& fault : search.faults) {
    const char* word = fault.trial.standing == Standing::kConfirmed ? "SLOW" : fault.verdict();
    out += fmt::format("{}  {}\n      {}\n", word, fault.name, fault.evidence);
  }
  const std::string why = inconclusive(search);
  if (!why.empty()) out += fmt::format("inconclusive: {}\n", why);
  if (search.confirmed() == 0 && search.complete && why.empty()) out += "nothing found\n";
  if (!search.complete) out += fmt::format("the search broke off: {}\n", search.task->reason());
  for (const std::string& line : sensitivity(search)) out += line + "\n";
  return out;
}

}  // namespace sxb::report
