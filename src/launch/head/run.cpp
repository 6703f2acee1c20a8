#include "launch/head/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/folder.h"
#include "base/redact.h"
#include "base/text.h"
#include "config/cluster/node_set.h"
#include "launch/head/head_record.h"
#include "launch/head/journal.h"
#include "launch/head/plan_file.h"
#include "launch/head/roster.h"
#include "launch/head/seal.h"
#include "launch/head/task_run.h"
#include "launch/os/interrupt.h"
#include "record/kinds/run.h"

namespace sxb::launch {
namespace {

record::Run run_facts(const RunOptions& options, const std::string& run_id, const std::string& config_hash) {
  record::Run facts;
  facts.run_id = run_id;
  facts.name = options.name;
  facts.command = options.command;
  facts.build_id = build_id();
  facts.config_hash = config_hash;
  facts.cluster = config::to_json(options.cluster);
  facts.plan = tasks_json(options.tasks);
  facts.nccl_env = redacted(options.cluster.nccl_env);
  facts.spares = options.spares;
  facts.excluded = options.excluded;
  facts.sample_interval_ns = options.settings.sample_interval_ns;
  facts.save_dir = options.settings.save_dir;
  facts.report = options.report;
  facts.resumed = !options.resume.empty();
  return facts;
}

/// A head that is away again and again will be the next time, too.
constexpr int kMostPauses = 3;
/// A port that is free on the head may not be so on the first node, or for longer.
constexpr int kMostPorts = 3;

const char* status_name(ExitCode code) {
  switch (code) {
    case ExitCode::kOk:
      return "ok";
    case ExitCode::kPartial:
      return "partial";
    case ExitCode::kInterrupted:
      return "interrupted";
    default:
      return "failed";
  }
}

/// One run, from its run record to its run_end.
class Head {
 public:
  Head(RunOptions options, Transport& transport, Journal& journal, Observer& observer)
      : options_(std::move(options)),
        transport_(transport),
        journal_(journal),
        observer_(observer),
        roster_(options_) {
    options_.settings.run_id = journal_.run_id();
  }

  /// `before`: what the journal of a resumed run says.
  RunOutcome run(const JournalState& before, const std::string& config_hash) {
    result_.dir = journal_.dir();
    result_.planned = static_cast<int>(options_.tasks.size());
    if (const Status recorded = pass_or_stop(before, config_hash); !recorded.ok()) {
      // A run that cannot be recorded any longer ends here.
      result_.stopped_by = recorded.errors();
      result_.code = recorded.error().code;
    }
    return std::move(result_);
  }

 private:
  /// What a library throws ends the run in good order: the journal says why, and is closed.
  Status pass_or_stop(const JournalState& before, const std::string& config_hash) {
    try {
      return pass_by_pass(before, config_hash);
    } catch (const std::exception& exception) {
      const Error error = unexpected(exception);
      result_.code = error.code;
      (void)note("error", "head_exception", error);
      (void)record_end();
      return error;
    }
  }

  /// Errors are those of the journal.
  Status pass_by_pass(const JournalState& before, const std::string& config_hash) {
    // What was asked for is on disk before anything starts: from here on the run can be resumed.
    SXB_RETURN_IF_ERROR(record_request(config_hash));
    // Who watches hears what there is to do.
    announce(before);
    // What a resumed run must say of itself, since its reader cannot see it.
    SXB_RETURN_IF_ERROR(note_mended_journal());
    SXB_RETURN_IF_ERROR(note_damaged_journal(before));
    SXB_RETURN_IF_ERROR(note_other_build(before));
    // On the nodes that the spares have made of them.
    roster_.go_on(before.nodes_of_starts);
    // The tasks one after another, each with its retries and spares; one that fails does not stop the next.
    SXB_RETURN_IF_ERROR(run_tasks(before));
    // One word and one exit code for all of them.
    conclude();
    // Last: a journal without it is that of a run that was killed.
    return record_end();
  }

  static bool has_result(const JournalState& state, const plan::Task& task) {
    const auto it = state.tasks.find(task.id);
    return it != state.tasks.end() && it->second.ok;
  }
  static int attempts(const JournalState& state, const plan::Task& task) {
    const auto it = state.tasks.find(task.id);
    return it == state.tasks.end() ? 0 : it->second.attempts;
  }

  Status record_request(const std::string& config_hash) {
    if (options_.resume.empty()) SXB_RETURN_IF_ERROR(write_manifest(journal_, options_, config_hash));
    SXB_RETURN_IF_ERROR(
        journal_.append(head_record("", run_facts(options_, journal_.run_id(), config_hash))));
    SXB_RETURN_IF_ERROR(journal_.sync());
    // Without the link the run is as good: it is only found less easily.
    const Status linked = journal_.publish();
    return linked.ok() ? ok_status() : note("warning", "no_latest_link", linked.error());
  }

  void announce(const JournalState& before) {
    RunStart start = {journal_.dir(), result_.planned, {}, !options_.resume.empty()};
    for (const plan::Task& task : options_.tasks) {
      if (!has_result(before, task)) start.todo.push_back(task);
    }
    observer_.run_started(start);
  }

  Status note_mended_journal() {
    if (journal_.torn_bytes() == 0) return ok_status();
    return note(
        "info", "journal_mended",
        {fmt::format("the last line of records.jsonl was cut off when the run was stopped; its {} bytes "
                     "were removed",
                     journal_.torn_bytes()),
         "", "the task it belonged to had no result and is done again", ExitCode::kOk});
  }

  Status note_damaged_journal(const JournalState& before) {
    if (before.damaged_lines == 0) return ok_status();
    return note("warning", "journal_damaged",
                {fmt::format("{} lines of records.jsonl are no records of sxbench, the first is line {}",
                             before.damaged_lines, before.first_damaged_line),
                 "", "they are passed over; check the disk that the run folder is on", ExitCode::kOk});
  }

  Status note_other_build(const JournalState& before) {
    const std::string built = before.run && !before.run->build_id.empty() ? before.run->build_id : build_id();
    if (built == build_id()) return ok_status();
    return note(
        "warning", "mixed_builds",
        {fmt::format("the run was begun by build \"{}\" and is resumed by \"{}\"", built, build_id()), "",
         "figures of different builds may differ; make a new run to compare them", ExitCode::kOk});
  }

  Status run_tasks(const JournalState& before) {
    for (std::size_t i = 0; i < options_.tasks.size() && interrupts() == 0; ++i) {
      const plan::Task& task = options_.tasks[i];
      TaskOutcome outcome;
      outcome.earlier = has_result(before, task);
      if (!outcome.earlier) {
        SXB_ASSIGN_OR_RETURN(outcome, run_task(task, static_cast<int>(i) + 1, attempts(before, task)));
        observer_.task_ended(task, outcome);
      }
      result_.tasks.push_back(outcome);
    }
    return ok_status();
  }

  void conclude() {
    result_.interrupted = interrupts() > 0;
    result_.code = result_.interrupted ? ExitCode::kInterrupted : exit_code_of(result_.tasks);
  }

  Status record_end() {
    SXB_RETURN_IF_ERROR(journal_.append(
        head_record("", record::RunEnd{status_name(result_.code), static_cast<int>(result_.code)})));
    return journal_.sync();
  }

  /// A finding of the whole run: unlike those of a task it outlives the attempt.
  Status note(const char* severity, const char* code, const Error& error) {
    const record::Record finding = head_finding("", severity, code, error);
    SXB_RETURN_IF_ERROR(journal_.append(finding));
    return journal_.sync();
  }

  Result<TaskOutcome> run_task(const plan::Task& task, int index, int attempts_before) {
    int retries_left = options_.retries, pauses_left = kMostPauses, ports_left = kMostPorts;
    for (int attempt = attempts_before + 1;; ++attempt) {
      if (attempt > 1) SXB_RETURN_IF_ERROR(journal_.set_aside_samples(task.id, attempt - 1));
      observer_.task_started(task, index, result_.planned, attempt);
      SXB_ASSIGN_OR_RETURN(const TaskOutcome outcome, run_attempt(task, attempt));
      if (outcome.status != "failed" || interrupts() > 0) return outcome;
      // Neither the task nor a node is at fault.
      const char* again = outcome.head_fault && pauses_left-- > 0
                              ? "keep the head awake; sxbench run in a terminal multiplexer on a server does"
                          : outcome.port_taken && ports_left-- > 0
                              ? "rendezvous.port of the cluster config sets a port that is kept free"
                              : nullptr;
      if (again != nullptr) {
        SXB_RETURN_IF_ERROR(
            note("warning", "task_retried",
                 {fmt::format("{}: attempt {} is done again: {}", task.label(), attempt, outcome.reason), "",
                  again, ExitCode::kOk}));
        observer_.task_retried(task, outcome, "");
        continue;
      }
      const Roster::Changes changes = roster_.after(outcome);
      if (index < result_.planned) SXB_RETURN_IF_ERROR(note_left_out(task, changes.left_out));
      const bool mended = !changes.replaced.empty() && changes.left_out.empty();
      if (!mended && (retries_left == 0 || outcome.code == ExitCode::kUsage)) return outcome;
      if (!roster_.fits(task)) return outcome;
      if (!mended) --retries_left;
      SXB_RETURN_IF_ERROR(note_retry(task, attempt, outcome, changes));
    }
  }

  Status note_retry(const plan::Task& task, int attempt, const TaskOutcome& outcome,
                    const Roster::Changes& changes) {
    std::string message =
        fmt::format("{}: attempt {} failed and is tried again: {}", task.label(), attempt, outcome.reason);
    std::vector<std::string> spares;
    for (const auto& [node, spare] : changes.replaced) {
      message += fmt::format("; node {} takes the place of node {}", spare, node);
      spares.push_back(spare);
    }
    SXB_RETURN_IF_ERROR(note("warning", spares.empty() ? "task_retried" : "node_replaced",
                             {message, "", "repair the node before it is used again", ExitCode::kOk}));
    observer_.task_retried(task, outcome, join(spares, ", "));
    return ok_status();
  }

  /// Once, and not with every later task.
  Status note_left_out(const plan::Task& task, const std::vector<std::string>& names) {
    if (names.empty()) return ok_status();
    const bool one = names.size() == 1;
    const record::Record finding = head_finding(
        "", "warning", "node_left_out",
        {fmt::format("{} {} not there and {} left out of the tasks that follow; {} of the cluster's nodes {} "
                     "left",
                     config::fold_node_set(names), one ? "was" : "were", one ? "is" : "are",
                     roster_.nodes_left(), roster_.nodes_left() == 1 ? "is" : "are"),
         "", "a task that needs more nodes ends at once; sxbench run --resume tries them all again",
         ExitCode::kOk});
    observer_.record(task, finding);
    SXB_RETURN_IF_ERROR(journal_.append(finding));
    return journal_.sync();
  }

  Result<TaskOutcome> run_attempt(const plan::Task& task, int attempt) {
    SXB_RETURN_IF_ERROR(journal_.append(head_record(task.id, start_facts(task, attempt))));
    SXB_RETURN_IF_ERROR(journal_.log("steps", fmt::format("# {}, attempt {}", task.label(), attempt)));
    const bool goes_on = attempt > 1 && !checkpoint_dir(task, "").empty();
    options_.settings.recorded_steps = goes_on ? recorded_steps(journal_.dir(), task.id) : 0;
    SXB_ASSIGN_OR_RETURN(TaskOutcome outcome, run_on_nodes(task));
    SXB_RETURN_IF_ERROR(journal_.append(head_record(task.id, end_facts(outcome))));
    SXB_RETURN_IF_ERROR(journal_.sync());
    return outcome;
  }

  Result<TaskOutcome> run_on_nodes(const plan::Task& task) {
    if (!roster_.fits(task)) return roster_.too_few_for(task);
    return TaskRun(options_, task, transport_, journal_, observer_).run();
  }

  record::TaskStart start_facts(const plan::Task& task, int attempt) const {
    record::TaskStart facts;
    facts.phase = plan::to_string(task.phase);
    facts.label = task.label();
    const std::vector<NodePlacement>& nodes = options_.placement.nodes;
    const int used = std::min(task.nodes, static_cast<int>(nodes.size()));
    for (int i = 0; i < used; ++i) facts.nodes.push_back(nodes[static_cast<std::size_t>(i)].node.name);
    facts.world = options_.placement.world(used);
    facts.attempt = attempt;
    return facts;
  }

  static record::TaskEnd end_facts(const TaskOutcome& outcome) {
    record::TaskEnd facts;
    facts.status = outcome.status;
    facts.reason = outcome.reason;
    facts.failed_node = outcome.failed_node;
    facts.failed_rank = outcome.failed_rank;
    facts.duration_s = outcome.duration_s;
    facts.exit_code = static_cast<int>(outcome.code);
    if (outcome.status == "failed") facts.verdict_s = outcome.verdict_s;
    return facts;
  }

  RunOptions options_;
  Transport& transport_;
  Journal& journal_;
  Observer& observer_;
  RunOutcome result_;
  Roster roster_;
};

}  // namespace

Result<RunOutcome> execute(const RunOptions& options, Transport& transport, Observer& observer) {
  const std::string config_hash = config_hash_of(config::to_json(options.cluster), tasks_json(options.tasks));
  SXB_ASSIGN_OR_RETURN(Journal journal, options.resume.empty()
                                            ? Journal::create(options.results, options.name, config_hash)
                                            : Journal::reopen(options.resume));
  SXB_ASSIGN_OR_RETURN(const JournalState before, read_journal(journal.dir()));
  return Head(options, transport, journal, observer).run(before, config_hash);
}

Result<RunOptions> options_from_journal(const std::filesystem::path& dir) {
  SXB_ASSIGN_OR_RETURN(const JournalState state, read_journal(dir));
  const std::string where = (dir / "records.jsonl").string();
  if (!state.run) {
    return Error{"the journal holds no run record: the run was stopped before it began", where,
                 "start it again without --resume"};
  }
  const record::Run& run = *state.run;
  SXB_ASSIGN_OR_RETURN(const Json manifest, sealed_manifest(dir, run));
  const char* lacking = run.cluster.is_null()     ? "cluster"
                        : !run.plan.is_array()    ? "plan"
                        : run.name.empty()        ? "name"
                        : !run.sample_interval_ns ? "sample_interval_ns"
                        : !run.report             ? "report"
                                                  : nullptr;
  if (lacking != nullptr) {
    return Error{
        fmt::format("this run cannot be resumed, its run record is another version's: it has no {}", lacking),
        where, "resume it with the sxbench that made it, or make a new run"};
  }
  RunOptions options;
  SXB_ASSIGN_OR_RETURN(options.cluster, config::parse_cluster(run.cluster, where + ":/cluster"));
  if (!config::lost_secrets(options.cluster).empty()) {
    const auto source = manifest.find("cluster_source");
    const bool says = source != manifest.end() && source->is_string();
    SXB_RETURN_IF_ERROR(
        config::restore_secrets(options.cluster, says ? source->get<std::string>() : std::string()));
  }
  for (const Json& item : run.plan) {
    SXB_ASSIGN_OR_RETURN(plan::Task task, plan::parse_task(item, where + ":/plan"));
    options.tasks.push_back(std::move(task));
  }
  options.spares = run.spares;
  options.excluded = run.excluded;
  options.name = run.name;
  options.settings.sample_interval_ns = *run.sample_interval_ns;
  options.settings.save_dir = run.save_dir;
  options.report = *run.report;
  options.resume = dir;
  options.results = dir.parent_path();
  return options;
}

ExitCode exit_code_of(const std::vector<TaskOutcome>& tasks) {
  const auto ok = [](const TaskOutcome& task) { return task.code == ExitCode::kOk; };
  if (std::all_of(tasks.begin(), tasks.end(), ok)) return ExitCode::kOk;
  if (std::any_of(tasks.begin(), tasks.end(), ok)) return ExitCode::kPartial;
  const bool same = std::all_of(tasks.begin(), tasks.end(),
                                [&](const TaskOutcome& task) { return task.code == tasks.front().code; });
  return same ? tasks.front().code : ExitCode::kTaskFailed;
}

}  // namespace sxb::launch
