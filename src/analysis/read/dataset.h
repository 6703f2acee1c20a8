// The journal of one run, read back and sorted by task. Later stages see only this and the samples.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "record/kinds/kinds.h"
#include "record/record.h"
#include "record/typed.h"

namespace sxb::analysis {

/// A record and the line of records.jsonl (from 1) it stands on: the evidence of every figure.
struct Entry {
  std::size_t line = 0;
  record::Record record;
};

/// The same, read: `data` is the struct of its kind (src/record/kinds).
template <typename Kind>
struct Typed {
  std::size_t line = 0;
  std::string node;  ///< "" = head
  int rank = -1;     ///< -1 = not a rank
  std::int64_t mono_ns = 0, wall_ns = 0;
  Kind data;
};
template <typename Kind>
Typed<Kind> read_typed(const record::Record& record, std::size_t line = 0) {
  return {line, record.node, record.rank, record.mono_ns, record.wall_ns, record::read<Kind>(record)};
}

enum class TaskStatus { kOk, kFailed, kInterrupted, kMissing };
const char* to_string(TaskStatus status);

/// What one task left in the journal; of several attempts the last, with the steps of those before that it
/// went on from.
class TaskData {
 public:
  std::string id;
  Json plan = Json::object();  ///< the task as planned; empty if the plan does not hold it
  std::string phase, label;
  int nodes = 0;
  int repeat = 0;
  int attempt = 0;                                  ///< 0: never started
  std::optional<Entry> end;                         ///< task_end
  std::map<std::string, std::vector<Entry>> kinds;  ///< everything else, by kind, in journal order

  /// Takes the next record of the journal. Records come in by this alone: it reads them too.
  void add(Entry entry);

  /// A task_start: of several attempts the last counts. Its steps may go on from a checkpoint of those
  /// before.
  void start_again(const record::TaskStart& start);

  /// Step of the checkpoint that the last attempt went on from; 0: it began at step 1.
  std::int64_t resumed_step() const { return last<record::Resumed>().step.value_or(0); }

  /// Those of one kind, in journal order. They were read once: a task of a sweep has ten thousand of them.
  template <typename Kind>
  const std::vector<Typed<Kind>>& of() const {
    return std::get<std::vector<Typed<Kind>>>(typed_);
  }
  /// The last of one kind; without any, a struct in which every field is absent.
  template <typename Kind>
  const Kind& last() const {
    static const Kind kNone;
    return of<Kind>().empty() ? kNone : of<Kind>().back().data;
  }
  /// The same as JSON, for what iterates over fields that it does not know.
  const std::vector<Entry>& of(const char* kind) const;
  /// The `training` record as JSON, or null.
  const Json& training() const;

  TaskStatus status() const;
  /// Why it has no result; "" if it has one.
  std::string reason() const;
  /// Ranks as the head started them; 0 if unknown.
  int world() const;

 private:
  void set_steps_aside();

  template <typename... Kinds>
  using Columns = std::tuple<std::vector<Typed<Kinds>>...>;
  Columns<record::TaskStart, record::TaskEnd, record::Node, record::Device, record::Window, record::Finding,
          record::Collective, record::Overhead, record::LocateNode, record::LocateLink, record::LocateGroup,
          record::Locate, record::GpuBench, record::Burn, record::Step, record::Checkpoint, record::Resumed,
          record::Training, record::Rank, record::Phases>
      typed_;
  std::map<std::int64_t, Entry> earlier_steps_;  ///< of the attempts before; of several the last one's
};

struct Dataset {
  std::filesystem::path folder;
  Entry run;                                     ///< the last `run` record (a resumed run writes one more)
  record::Run asked;                             ///< its fields: what was asked for
  std::int64_t start_wall_ns = 0;                ///< of the first `run` record
  std::int64_t end_wall_ns = 0;                  ///< of the last record
  bool complete = false;                         ///< a run_end stands after the last run record
  std::vector<TaskData> tasks;                   ///< in plan order, then any other in order of appearance
  std::vector<Typed<record::Finding>> findings;  ///< at run level
  std::vector<std::string> traces;               ///< files in RUN/traces, sorted
  std::vector<std::size_t> torn_lines;           ///< the last line, if a crash cut it off; ignored
  std::vector<std::size_t> damaged_lines;        ///< others that are no records of sxbench; ignored
};

/// Of the repeats of one measurement, `ok` of which have a result: ok, partial, failed or missing.
std::string status_of_repeats(int ok, const std::vector<const TaskData*>& tasks);

/// Machines behind the nodes of a task, by host name: pretended nodes share one. 0 = unknown.
int count_hosts(const TaskData& task);

/// "1 node", "4 nodes".
std::string on_nodes(int nodes);
/// "node[001-002,004]"; node10 comes after node2.
std::string fold_nodes(std::vector<std::string> names);

/// The run folder that `path` means: itself, the `latest` of a results folder, else the newest in it.
Result<std::filesystem::path> find_run(const std::filesystem::path& path);

/// Reads RUN/records.jsonl. Errors: no such file, no records, records of an unknown schema.
Result<Dataset> load_dataset(const std::filesystem::path& run_folder);

}  // namespace sxb::analysis
