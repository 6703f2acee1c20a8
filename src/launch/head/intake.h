// The one way into the head for what a node sends: which of its lines are records, and whether this node may
// say them. A node may be broken, or somebody else's program: nothing that it sends is taken on trust, and
// nothing of it reaches a path, a command or a terminal (docs/security.md).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "launch/node/agent_task.h"
#include "record/kinds/run.h"

namespace sxb::launch {

/// What one agent sends in one task.
class Intake {
 public:
  struct Sender {
    std::string nonce;    ///< that the head gave it
    std::string task;     ///< id
    std::string node;     ///< name
    std::set<int> ranks;  ///< of this node
  };
  struct Line {
    enum class Kind {
      kLog,        ///< `text`, to be escaped before anybody sees it
      kSample,     ///< `text`: the record's JSON as it came
      kRecord,     ///< `record`
      kViolation,  ///< no sxbench sends it: `error` says why, `text` is the line
    };
    Kind kind = Kind::kLog;
    std::string_view before;  ///< of a record: what stood before it in its line; log
    std::string_view text;
    record::Record record;
    Error error;
  };

  explicit Intake(Sender sender);

  /// A line of the node's stdout, without its newline; the result refers to it.
  Line take(std::string_view line);

  /// A record has come: what answers there is the sxbench that was started.
  bool heard() const { return lines_.lines() > 0 || end_; }
  /// Its last record, once it has come.
  const std::optional<record::AgentEnd>& end() const { return end_; }
  /// Holds the last record against what came: count and hash of the lines, and for every rank an end with
  /// exit code 0 that its agent has proved. An error says what is missing.
  Status proof() const;

 private:
  Line take_record(std::string_view json);
  Status check_sender(const record::Record& record) const;
  Line violation(const std::string& why) const;

  Sender sender_;
  std::string sample_prefix_;  ///< how the JSON of this node's samples begins
  LineHash lines_;
  std::int64_t bytes_ = 0;  ///< of records that are kept, samples aside
  std::optional<record::AgentEnd> end_;
};

/// Gives an agent's part of a task what marks its records, and says what the head will take for them.
Intake::Sender mark(AgentTask& agent);

}  // namespace sxb::launch
