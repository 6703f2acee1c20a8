#include <fmt/format.h>

#include "analysis/json_read.h"
#include "report/exports.h"
#include "report/format.h"
#include "sxbench/base/text.h"
#include "sxbench/report/report.h"

#include <algorithm>

namespace sxb::report {
namespace {

using analysis::Entry;
using analysis::integer;
using analysis::member;
using analysis::NcclGroup;
using analysis::number;
using analysis::TaskData;
using analysis::TaskStatus;
using analysis::text;

std::vector<record::Record> records(const std::vector<Entry>& entries) {
  std::vector<record::Record> out;
  out.reserve(entries.size());
  for (const Entry& entry : entries) out.push_back(entry.record);
  return out;
}

std::vector<record::Record> devices_in_rank_order(const TaskData& task) {
  std::vector<record::Record> devices = records(task.of(record::kind::kDevice));
  std::stable_sort(devices.begin(), devices.end(),
                   [](const record::Record& a, const record::Record& b) { return a.rank < b.rank; });
  return devices;
}

/// "0.1.0+abc123 GNU-12.2.0" -> "0.1.0+abc123": the sxbench that measured, not the one that reports.
std::string measured_by(const analysis::Dataset& dataset) {
  const std::string build = text(dataset.run.record.data, "build_id");
  return build.empty() ? "unknown" : split(build, ' ').front();
}

void add_row(const NcclGroup& group, const TaskData& task, const Json& data, std::string& out) {
  std::vector<std::string> cells = {task.id,
                                    text(data, "collective"),
                                    std::to_string(group.nodes),
                                    fmt::format("{}", integer(data, "ranks").value_or(0)),
                                    group.backend,
                                    std::to_string(task.repeat),
                                    fmt::format("{}", integer(data, "size_bytes").value_or(0)),
                                    fmt::format("{}", integer(data, "count").value_or(0)),
                                    text(data, "dtype"),
                                    text(data, "redop"),
                                    fmt::format("{}", integer(data, "root").value_or(-1))};
  for (const char* placement : {"out_of_place", "in_place"}) {
    for (const char* field : {"time_us", "algbw_gBps", "busbw_gBps", "wrong"}) {
      cells.push_back(csv(number(member(data, placement), field)));
    }
  }
  cells.push_back(analysis::to_string(task.status()));
  out += csv_line(cells);
}

}  // namespace

std::string nccl_metrics_csv(const analysis::Analysis& analysis) {
  std::string out =
      "task,collective,nodes,ranks,backend,repeat,size_bytes,count,dtype,redop,root,"
      "out_of_place_time_us,out_of_place_algbw_gBps,out_of_place_busbw_gBps,out_of_place_wrong,"
      "in_place_time_us,in_place_algbw_gBps,in_place_busbw_gBps,in_place_wrong,status\n";
  for (const NcclGroup& group : analysis.nccl) {
    for (const TaskData* task : group.tasks) {
      for (const Entry& entry : task->of(record::kind::kCollective))
        add_row(group, *task, entry.record.data, out);
    }
  }
  return out;
}

std::string nccl_log(const analysis::Analysis& analysis) {
  if (analysis.nccl.empty()) return "# no collective sweep in this run\n";
  std::string out;
  for (const NcclGroup& group : analysis.nccl) {
    for (const TaskData* task : group.tasks) {
      out += fmt::format("# task {}: {}, {}\n", task->id, task->label, analysis::to_string(task->status()));
      if (!task->reason().empty()) out += fmt::format("# reason: {}\n", task->reason());
      const std::vector<Entry>& rows = task->of(record::kind::kCollective);
      if (rows.empty()) continue;
      out += NcclText::header(member(task->plan, "sweep"), devices_in_rank_order(*task),
                              measured_by(*analysis.dataset));
      for (const Entry& entry : rows) out += NcclText::row(entry.record);
      out += NcclText::footer(records(rows)) + "\n";
    }
  }
  return out;
}

}  // namespace sxb::report
