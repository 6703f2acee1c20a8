// The summary report: verdicts first, then figures, then what to doubt, then where it all comes from.
#include <fmt/format.h>

#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::TaskData;
using analysis::TaskStatus;

void add_head(const Analysis& analysis, Document& document) {
  document.title = fmt::format("sxbench report: {}", analysis.dataset->asked.run_id);
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

/// A run with such figures or tasks.
template <auto kMember>
bool has(const Analysis& analysis) {
  return !(analysis.*kMember).empty();
}

}  // namespace

std::span<const Section> sections() {
  static constexpr Section kTable[] = {
      // What was asked for and what came of it: all that a reader in a hurry needs.
      {"Verdicts", add_verdicts},
      // Throughput, step times and scaling of each model.
      {"Fine-tuning", add_sft, has<&Analysis::sft>},
      // The same time by phase: what to make faster.
      {"Where the step goes", add_phases, has<&Analysis::sft>},
      // Power, clocks and activity meanwhile: whether a GPU was held down.
      {"GPUs over the measured window", add_gpu_use, has_gpu_use},
      // Each sweep, size by size.
      {"Collectives", add_nccl, has<&Analysis::nccl>},
      // The same beside what the topology lets expect, and every figure beside the speed of light.
      {"Expected and measured", add_expected, has_expected},
      // Which node, GPU, link or rail a search blames.
      {"Slow parts", add_locate, has<&Analysis::searches>},
      // What a GPU does by itself: memory, matrix products, copies between pairs.
      {"GPU micro-benchmarks", add_gpu_tests, has<&Analysis::gpu>},
      // Each GPU against the fleet under full load.
      {"Burn", add_burns, has<&Analysis::burns>},
      // What to doubt in the figures above.
      {"Findings", add_findings},
      // What has no result, and why.
      {"Tasks", add_tasks},
      // Where, with what and how it was measured.
      {"Provenance", add_provenance},
  };
  return kTable;
}

Document build_document(const Analysis& analysis, std::span<const Section> sections) {
  Document document;
  // What run this is, and how much of it there is.
  add_head(analysis, document);
  // Figures that cannot be, before anyone reads one.
  add_implausible_notice(analysis, document);
  // Every section that has something to say; its title is also its line in the contents.
  for (const Section& section : sections) {
    if (section.applies != nullptr && !section.applies(analysis)) continue;
    document.add(Heading{2, section.title});
    section.add(analysis, document);
  }
  return document;
}

}  // namespace sxb::report
