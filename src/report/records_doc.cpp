#include "report/records_doc.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/sft/sft_figures.h"
#include "base/text.h"
#include "record/record.h"
#include "report/exports/exports.h"

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
    {record::kind::kCollective,
     "Written by rank 0: one size of a sweep, per group where the world is split."},
    {record::kind::kOverhead, "Written by rank 0 of a sweep: what measuring itself costs."},
    {record::kind::kLocateNode, "Written by rank 0 in a search (docs/locate.md): one node probed by itself."},
    {record::kind::kLocateLink, "Written by rank 0 in a search: one rail of one pair of nodes."},
    {record::kind::kLocateGroup, "Written by rank 0 in a search: one rail of more than two nodes."},
    {record::kind::kLocate, "Written by rank 0 at the end of a search."},
    {record::kind::kGpuBench, "Written by every rank: one figure of a GPU micro-benchmark."},
    {record::kind::kBurn, "Written by every rank about once a second of a burn."},
    {record::kind::kStep, "Written by rank 0: one optimizer step."},
    {record::Checkpoint::kKind,
     "Written by rank 0 with `training.checkpoint`: the state of the training, whole on the disks of all "
     "ranks."},
    {record::Resumed::kKind,
     "Written by rank 0 of a task that goes on from a checkpoint, before its first step."},
    {record::kind::kTraining, "Written by rank 0 at the end of a fine-tuning task: facts and totals."},
    {record::kind::kRank, "Written by every rank at the end of a fine-tuning task."},
    {record::kind::kPhases,
     "Written by every rank at the end of a fine-tuning task: where its measured steps went."},
    {record::kind::kWindow,
     "Written by local rank 0 of each node: the measured interval. Samples outside count in no figure."},
    {record::Saved::kKind,
     "Written by rank 0 with `--save`: one file of weights. The folder is whole when the rank ends well."},
    {record::kind::kFinding, "Written by anyone: a warning or error with what to do."},
    {record::kind::kTrace,
     "Written by every rank with `training.trace`. Its events alone are kept, as `traces/TASK-rankN.json`, "
     "which Perfetto "
     "(ui.perfetto.dev) and chrome://tracing open."},
    {record::kind::kRankEnd,
     "Written by every rank as its last record. A rank without it has not ended well, whatever its exit "
     "code."},
    {record::kind::kAgentEnd,
     "Written by the agent of each node as its last record. A node without it has not done its part "
     "(docs/security.md)."},
    {record::kind::kTaskEnd, "Written by the head: status and reason."},
    {record::kind::kRunEnd, "Written by the head at the end."},
    {record::kind::kHeartbeat, "A rank is alive. On the wire only, never kept, without fields."},
    {record::kind::kSample, "One reading of one source by an agent, in `samples/TASK-NODE.jsonl`."},
};

constexpr const char* kIntroduction = R"(# Records, samples and figures

Generated from the tables of fields (`src/record/kinds`), of figures (`src/analysis/sft/sft_figures.cpp`) and of files
(`src/report/exports/exports.cpp`); a test keeps it equal.

A run keeps its data in `records.jsonl`, one JSON object a line, appended and never changed, and in `samples/`. A line is:

```
{"v":1,"kind":"step","task":"0123456789ab","node":"node001","rank":0,"mono_ns":1,"wall_ns":2,"data":{}}
```

- `v`: version of this schema. Another version is an error, not a guess.
- `task`: id of the task; absent for records of the whole run. `node`: absent for the head. `rank`: absent if not a rank.
- `mono_ns`: CLOCK_MONOTONIC of that node; `wall_ns`: CLOCK_REALTIME.
- `data`: the fields below. A field that is absent or null was not measured; it is never written as zero.
- A last line that a crash cut off is ignored and reported. Of several attempts of a task the last counts.

## Kinds of records

)";

constexpr const char* kDerived = R"(## Derived figures

What the reports compute for a fine-tuning task. `summary.json` gives each with value, unit and `from` (the kinds
below); `evidence` of the same task names the lines of `records.jsonl` that hold those records, and the samples files.
The names are the columns of `performance_summary.csv`, where several repeats of a task make one row of medians.

)";

constexpr const char* kDocuments =
    "- `reports/summary_report.md` with `reports/charts/*.svg`, and `reports/summary_report.html` with "
    "everything "
    "inside.\n";

std::string files_section() {
  std::string out = "\n## Files of a report\n\n";
  for (const Export& row : exports()) out += fmt::format("- `{}`: {}\n", row.path, row.holds);
  return out + kDocuments;
}

bool same_members(const record::Field& a, const record::Field& b) {
  return std::equal(
      a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
      [](const record::Field& x, const record::Field& y) { return std::string_view(x.name) == y.name; });
}

/// A row of the table per field; those of an object follow it as "out_of_place.time_us", of a list of objects
/// as "gpus[].name". An object that is like one before it is not listed again.
std::string field_rows(const std::vector<record::Field>& fields, const std::string& prefix) {
  std::string rows;
  for (auto field = fields.begin(); field != fields.end(); ++field) {
    const std::string name = prefix + field->name;
    rows += fmt::format("| `{}` | {} | {} | {} |\n", name, field->type, field->unit, field->description);
    if (field->members.empty()) continue;
    const bool known = std::any_of(fields.begin(), field,
                                   [&](const record::Field& before) { return same_members(before, *field); });
    if (!known) rows += field_rows(field->members, name + (field->type.starts_with("list") ? "[]." : "."));
  }
  return rows;
}

std::string kind_section(const KindInfo& info) {
  std::string out = fmt::format("### {}\n\n{}\n\n", info.kind, info.description);
  std::vector<record::Field> fields;
  for (const record::Field& field : record::fields()) {
    if (std::string(info.kind) == field.kind) fields.push_back(field);
  }
  if (!fields.empty()) {
    out += fmt::format("| Field | Type | Unit | Meaning |\n|---|---|---|---|\n{}\n", field_rows(fields, ""));
  }
  return out;
}

}  // namespace

std::string records_page() {
  std::string page = kIntroduction;
  for (const KindInfo& info : kKinds) page += kind_section(info);
  page += kDerived;
  page += "| Figure | Unit | Meaning | From |\n|---|---|---|---|\n";
  for (const analysis::FigureInfo& info : analysis::sft_figures()) {
    page += fmt::format("| `{}` | {} | {} | {} |\n", info.name, info.unit, info.description,
                        join(split(info.sources, '+'), ", "));
  }
  return page + files_section();
}

}  // namespace sxb::report
