#include "record/record.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <utility>

namespace sxb::record {

Json to_json(const Record& record) {
  Json json = {{"v", 1}, {"kind", record.kind}};
  if (!record.task.empty()) json["task"] = record.task;
  if (!record.node.empty()) json["node"] = record.node;
  if (record.rank >= 0) json["rank"] = record.rank;
  json["mono_ns"] = record.mono_ns;
  json["wall_ns"] = record.wall_ns;
  json["data"] = record.data;
  return json;
}

namespace {

/// Reads a member of a record; false if it is there, and is of another type or no number that `out` can hold.
bool take_member(const Json& json, const char* key, std::string& out) {
  const auto found = json.find(key);
  if (found == json.end()) return true;
  if (!found->is_string()) return false;
  out = found->get<std::string>();
  return true;
}

/// As rows.h reads integers: a number near a whole one, because other programs write 3.0.
template <typename Int>
bool take_member(const Json& json, const char* key, Int& out) {
  const auto found = json.find(key);
  if (found == json.end()) return true;
  std::int64_t value = 0;
  if (found->is_number_unsigned()) {
    if (!std::in_range<std::int64_t>(found->get<std::uint64_t>())) return false;
    value = found->get<std::int64_t>();
  } else if (found->is_number_integer()) {
    value = found->get<std::int64_t>();
  } else {
    if (!found->is_number_float() || !(std::abs(found->get<double>()) < 9e18)) return false;
    value = std::llround(found->get<double>());
  }
  out = static_cast<Int>(value);
  return std::in_range<Int>(value);
}

}  // namespace

Result<Record> parse_record(const Json& json, const std::string& where) {
  const auto no_record = [&](const std::string& why) { return Error{"not a record: " + why, where, ""}; };
  if (!json.is_object()) return no_record("it is no object");
  std::int64_t schema = 0;
  if (!json.contains("v") || !take_member(json, "v", schema)) return no_record("it has no schema \"v\"");
  if (schema != 1) {
    return Error{fmt::format("record schema {} is not known to this build", schema), where,
                 "read the run with the sxbench version that wrote it"};
  }
  Record record;
  if (!json.contains("kind") || !take_member(json, "kind", record.kind)) return no_record("it has no kind");
  const char* wrong = !take_member(json, "task", record.task)         ? "task"
                      : !take_member(json, "node", record.node)       ? "node"
                      : !take_member(json, "rank", record.rank)       ? "rank"
                      : !take_member(json, "mono_ns", record.mono_ns) ? "mono_ns"
                      : !take_member(json, "wall_ns", record.wall_ns) ? "wall_ns"
                                                                      : nullptr;
  if (wrong != nullptr) return no_record(fmt::format("its \"{}\" is of another type", wrong));
  if (const auto data = json.find("data"); data != json.end()) {
    if (!data->is_object()) return no_record("its data is no object");
    record.data = *data;
  }
  return record;
}

Result<Record> parse_line(std::string_view line, const std::string& where) {
  SXB_ASSIGN_OR_RETURN(const Json json, parse_json(line, where));
  return parse_record(json, where);
}

bool is_head_kind(const std::string& kind) {
  return kind == kind::kRun || kind == kind::kRunEnd || kind == kind::kTaskStart || kind == kind::kTaskEnd;
}

std::string to_wire(std::string_view nonce, const Record& record) {
  return fmt::format("{}{} {}", kWirePrefix, nonce, dump(to_json(record)));
}

std::optional<WireLine> find_wire(std::string_view line, std::string_view nonce) {
  const std::string_view prefix = kWirePrefix;
  if (nonce.empty()) return std::nullopt;  // nobody was given one
  for (std::size_t at = line.find(prefix); at != std::string_view::npos; at = line.find(prefix, at + 1)) {
    const std::string_view rest = line.substr(at + prefix.size());
    if (!rest.starts_with(nonce) || rest.size() <= nonce.size() || rest[nonce.size()] != ' ') continue;
    return WireLine{line.substr(0, at), rest.substr(nonce.size() + 1)};
  }
  return std::nullopt;
}

}  // namespace sxb::record
