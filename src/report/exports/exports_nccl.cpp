#include <fmt/format.h>

#include "analysis/read/json_read.h"
#include "base/text.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/nccl_tests/nccl_records.h"
#include "report/nccl_tests/nccl_text.h"

namespace sxb::report {
namespace {

using analysis::Entry;
using analysis::member;
using analysis::number;
using analysis::TaskData;
using analysis::text;

constexpr const char* kPlacements[] = {"out_of_place", "in_place"};
/// Fields of a placement, and of the object per_iteration in it.
constexpr const char* kFigures[] = {"time_us",     "algbw_gBps",   "busbw_gBps",     "wrong",
                                    "wrong_timed", "slowest_rank", "rank_spread_pct"};
constexpr const char* kIterationFigures[] = {"count",  "min_us", "p50_us",  "p95_us",
                                             "p99_us", "max_us", "mean_us", "cv_pct"};

/// Fields of a "collective" record that are a cell of their own: all but the objects.
std::vector<std::string> row_fields() {
  std::vector<std::string> names;
  for (const record::Field& field : record::fields()) {
    const std::string name = field.name;
    const bool object = name == "out_of_place" || name == "in_place" || name == "first_wrong";
    if (std::string(field.kind) == record::kind::kCollective && !object) names.push_back(name);
  }
  return names;
}

/// Numbers, texts, and arrays with ';' between their items; empty where the field is absent.
std::string value_cell(const Json& value) {
  if (value.is_string()) return csv(value.get<std::string>());
  if (value.is_number_integer()) return value.dump();
  if (value.is_number()) return csv(std::optional(value.get<double>()));
  if (!value.is_array()) return "";
  std::vector<std::string> items;
  for (const Json& item : value) items.push_back(item.dump());
  return join(items, ";");
}

void add_placement(const TaskData& task, const Json& data, const std::string& backend, const char* placement,
                   std::string& out) {
  std::vector<std::string> cells = {task.id, std::to_string(task.nodes), csv(backend),
                                    std::to_string(task.repeat)};
  for (const std::string& name : row_fields()) cells.push_back(value_cell(member(data, name)));
  cells.emplace_back(placement);
  const Json& values = member(data, placement);
  for (const char* name : kFigures) cells.push_back(value_cell(member(values, name)));
  for (const char* name : kIterationFigures)
    cells.push_back(value_cell(member(member(values, "per_iteration"), name)));
  const auto wrong = record::read<record::Collective>(data).first_wrong;
  cells.push_back(wrong && wrong->placement == placement ? csv(analysis::to_text(*wrong)) : "");
  cells.emplace_back(analysis::to_string(task.status()));
  out += csv_line(cells);
}

std::string backend_of(const TaskData& task) {
  const std::vector<Entry>& devices = task.of(record::kind::kDevice);
  return devices.empty() ? "" : text(devices.front().record.data, "backend");
}

}  // namespace

std::string nccl_metrics_csv(const analysis::Analysis& analysis) {
  std::vector<std::string> header = {"task", "nodes", "backend", "repeat"};
  for (const std::string& name : row_fields()) header.push_back(name);
  header.emplace_back("placement");
  for (const char* name : kFigures) header.emplace_back(name);
  for (const char* name : kIterationFigures) header.push_back(std::string("iteration_") + name);
  header.insert(header.end(), {"first_wrong", "status"});
  std::string out = csv_line(header);
  for (const TaskData& task : analysis.dataset->tasks) {
    if (task.phase != "nccl") continue;
    for (const Entry& entry : task.of(record::kind::kCollective)) {
      for (const char* placement : kPlacements)
        add_placement(task, entry.record.data, backend_of(task), placement, out);
    }
  }
  return out;
}

std::string nccl_log(const analysis::Analysis& analysis) {
  std::string out;
  for (const TaskData& task : analysis.dataset->tasks) {
    if (task.phase != "nccl") continue;
    out += fmt::format("# task {}: {}, {}\n", task.id, task.label, analysis::to_string(task.status()));
    if (!task.reason().empty()) out += fmt::format("# reason: {}\n", task.reason());
    NcclText layout(member(task.plan, "sweep"), measured_by(*analysis.dataset));
    for (const char* kind : {record::kind::kDevice, record::kind::kOverhead}) {
      for (const Entry& entry : task.of(kind)) layout.add(entry.record);
    }
    for (const Entry& entry : task.of(record::kind::kCollective)) out += layout.add_row(entry.record);
    out += layout.finish();
  }
  return out.empty() ? "# no collective sweep in this run\n" : out;
}

}  // namespace sxb::report
