// What a search for slow parts has shown, as rows of the verdict table.
#include <fmt/format.h>

#include "analysis/verdict/verdicts.h"
#include "base/text.h"

namespace sxb::analysis {
namespace {

using plan::Standing;

Verdict verdict_of(const LocateSearch& search, const LocateFault& fault) {
  Verdict verdict;
  verdict.item =
      fmt::format("Slow parts, {}: {}", on_nodes(static_cast<int>(search.nodes.size())), fault.name);
  verdict.required = "as fast as the others";
  const plan::Trial& trial = fault.trial;
  verdict.achieved = trial.share > 0 ? fmt::format("{:.0f} % of normal", trial.share * 100) : "no answer";
  verdict.mark = Mark::kNotJudged;
  if (trial.standing == Standing::kConfirmed) verdict.mark = Mark::kFail;
  if (trial.standing == Standing::kInconclusive) verdict.mark = Mark::kUnstable;
  verdict.note = trial.standing == Standing::kNotRepeated ? "slow once, not again when tested; " : "";
  verdict.note += fault.evidence.substr(0, fault.evidence.find(';'));  // the section has the rest
  return verdict;
}

}  // namespace

std::vector<Verdict> judge_searches(const std::vector<LocateSearch>& searches) {
  std::vector<Verdict> verdicts;
  for (const LocateSearch& search : searches) {
    for (const LocateFault& fault : search.faults) verdicts.push_back(verdict_of(search, fault));
    if (search.confirmed() > 0) continue;
    Verdict verdict{fmt::format("Slow parts, {}", on_nodes(static_cast<int>(search.nodes.size()))),
                    "no slow node, GPU, rail or link", "nothing found", Mark::kPass, ""};
    if (!search.complete)
      verdict = {verdict.item, verdict.required, "", Mark::kNotMeasured, search.task->reason()};
    if (search.complete) verdict.note = join(sensitivity(search), " ");
    if (std::string why = inconclusive(search); !why.empty()) {
      verdict.achieved = "inconclusive";
      verdict.mark = Mark::kUnstable;
      verdict.must_tell = true;
      verdict.note = std::move(why);
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace sxb::analysis
