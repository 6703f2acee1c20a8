#include "launch/head/intake.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "record/kinds/node.h"
#include "record/typed.h"

namespace sxb::launch {
namespace {

/// A hundred times the largest record of a node in a run on 64 GPUs, and of all its records in a task.
constexpr std::size_t kLongestRecord = 4 << 20;
constexpr std::int64_t kMostBytes = 512LL << 20;

enum class Scalar { kText, kInteger, kNumber };

/// Types of a sample's fields, by the table of record/kinds/node.
const std::map<std::string, Scalar, std::less<>>& sample_types() {
  static const auto types = [] {
    std::map<std::string, Scalar, std::less<>> map = {{"mono_ns", Scalar::kInteger},
                                                      {"wall_ns", Scalar::kInteger}};
    for (const record::Field& field : record::fields_of<record::Sample>()) {
      map[field.name] = field.type == "text"      ? Scalar::kText
                        : field.type == "integer" ? Scalar::kInteger
                                                  : Scalar::kNumber;
    }
    return map;
  }();
  return types;
}

bool fits(simdjson::ondemand::value value, Scalar wanted) {
  using simdjson::ondemand::json_type;
  json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (type == json_type::null) return value.is_null().value_unsafe();
  if (wanted == Scalar::kText) {
    std::string_view text;
    return type == json_type::string && value.get_string().get(text) == simdjson::SUCCESS;
  }
  // Integers may come as 3.0: record/rows.h takes them, too.
  double number = 0;
  return type == json_type::number && value.get_double().get(number) == simdjson::SUCCESS;
}

/// Nearly all lines are samples (8 GPUs at 10 Hz on 1,024 nodes: 82,000 a second), and the head needs nothing
/// of them: they are held against the table and written as they are.
class SampleCheck {
 public:
  /// Whether `json` is {..., "data": {...}} with values of the table's types, and nothing after "data".
  bool operator()(std::string_view json) {
    buffer_.assign(json);
    buffer_.append(simdjson::SIMDJSON_PADDING, '\0');
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    const simdjson::padded_string_view padded(buffer_.data(), json.size(), buffer_.size());
    if (parser_.iterate(padded).get(document) != simdjson::SUCCESS) return false;
    if (document.get_object().get(object) != simdjson::SUCCESS) return false;
    // As record::to_json() writes them. A key that comes twice is none of these at its place.
    struct Key {
      std::string_view name;
      Scalar type;
    };
    constexpr Key kKeys[] = {{"v", Scalar::kInteger},       {"kind", Scalar::kText},
                             {"task", Scalar::kText},       {"node", Scalar::kText},
                             {"mono_ns", Scalar::kInteger}, {"wall_ns", Scalar::kInteger},
                             {"data", Scalar::kText}};
    std::size_t at = 0;
    for (auto field : object) {
      std::string_view key;
      if (at == std::size(kKeys) || field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
      const Key& wanted = kKeys[at++];
      simdjson::ondemand::value value;
      if (key != wanted.name || field.value().get(value) != simdjson::SUCCESS) return false;
      if (at == std::size(kKeys) ? !check_data(value) : !fits(value, wanted.type)) return false;
    }
    return at == std::size(kKeys) && document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  }

 private:
  static bool check_data(simdjson::ondemand::value value) {
    simdjson::ondemand::object data;
    if (value.get_object().get(data) != simdjson::SUCCESS) return false;
    for (auto field : data) {
      std::string_view key;
      simdjson::ondemand::value item;
      if (field.unescaped_key().get(key) != simdjson::SUCCESS ||
          field.value().get(item) != simdjson::SUCCESS) {
        return false;
      }
      const auto type = sample_types().find(key);
      if (type == sample_types().end() || !fits(item, type->second)) return false;
    }
    return true;
  }

  simdjson::ondemand::parser parser_;
  std::string buffer_;
};

/// One for all agents: its memory is that of the longest line.
bool is_sample(std::string_view json) {
  static thread_local SampleCheck check;
  return check(json);
}

}  // namespace

Intake::Intake(Sender sender)
    : sender_(std::move(sender)),
      sample_prefix_(fmt::format(R"({{"v":1,"kind":"sample","task":{},"node":{},)", dump(Json(sender_.task)),
                                 dump(Json(sender_.node)))) {}

Intake::Line Intake::take(std::string_view line) {
  const auto wire = record::find_wire(line, sender_.nonce);
  if (!wire) return {Line::Kind::kLog, "", line, {}, {}};
  const std::string_view text = line.substr(wire->before.size());
  Line taken;
  if (end_) {
    taken = violation("more after its last record");
  } else if (wire->json.starts_with(sample_prefix_) && is_sample(wire->json)) {
    taken = {Line::Kind::kSample, "", wire->json, {}, {}};
  } else {
    taken = take_record(wire->json);
  }
  if (!end_) lines_.add(text);
  taken.before = wire->before;
  if (taken.kind == Line::Kind::kViolation) taken.text = line;
  return taken;
}

Intake::Line Intake::take_record(std::string_view json) {
  if (json.size() > kLongestRecord) return violation(fmt::format("a record of {} bytes", json.size()));
  Result<record::Record> parsed = record::parse_line(json, sender_.node);
  if (!parsed.ok()) return violation("what is no record: " + parsed.error().what);
  record::Record& record = *parsed;
  if (const Status own = check_sender(record); !own.ok()) return violation(own.error().what);
  if (const Status known = record::check(record, sender_.node); !known.ok())
    return violation(known.error().what);
  if (record.kind == record::kind::kHeartbeat) record.data = Json::object();
  if (record.kind != record::kind::kSample) bytes_ += static_cast<std::int64_t>(json.size());
  if (bytes_ > kMostBytes) return violation(fmt::format("more than {} bytes of records", kMostBytes));
  if (record.kind == record::kind::kAgentEnd) end_ = record::read<record::AgentEnd>(record);
  if (record.kind == record::kind::kSample) return {Line::Kind::kSample, "", json, {}, {}};
  if (record.kind == record::kind::kFinding) {
    auto finding = record::read<record::Finding>(record);
    for (std::string* text : {&finding.severity, &finding.code, &finding.message, &finding.help}) {
      *text = printable(std::move(*text));
    }
    record.data = record::write(finding);
  }
  return {Line::Kind::kRecord, "", "", std::move(record), {}};
}

Status Intake::check_sender(const record::Record& record) const {
  if (record::is_head_kind(record.kind))
    return Error{fmt::format("a record \"{}\", which the head alone writes", record.kind), "", ""};
  if (record.task != sender_.task)
    return Error{"a record of another task: " + dump(Json(record.task)), "", ""};
  if (record.node != sender_.node)
    return Error{"a record of another node: " + dump(Json(record.node)), "", ""};
  if (record.rank >= 0 && !sender_.ranks.contains(record.rank)) {
    return Error{fmt::format("a record of rank {}, which is none of its", record.rank), "", ""};
  }
  if (record.kind == record::kind::kAgentEnd && record.rank >= 0)
    return Error{"the agent's last record from a rank", "", ""};
  if (record.kind == record::kind::kTrace && record.rank < 0) return Error{"a trace of no rank", "", ""};
  return ok_status();
}

Intake::Line Intake::violation(const std::string& why) const {
  return {
      Line::Kind::kViolation,
      "",
      "",
      {},
      Error{fmt::format("node {} sent what no sxbench sends: {}", sender_.node, printable_line(why)),
            sender_.node,
            fmt::format(
                "logs/{}.log of the run has the line; another program answers there, or the node or the way "
                "to it is broken: look at it before you use it again",
                sender_.node),
            ExitCode::kEnvironment}};
}

Status Intake::proof() const {
  const auto lacking = [&](const std::string& what, const std::string& help) {
    return Error{what, sender_.node, help, ExitCode::kEnvironment};
  };
  if (!end_) {
    return lacking(fmt::format("node {} ended without its last record, after {} lines of records",
                               sender_.node, lines_.lines()),
                   "its output was cut off, or what started sxbench there hides how it ended");
  }
  if (end_->lines != lines_.lines() || end_->hash != lines_.hex()) {
    return lacking(
        fmt::format("records of node {} were lost or changed on the way: it sent {} lines, {} came",
                    sender_.node, end_->lines.value_or(0), lines_.lines()),
        "the path from the node to the head is broken: try another transport");
  }
  for (const int rank : sender_.ranks) {
    const auto found = std::find_if(end_->ranks.begin(), end_->ranks.end(),
                                    [&](const record::RankExit& exit) { return exit.rank == rank; });
    if (found != end_->ranks.end() && found->proved && found->exit_code == 0) continue;
    return lacking(fmt::format("rank {} on node {} has not proved its end", rank, sender_.node),
                   "its agent was not sxbench's, or the record of its end was lost");
  }
  return ok_status();
}

Intake::Sender mark(AgentTask& agent) {
  agent.nonce = random_token().substr(0, 16);
  Intake::Sender sender = {agent.nonce, agent.task.id, agent.node, {}};
  for (plan::RankTask& rank : agent.ranks) {
    rank.nonce = agent.nonce;
    sender.ranks.insert(rank.rank);
  }
  return sender;
}

}  // namespace sxb::launch
