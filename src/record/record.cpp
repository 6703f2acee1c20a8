#include "record/record.h"

#include <fmt/format.h>

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

Result<Record> parse_record(const Json& json, const std::string& where) {
  try {
    if (const int schema = json.at("v").get<int>(); schema != 1) {
      return Error{fmt::format("record schema {} is not known to this build", schema), where,
                   "read the run with the sxbench version that wrote it"};
    }
    Record record;
    record.kind = json.at("kind").get<std::string>();
    record.task = json.value("task", "");
    record.node = json.value("node", "");
    record.rank = json.value("rank", -1);
    record.mono_ns = json.value("mono_ns", std::int64_t{0});
    record.wall_ns = json.value("wall_ns", std::int64_t{0});
    record.data = json.value("data", Json::object());
    if (!record.data.is_object()) return Error{"not a record: its data is no object", where, ""};
    return record;
  } catch (const nlohmann::json::exception& e) {
    return Error{fmt::format("not a record: {}", e.what()), where, ""};
  }
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
