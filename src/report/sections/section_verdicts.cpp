// Each goal and each check that holds on every cluster: required, achieved, verdict.
#include <algorithm>

#include "analysis/read/json_read.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

/// What fails comes first, then what asks for a look.
int urgency(analysis::Mark mark) {
  if (analysis::fails(mark)) return 0;
  return mark == analysis::Mark::kWarn || mark == analysis::Mark::kUnstable ? 1 : 2;
}

}  // namespace

void add_verdicts(const analysis::Analysis& analysis, Document& document) {
  const Json& goals = analysis::member(analysis.dataset->asked.cluster, "goals");
  if (!goals.is_object() || goals.empty()) {
    document.add(Paragraph{
        "The cluster config states no goals (`goals`): only what holds on every cluster is judged."});
  }
  if (analysis.verdicts.empty()) return;
  std::vector<analysis::Verdict> verdicts = analysis.verdicts;
  std::stable_sort(verdicts.begin(), verdicts.end(),
                   [](const analysis::Verdict& a, const analysis::Verdict& b) {
                     return urgency(a.mark) < urgency(b.mark);
                   });
  Table table{{{"Item"}, {"Required"}, {"Achieved"}, {"Status"}, {"Note"}}, {}};
  for (const analysis::Verdict& verdict : verdicts) {
    table.rows.push_back({verdict.item, verdict.required, verdict.achieved.empty() ? "–" : verdict.achieved,
                          analysis::to_string(verdict.mark), verdict.note});
  }
  document.add(std::move(table));
}

}  // namespace sxb::report
