#include "record/kinds/run.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<Run> R>
void rows(V& visit, R& r) {
  visit(r.run_id, {"run_id", "", Hint::kText, "Name of the run folder."});
  visit(r.name, {"name", "", Hint::kText, "Name given with --name."});
  visit(r.command, {"command", "", Hint::kText, "The command line as typed."});
  visit(r.build_id, {"build_id", "", Hint::kText, "Version, source revision and compiler of sxbench."});
  visit(r.config_hash, {"config_hash", "", Hint::kText, "Hash of the resolved cluster, models and sweep."});
  visit(r.cluster, {"cluster", "", Hint::kText, "The resolved cluster config (object)."});
  visit(r.plan, {"plan", "", Hint::kText, "The tasks in order (array of task objects)."});
  visit(r.nccl_env, {"nccl_env", "", Hint::kText, "NCCL variables applied to the ranks (object)."});
  visit(r.spares,
        {"spares", "", Hint::kText, "Nodes given with --spares (array), the last of the cluster's."});
  visit(r.excluded, {"excluded", "", Hint::kText, "Nodes taken out with --exclude (array)."});
  visit(r.sample_interval_ns,
        {"sample_interval_ns", "ns", Hint::kNanoseconds, "Time between two metric samples."});
  visit(r.save_dir, {"save_dir", "", Hint::kText, "Where rank 0 writes the weights (--save), or empty."});
  visit(r.report, {"report", "", Hint::kFlag, "Reports were asked for."});
  visit(r.resumed,
        {"resumed", "", Hint::kFlag, "Written by --resume, which goes on with an earlier journal."});
}

template <typename V, Of<TaskStart> R>
void rows(V& visit, R& r) {
  visit(r.phase, {"phase", "", Hint::kText, "check, gpu, burn, nccl, locate or sft."});
  visit(r.label, {"label", "", Hint::kText, "What the task is, for people."});
  visit(r.nodes, {"nodes", "", Hint::kText, "Names of the nodes that take part (array)."});
  visit(r.world, {"world", "", Hint::kCount, "Number of ranks."});
  visit(r.attempt, {"attempt", "", Hint::kCount, "1 for the first try."});
}

template <typename V, Of<TaskEnd> R>
void rows(V& visit, R& r) {
  visit(r.status, {"status", "", Hint::kText, "ok, failed or interrupted."});
  visit(r.reason, {"reason", "", Hint::kText, "Why it failed, with node and rank."});
  visit(r.failed_node, {"failed_node", "", Hint::kText, "Node that failed first, if one did."});
  visit(r.failed_rank, {"failed_rank", "", Hint::kCount, "Rank that failed first, or -1."});
  visit(r.duration_s, {"duration_s", "s", Hint::kSeconds, "From start of the agents to the last exit."});
  visit(r.exit_code, {"exit_code", "", Hint::kCount, "sxb::ExitCode of the task."});
  visit(r.verdict_s,
        {"verdict_s", "s", Hint::kSeconds,
         "Of a failed task: from its start until the head knew why; what follows is the end of the ranks."});
}

template <typename V, Of<RunEnd> R>
void rows(V& visit, R& r) {
  visit(r.status, {"status", "", Hint::kText, "ok, failed, partial or interrupted."});
  visit(r.exit_code, {"exit_code", "", Hint::kCount, "Exit code of the run."});
}

constexpr const char* kLinesText = "Lines that it sent before this one, heartbeats and samples among them.";
constexpr const char* kHashText = "XXH3-128 over those lines: none was lost, changed or added on the way.";

template <typename V, Of<RankEnd> R>
void rows(V& visit, R& r) {
  visit(r.exit_code, {"exit_code", "", Hint::kCount, "sxb::ExitCode with which the rank ends."});
  visit(r.lines, {"lines", "", Hint::kCount, kLinesText});
  visit(r.hash, {"hash", "", Hint::kText, kHashText});
}

template <typename V, Of<RankExit> R>
void rows(V& visit, R& r) {
  visit(r.rank, {"rank", "", Hint::kCount, "Its number."});
  visit(r.exit_code, {"exit_code", "", Hint::kCount, "Of the process, unless a signal ended it."});
  visit(r.signal, {"signal", "", Hint::kCount, "That ended the process."});
  visit(r.proved, {"proved", "", Hint::kFlag,
                   "Its rank_end came, with this exit code and the hash of what the agent read."});
}

template <typename V, Of<AgentEnd> R>
void rows(V& visit, R& r) {
  visit(r.exit_code, {"exit_code", "", Hint::kCount, "sxb::ExitCode with which the agent ends."});
  visit(r.lines, {"lines", "", Hint::kCount, kLinesText});
  visit(r.hash, {"hash", "", Hint::kText, kHashText});
  visit(r.reason,
        {"reason", "", Hint::kText,
         "Why it ended its ranks before they were done: head_gone, told, or empty.", Absent::kLeftOut});
  visit(r.ranks, {"ranks", "", Hint::kText, "How each rank of the node ended (array of objects)."});
}

template <typename V, Of<Finding> R>
void rows(V& visit, R& r) {
  visit(r.severity, {"severity", "", Hint::kText, "error, warning or info."});
  visit(r.code, {"code", "", Hint::kText, "Stable short name, e.g. nan_loss."});
  visit(r.message, {"message", "", Hint::kText, "What was seen."});
  visit(r.help, {"help", "", Hint::kText, "What to do."});
}

SXB_RECORD_KIND(Run)
SXB_RECORD_KIND(TaskStart)
SXB_RECORD_KIND(TaskEnd)
SXB_RECORD_KIND(RunEnd)
SXB_RECORD_KIND(RankEnd)
SXB_RECORD_KIND(AgentEnd)
SXB_RECORD_KIND(Finding)

}  // namespace sxb::record
