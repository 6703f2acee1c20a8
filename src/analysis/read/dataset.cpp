#include "analysis/read/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "analysis/read/json_read.h"
#include "base/files.h"
#include "base/folder.h"
#include "base/redact.h"
#include "config/cluster/node_set.h"

namespace sxb::analysis {
namespace {

namespace kind = record::kind;

/// A newer build may have more kinds than this one.
bool is_known_kind(const std::string& kind) {
  static const std::set<std::string> known = [] {
    std::set<std::string> kinds;
    for (const record::Field& field : record::fields()) kinds.insert(field.kind);
    return kinds;
  }();
  return known.contains(kind);
}

/// Parses one line; no value if it is no record, or has values of other types than its kind; an error if the
/// schema is unknown.
Result<std::optional<record::Record>> parse_line(std::string_view line, const std::string& where) {
  const std::optional<Json> json = try_parse_json(line);
  if (!json) return std::optional<record::Record>();
  Result<record::Record> record = record::parse_record(*json, where);
  if (!record.ok() && integer(*json, "v").value_or(1) != 1) return record.errors();
  if (!record.ok() || (is_known_kind(record->kind) && !record::check(*record, where).ok()))
    return std::optional<record::Record>();
  return std::optional(std::move(record).value());
}

TaskData& find_or_add(std::vector<TaskData>& tasks, const std::string& id) {
  const auto it =
      std::find_if(tasks.begin(), tasks.end(), [&](const TaskData& task) { return task.id == id; });
  if (it != tasks.end()) return *it;
  tasks.emplace_back().id = id;
  return tasks.back();
}

/// Journals of older versions hold the values of secrets.
record::Run without_secrets(record::Run run) {
  run.nccl_env = redacted(std::move(run.nccl_env));
  for (const char* key : {"env", "nccl_env"}) {
    if (!run.cluster.is_object() || !run.cluster.contains(key) || !run.cluster[key].is_object()) continue;
    for (const auto& item : run.cluster[key].items()) {
      Json& value = item.value();
      if (value.is_string() && is_secret(item.key(), value.get<std::string>())) value = kRedacted;
    }
  }
  return run;
}

void take(Entry entry, Dataset& dataset) {
  const record::Record& record = entry.record;
  dataset.end_wall_ns = std::max(dataset.end_wall_ns, record.wall_ns);
  if (record.kind == kind::kRun) {
    if (dataset.run.line == 0) dataset.start_wall_ns = record.wall_ns;
    dataset.complete = false;
    dataset.asked = without_secrets(record::read<record::Run>(record));
    dataset.run = std::move(entry);
  } else if (record.kind == kind::kRunEnd) {
    dataset.complete = true;
  } else if (record.task.empty()) {
    if (record.kind == kind::kFinding)
      dataset.findings.push_back(read_typed<record::Finding>(record, entry.line));
  } else {
    TaskData& task = find_or_add(dataset.tasks, record.task);
    if (record.kind == kind::kTaskStart) task.start_again(record::read<record::TaskStart>(record));
    task.add(std::move(entry));
  }
}

/// Puts the tasks into the plan's order, with those that never started.
void apply_plan(Dataset& dataset) {
  std::vector<TaskData> ordered;
  for (const Json& planned : dataset.asked.plan) {
    const std::string id = text(planned, "id");
    if (id.empty()) continue;  // no task: a plan that is none
    const auto seen = dataset.tasks.begin() + (&find_or_add(dataset.tasks, id) - dataset.tasks.data());
    TaskData task = std::move(*seen);
    dataset.tasks.erase(seen);
    task.plan = planned;
    task.nodes = static_cast<int>(integer(planned, "nodes").value_or(task.nodes));
    task.repeat = static_cast<int>(integer(planned, "repeat").value_or(0));
    task.phase = text(planned, "phase");
    if (task.label.empty()) {
      const std::string what =
          text(member(planned, "model"), "name") + text(member(planned, "sweep"), "collective");
      task.label = fmt::format("{} {} on {}", task.phase, what, on_nodes(task.nodes));
    }
    ordered.push_back(std::move(task));
  }
  std::move(dataset.tasks.begin(), dataset.tasks.end(), std::back_inserter(ordered));
  dataset.tasks = std::move(ordered);
}

std::vector<std::string> list_traces(const std::filesystem::path& run_folder) {
  std::vector<std::string> names;
  std::error_code ec;
  for (const auto& path : paths_in(run_folder / "traces", ec)) {
    if (std::filesystem::is_regular_file(path, ec)) names.push_back(path.filename().string());
  }
  return names;
}

}  // namespace

const char* to_string(TaskStatus status) {
  switch (status) {
    case TaskStatus::kOk:
      return "ok";
    case TaskStatus::kFailed:
      return "failed";
    case TaskStatus::kInterrupted:
      return "interrupted";
    case TaskStatus::kMissing:
      return "missing";
  }
  return "";
}

TaskStatus TaskData::status() const {
  if (!end) return attempt == 0 ? TaskStatus::kMissing : TaskStatus::kInterrupted;
  const std::string& status = last<record::TaskEnd>().status;
  if (status == "ok") return TaskStatus::kOk;
  return status == "interrupted" ? TaskStatus::kInterrupted : TaskStatus::kFailed;
}

std::string TaskData::reason() const {
  switch (status()) {
    case TaskStatus::kOk:
      return "";
    case TaskStatus::kMissing:
      return "was planned, never started";
    case TaskStatus::kFailed:
    case TaskStatus::kInterrupted:
      break;
  }
  if (!end) return "started, and the journal ends before it does";
  const std::string& reason = last<record::TaskEnd>().reason;
  return reason.empty() ? "no reason recorded" : reason;
}

std::string status_of_repeats(int ok, const std::vector<const TaskData*>& tasks) {
  if (ok == static_cast<int>(tasks.size())) return "ok";
  if (ok > 0) return "partial";
  const bool missing = std::all_of(tasks.begin(), tasks.end(), [](const TaskData* task) {
    return task->status() == TaskStatus::kMissing;
  });
  return missing ? "missing" : "failed";
}

void TaskData::start_again(const record::TaskStart& start) {
  TaskData fresh;
  fresh.id = id;
  fresh.attempt = start.attempt.value_or(attempt + 1);
  fresh.phase = start.phase;
  fresh.label = start.label;
  fresh.nodes = start.nodes.empty() ? nodes : static_cast<int>(start.nodes.size());
  set_steps_aside();
  fresh.earlier_steps_ = std::move(earlier_steps_);
  *this = std::move(fresh);
}

void TaskData::set_steps_aside() {
  for (Entry& entry : std::exchange(kinds[kind::kStep], {})) {
    if (const auto step = record::read<record::Step>(entry.record).step)
      earlier_steps_[*step] = std::move(entry);
  }
  kinds.erase(kind::kStep);
  std::get<std::vector<Typed<record::Step>>>(typed_).clear();
}

void TaskData::add(Entry entry) {
  // The steps before the checkpoint are not computed again; what an earlier attempt did after it is. Those
  // whose records the journal had lost come again, before this.
  if (entry.record.kind == record::Resumed::kKind) {
    const std::int64_t last_kept = record::read<record::Resumed>(entry.record).step.value_or(0);
    set_steps_aside();
    for (auto& [step, earlier] : std::exchange(earlier_steps_, {})) {
      if (step <= last_kept) add(std::move(earlier));
    }
  }
  const record::Record& record = entry.record;
  const auto read = [&]<typename Kind>(std::vector<Typed<Kind>>& column) {
    if (record.kind == Kind::kKind) column.push_back(read_typed<Kind>(record, entry.line));
  };
  std::apply([&](auto&... columns) { (read(columns), ...); }, typed_);
  if (record.kind == kind::kTaskEnd) {
    end = std::move(entry);
  } else {
    kinds[record.kind].push_back(std::move(entry));
  }
}

const std::vector<Entry>& TaskData::of(const char* kind) const {
  static const std::vector<Entry> kNone;
  const auto it = kinds.find(kind);
  return it == kinds.end() ? kNone : it->second;
}

const Json& TaskData::training() const {
  static const Json kNull;
  const std::vector<Entry>& entries = of(kind::kTraining);
  return entries.empty() ? kNull : entries.back().record.data;
}

int TaskData::world() const { return last<record::TaskStart>().world.value_or(0); }

int count_hosts(const TaskData& task) {
  std::set<std::string> hosts;
  for (const auto& node : task.of<record::Node>()) {
    if (!node.data.hostname.empty()) hosts.insert(node.data.hostname);
  }
  return static_cast<int>(hosts.size());
}

std::string on_nodes(int nodes) { return nodes == 1 ? "1 node" : fmt::format("{} nodes", nodes); }

std::string fold_nodes(std::vector<std::string> names) {
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return config::fold_node_set(names);
}

Result<Dataset> load_dataset(const std::filesystem::path& run_folder) {
  const std::filesystem::path path = run_folder / "records.jsonl";
  SXB_ASSIGN_OR_RETURN(const std::string content, read_file(path));
  Dataset dataset;
  dataset.folder = run_folder;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string_view line(content.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.empty()) continue;
    SXB_ASSIGN_OR_RETURN(auto record, parse_line(line, fmt::format("{}:{}", path.string(), number)));
    if (record) {
      take({number, std::move(*record)}, dataset);
    } else {
      (end == content.size() ? dataset.torn_lines : dataset.damaged_lines).push_back(number);
    }
  }
  if (dataset.run.line == 0) {
    return Error{"the journal holds no run record", path.string(),
                 "the run ended before it began, or this is no run folder of sxbench; give a folder that "
                 "`sxbench run` made"};
  }
  apply_plan(dataset);
  dataset.traces = list_traces(run_folder);
  return dataset;
}

}  // namespace sxb::analysis
