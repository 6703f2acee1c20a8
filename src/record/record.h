// The journal's unit: one JSON object a line. The structs of src/record/kinds name every field of every kind
// once, with unit and description: code reads and writes their members (record/typed.h), CSV headers,
// Markdown columns and docs/records.md come from fields(), and check() holds what comes from outside against
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "record/field.h"

namespace sxb::record {

/// Kinds, as they stand in "kind".
namespace kind {
inline constexpr const char* kRun = "run";                ///< head: what was asked for
inline constexpr const char* kNode = "node";              ///< agent: host and GPU facts
inline constexpr const char* kDevice = "device";          ///< rank: device and library versions
inline constexpr const char* kTaskStart = "task_start";   ///< head
inline constexpr const char* kTaskEnd = "task_end";       ///< head: status, reason, duration
inline constexpr const char* kCollective = "collective";  ///< rank 0: one size of a sweep
inline constexpr const char* kOverhead = "overhead";  ///< rank 0: what the harness adds to a sweep's times
inline constexpr const char* kLocateNode = "locate_node";    ///< rank 0: one node probed by itself
inline constexpr const char* kLocateLink = "locate_link";    ///< rank 0: one rail of a pair of nodes
inline constexpr const char* kLocateGroup = "locate_group";  ///< rank 0: one rail of more than two nodes
inline constexpr const char* kLocate = "locate";             ///< rank 0: the end of a search
inline constexpr const char* kGpuBench = "gpu_bench";  ///< every rank: one figure of a GPU micro-benchmark
inline constexpr const char* kBurn = "burn";           ///< every rank, about once a second of a burn
inline constexpr const char* kStep = "step";           ///< rank 0: one optimizer step
inline constexpr const char* kTraining = "training";   ///< rank 0: facts and totals of an SFT task
inline constexpr const char* kRank = "rank";           ///< every rank: its own step times, memory
inline constexpr const char* kPhases = "phases";       ///< every rank: where its measured steps went
inline constexpr const char* kWindow = "window";       ///< local rank 0: measured interval (monotonic)
inline constexpr const char* kTrace =
    "trace";  ///< every rank, if asked: one step; goes to traces/, not to records.jsonl
inline constexpr const char* kFinding = "finding";      ///< anyone: a warning with evidence
inline constexpr const char* kHeartbeat = "heartbeat";  ///< rank: alive; never journalled
inline constexpr const char* kSample = "sample";   ///< agent: metrics; goes to samples/, not to records.jsonl
inline constexpr const char* kRunEnd = "run_end";  ///< head
inline constexpr const char* kRankEnd = "rank_end";    ///< every rank: its last record
inline constexpr const char* kAgentEnd = "agent_end";  ///< agent: its last record
}  // namespace kind

struct Record {
  std::string kind;
  std::string task;          ///< task id, "" for run-level records
  std::string node;          ///< "" = head
  int rank = -1;             ///< -1 = not a rank
  std::int64_t mono_ns = 0;  ///< monotonic clock of `node`
  std::int64_t wall_ns = 0;
  Json data = Json::object();  ///< the fields of this kind; read<T>(record) gives them typed
};

Json to_json(const Record& record);
/// Refuses another schema and what is no record: data that is no object, origin or clocks of another type.
Result<Record> parse_record(const Json& json, const std::string& where);
/// The same of a line: JSON text.
Result<Record> parse_line(std::string_view line, const std::string& where);
/// Holds kind and fields against the table, for records that came from outside: an unknown kind and values of
/// another type are errors. Fields that the table lacks are not: a newer build may add some.
Status check(const Record& record, const std::string& where);

/// Kinds that the head alone writes: a node that sends one claims to be the head.
bool is_head_kind(const std::string& kind);

// --- the wire: records on stdout, among lines of anybody else
/// One wire line: ":::SXB " + nonce + " " + compact JSON, without newline. The nonce is what the head gave to
/// this agent and its ranks for this task: a line without it is log, whoever wrote it.
inline constexpr const char* kWirePrefix = ":::SXB ";
std::string to_wire(std::string_view nonce, const Record& record);

/// A wire line in what a node printed: its JSON, and what stood before it in the line, which is log (a
/// shell's greeting without a newline). nullopt if there is none with this nonce.
struct WireLine {
  std::string_view before, json;
};
std::optional<WireLine> find_wire(std::string_view line, std::string_view nonce);

const std::vector<Field>& fields();
/// Field by kind and name; nullptr if unknown (a test holds every emitted record against the table).
const Field* find_field(const std::string& kind, const std::string& name);

}  // namespace sxb::record
