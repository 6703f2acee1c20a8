#include "report/records_doc.h"

#include <fmt/format.h>

#include "analysis/figures.h"
#include "report/document.h"
#include "sxbench/base/text.h"
#include "sxbench/record/record.h"

namespace sxb::report {
namespace {

struct KindInfo {
  const char* kind;
  const char* description;
};
/// In the order of a run.
constexpr KindInfo kKinds[] = {
    {record::kind::kRun, "Written by the head at the start (again by a resumed run): what was asked for."},
    {record::kind::kTaskStart,
     "Written by the head; a later one for the same task voids what came before it."},
    {record::kind::kNode, "Written by the agent of each node: host and GPU facts."},
    {record::kind::kDevice, "Written by each rank: its device and the versions of its libraries."},
    {record::kind::kCollective, "Written by rank 0: one size of a sweep."},
    {record::kind::kStep, "Written by rank 0: one optimizer step."},
    {record::kind::kTraining, "Written by rank 0 at the end of a fine-tuning task: facts and totals."},
    {record::kind::kRank, "Written by every rank at the end of a fine-tuning task."},
    {record::kind::kWindow,
     "Written by local rank 0 of each node: the measured interval. Samples outside count in no figure."},
    {record::kind::kFinding, "Written by anyone: a warning or error with what to do."},
    {record::kind::kTaskEnd, "Written by the head: status and reason."},
    {record::kind::kRunEnd, "Written by the head at the end."},
    {record::kind::kHeartbeat, "A rank is alive. On the wire only, never kept, without fields."},
    {record::kind::kSample, "One reading of one source by an agent, in `samples/TASK-NODE.jsonl`."},
};

Table field_rows(const std::string& kind) {
  Table table{{{"Field"}, {"Unit"}, {"Meaning"}}, {}};
  for (const record::Field& field : record::fields()) {
    if (kind == field.kind)
      table.rows.push_back({fmt::format("`{}`", field.name), field.unit, field.description});
  }
  return table;
}

void add_envelope(Document& document) {
  document.add(
      Paragraph{"Generated from the field table (`src/record/fields.cpp`) and the figure table "
                "(`src/analysis/figures.cpp`); "
                "a test keeps it equal."});
  document.add(Paragraph{
      "A run keeps its data in `records.jsonl`, one JSON object a line, appended and never changed, and in "
      "`samples/`. A line is:"});
  document.add(Preformatted{
      R"({"v":1,"kind":"step","task":"0123456789ab","node":"node001","rank":0,"mono_ns":1,"wall_ns":2,"data":{}})"});
  document.add(List{{"`v`: version of this schema. Another version is an error, not a guess.",
                     "`task`: id of the task; absent for records of the whole run. `node`: absent for the "
                     "head. `rank`: absent if "
                     "not a rank.",
                     "`mono_ns`: CLOCK_MONOTONIC of that node; `wall_ns`: CLOCK_REALTIME.",
                     "`data`: the fields below. A field that is absent or null was not measured; it is never "
                     "written as zero.",
                     "A last line that a crash cut off is ignored and reported. Of several attempts of a "
                     "task the last counts."}});
}

void add_derived(Document& document) {
  document.add(Heading{2, "Derived figures"});
  document.add(
      Paragraph{"What the reports compute for a fine-tuning task. `summary.json` gives each with value, unit "
                "and `from` (the "
                "kinds below); `evidence` of the same task names the lines of `records.jsonl` that hold "
                "those records and the "
                "samples files. The names are the columns of `performance_summary.csv`, where several "
                "repeats of a task make one row of "
                "medians."});
  Table table{{{"Figure"}, {"Unit"}, {"Meaning"}, {"From"}}, {}};
  for (const analysis::FigureInfo& info : analysis::sft_figures()) {
    table.rows.push_back(
        {fmt::format("`{}`", info.name), info.unit, info.description, join(split(info.sources, '+'), ", ")});
  }
  document.add(std::move(table));
}

void add_files(Document& document) {
  document.add(Heading{2, "Files of a report"});
  document.add(
      List{{"`summary.json`: `run`, `goals_met`, `verdicts` (PASS, FAIL, NOT MEASURED, NOT JUDGED), "
            "`findings`, `tasks` with figures and "
            "evidence, `sft` (one entry per model and node count: medians over repeats, scaling) and `nccl` "
            "(one per collective and node "
            "count). `schema` is 1.",
            "`reports/performance_summary.csv`: model_size, nodes, samples_per_sec, gpu_utilization, then "
            "the other figures; an empty cell "
            "was not measured.",
            "`reports/scaling_analysis.json`: model, then `N_nodes`, then efficiency (1 = linear), speedup, "
            "base_nodes, throughput, "
            "global_batch.",
            "`reports/sft_metrics.json`: per task its facts, figures, ranks, GPUs over the window, and the "
            "steps column by column.",
            "`reports/gpu_metrics.csv`: GPU samples, every `stride`-th; `t_s` counts from the first sample "
            "of that GPU and task.",
            "`reports/nccl_metrics.csv` and `reports/nccl_allreduce.log`: all rows of all sweeps, the latter "
            "in nccl-tests' layout.",
            "`reports/summary_report.md` with `reports/charts/*.svg`, and `reports/summary_report.html` with "
            "everything inside."}});
}

}  // namespace

std::string records_page() {
  Document document;
  document.title = "Records, samples and figures";
  add_envelope(document);
  document.add(Heading{2, "Kinds of records"});
  for (const KindInfo& info : kKinds) {
    document.add(Heading{3, info.kind});
    document.add(Paragraph{info.description});
    Table table = field_rows(info.kind);
    if (!table.rows.empty()) document.add(std::move(table));
  }
  add_derived(document);
  add_files(document);
  return to_markdown(document);
}

}  // namespace sxb::report
