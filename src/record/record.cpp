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

std::string to_wire(const Record& record) { return kWirePrefix + dump(to_json(record)); }

}  // namespace sxb::record
