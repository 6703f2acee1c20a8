#include <fmt/format.h>

#include <algorithm>

#include "analysis/read/json_read.h"
#include "base/text.h"
#include "record/kinds/collective.h"
#include "record/kinds/node.h"
#include "record/kinds/run.h"
#include "record/typed.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/nccl_tests/nccl_records.h"
#include "report/nccl_tests/nccl_text.h"

namespace sxb::report {
namespace {

using analysis::Entry;
using analysis::member;
using analysis::TaskData;
using record::Collective;
using record::Field;

/// Whether the field is a cell of its own: no object, and no list of a length that differs by row.
bool is_cell(const Field& field) { return field.members.empty() && !field.type.ends_with("of number"); }

/// The fields of `table` that are a cell of their own.
std::vector<const Field*> cells_of(const std::vector<Field>& table) {
  std::vector<const Field*> cells;
  for (const Field& field : table) {
    if (is_cell(field)) cells.push_back(&field);
  }
  return cells;
}

/// The fields of the object `name` in `table`.
const std::vector<Field>& members_of(const std::vector<Field>& table, const std::string& name) {
  return std::find_if(table.begin(), table.end(), [&](const Field& field) { return name == field.name; })
      ->members;
}

/// The columns of nccl_metrics.csv, as far as they are fields of a "collective" record: of the row, of one
/// placement, of its iterations.
struct Columns {
  std::vector<const Field*> row, placement, iterations;
};

const Columns& columns() {
  static const Columns kColumns = [] {
    const std::vector<Field>& row = record::fields_of<Collective>();
    const std::vector<Field>& placement = members_of(row, "out_of_place");
    return Columns{cells_of(row), cells_of(placement), cells_of(members_of(placement, "per_iteration"))};
  }();
  return kColumns;
}

/// Numbers, texts, and arrays with ';' between their items; empty where the field is absent.
std::string value_cell(const Json& value) {
  if (value.is_string()) return csv(value.get<std::string>());
  if (value.is_number_integer()) return dump(value);
  if (value.is_number()) return csv(std::optional(value.get<double>()));
  if (!value.is_array()) return "";
  std::vector<std::string> items;
  for (const Json& item : value) items.push_back(dump(item));
  return join(items, ";");
}

std::string backend_of(const TaskData& task) {
  const auto& devices = task.of<record::Device>();
  return devices.empty() ? "" : devices.front().data.backend;
}

void add_placement(const TaskData& task, const Json& data, const std::optional<record::FirstWrong>& wrong,
                   const char* placement, std::string& out) {
  std::vector<std::string> cells = {task.id, std::to_string(task.nodes), csv(backend_of(task)),
                                    std::to_string(task.repeat)};
  const Json& values = member(data, placement);
  for (const Field* field : columns().row) cells.push_back(value_cell(member(data, field->name)));
  cells.emplace_back(placement);
  for (const Field* field : columns().placement) cells.push_back(value_cell(member(values, field->name)));
  const Json& iterations = member(values, "per_iteration");
  for (const Field* field : columns().iterations)
    cells.push_back(value_cell(member(iterations, field->name)));
  cells.push_back(wrong && wrong->placement == placement ? csv(analysis::to_text(*wrong)) : "");
  cells.emplace_back(analysis::to_string(task.status()));
  out += csv_line(cells);
}

}  // namespace

std::string nccl_metrics_csv(const analysis::Analysis& analysis) {
  std::vector<std::string> header = {"task", "nodes", "backend", "repeat"};
  for (const Field* field : columns().row) header.emplace_back(field->name);
  header.emplace_back("placement");
  for (const Field* field : columns().placement) header.emplace_back(field->name);
  for (const Field* field : columns().iterations) header.push_back(std::string("iteration_") + field->name);
  header.insert(header.end(), {"first_wrong", "status"});
  std::string out = csv_line(header);
  for (const TaskData& task : analysis.dataset->tasks) {
    if (task.phase != "nccl") continue;
    // As JSON for the columns that are fields, whichever these are; as structs for the others.
    const std::vector<Entry>& rows = task.of(record::kind::kCollective);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (const char* placement : {"out_of_place", "in_place"}) {
        add_placement(task, rows[i].record.data, task.of<Collective>()[i].data.first_wrong, placement, out);
      }
    }
  }
  return out;
}

std::string nccl_log(const analysis::Analysis& analysis) {
  const std::string version = measured_by(analysis.dataset->asked);
  std::string out;
  for (const TaskData& task : analysis.dataset->tasks) {
    if (task.phase != "nccl") continue;
    out += fmt::format("# task {}: {}, {}\n", task.id, task.label, analysis::to_string(task.status()));
    if (!task.reason().empty()) out += fmt::format("# reason: {}\n", task.reason());
    NcclText layout(member(task.plan, "sweep"), version);
    for (const char* kind : {record::kind::kDevice, record::kind::kOverhead}) {
      for (const Entry& entry : task.of(kind)) layout.add(entry.record);
    }
    for (const Entry& entry : task.of(record::kind::kCollective)) out += layout.add_row(entry.record);
    out += layout.finish();
  }
  return out.empty() ? "# no collective sweep in this run\n" : out;
}

}  // namespace sxb::report
