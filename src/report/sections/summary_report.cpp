// The summary report: verdicts first, then figures, then what to doubt, then where it all comes from.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/read/json_read.h"
#include "base/text.h"
#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::TaskData;
using analysis::TaskStatus;
using analysis::text;

void add_head(const Analysis& analysis, Document& document) {
  const Json& run = analysis.dataset->run.record.data;
  document.title = fmt::format("sxbench report: {}", text(run, "run_id"));
  if (analysis.cpu && !analysis.cuda) {
    document.add(Notice{
        "CPU run: ranks on CPU cores over Gloo. It shows that the whole path works; none of its figures "
        "says anything about a GPU."});
  } else if (analysis.cpu) {
    document.add(
        Notice{"Mixed run: some tasks ran on CPU cores over Gloo. See Provenance before comparing figures."});
  } else if (!analysis.cuda) {
    document.add(Notice{"No rank reported its device: this run has no figures."});
  }
  int ok = 0;
  for (const TaskData& task : analysis.dataset->tasks) ok += task.status() == TaskStatus::kOk ? 1 : 0;
  document.add(Paragraph{
      fmt::format("{} of {} tasks have a result. Every figure below is derived from `records.jsonl` and "
                  "`samples/` of this run; `summary.json` names the lines.",
                  ok, analysis.dataset->tasks.size())});
}

void add_implausible_notice(const Analysis& analysis, Document& document) {
  for (const analysis::Check& check : analysis.checks()) {
    if (!check.implausible()) continue;
    document.add(Notice{fmt::format("IMPLAUSIBLE: {} of {}, limited by {}: {}.", check.figure, check.subject,
                                    check.resource, check.arithmetic())});
  }
}

/// What fails comes first, then what asks for a look.
int urgency(analysis::Mark mark) {
  if (analysis::fails(mark)) return 0;
  return mark == analysis::Mark::kWarn || mark == analysis::Mark::kUnstable ? 1 : 2;
}

}  // namespace

void add_verdicts(const Analysis& analysis, Document& document) {
  document.add(Heading{2, "Verdicts"});
  const Json& goals =
      analysis::member(analysis::member(analysis.dataset->run.record.data, "cluster"), "goals");
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

void add_findings(const Analysis& analysis, Document& document) {
  document.add(Heading{2, "Findings"});
  if (analysis.findings.empty()) document.add(Paragraph{"None."});
  List list;
  for (const analysis::Finding& finding : analysis.findings) {
    std::string item = fmt::format("{} `{}`", finding.severity, finding.code);
    if (!finding.where.empty()) item += fmt::format(" ({})", finding.where);
    item += fmt::format(": {}", finding.message);
    if (!finding.help.empty()) item += fmt::format(" (help: {})", finding.help);
    list.items.push_back(std::move(item));
  }
  if (!list.items.empty()) document.add(std::move(list));
}

void add_tasks(const Analysis& analysis, Document& document) {
  document.add(Heading{2, "Tasks"});
  Table table{{{"Task"},
               {"What"},
               {"Repeat", true},
               {"Status"},
               {"Attempt", true},
               {"Duration", true},
               {"Why there is no result"}},
              {}};
  for (const TaskData& task : analysis.dataset->tasks) {
    std::optional<double> seconds;
    if (task.end) seconds = analysis::number(task.end->record.data, "duration_s");
    table.rows.push_back(
        {fmt::format("`{}`", task.id), task.label, std::to_string(task.repeat + 1),
         analysis::to_string(task.status()), task.attempt == 0 ? "–" : std::to_string(task.attempt),
         seconds ? format_duration(static_cast<std::int64_t>(*seconds * 1e9)) : "–", task.reason()});
  }
  document.add(std::move(table));
}

Document build_document(const Analysis& analysis) {
  Document document;
  add_head(analysis, document);
  add_implausible_notice(analysis, document);
  add_verdicts(analysis, document);
  add_sft(analysis, document);
  add_phases(analysis, document);
  add_gpus(analysis, document);
  add_nccl(analysis, document);
  add_expected(analysis, document);
  add_locate(analysis, document);
  add_gpu_tests(analysis, document);
  add_burns(analysis, document);
  add_findings(analysis, document);
  add_tasks(analysis, document);
  add_provenance(analysis, document);
  return document;
}

}  // namespace sxb::report
