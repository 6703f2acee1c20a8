#include "config/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace sxb::config {
namespace {

/// Help text as a schema and a flag have it: with the unit.
std::string with_unit(const RowInfo& row) {
  return row.extra.unit != nullptr ? fmt::format("{}, in {}", row.help, row.extra.unit) : row.help;
}

/// A value without the quotes of JSON.
std::string plain(const Json& value) { return value.is_string() ? value.get<std::string>() : dump(value); }

std::string enum_text(const Json& names, const char* quote) {
  std::vector<std::string> quoted;
  for (const Json& name : names) quoted.push_back(quote + plain(name) + quote);
  return join(quoted, ", ");
}

std::string values_text(const RowInfo& row) {
  const Json& schema = row.schema;
  if (row.extra.values != nullptr) return row.extra.values;
  if (schema.contains("enum")) return enum_text(schema["enum"], "`");
  const std::string type = schema.value("type", "");
  if (type == "boolean") return "`true`, `false`";
  if (type == "string") return "text";
  if (type != "integer" && type != "number") return "";
  const std::string unit = row.extra.unit != nullptr ? fmt::format(" {}", row.extra.unit) : "";
  const std::string min = schema.contains("exclusiveMinimum") ? "above " + plain(schema["exclusiveMinimum"])
                                                              : plain(schema.value("minimum", Json(0)));
  if (!schema.contains("maximum")) return fmt::format("{} or more{}", min, unit);
  return fmt::format("{} to {}{}", min, plain(schema["maximum"]), unit);
}

/// "|" would end the cell.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

}  // namespace

std::string RowInfo::pointer() const {
  std::string pointer = "/" + key;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  return pointer;
}

void Rows::describe(const char* key, Json schema, const std::string& help, const Extra& extra) {
  RowInfo row{key, help, std::move(schema), extra};
  // The description comes second, after the type, where people look for it.
  Json described = Json::object();
  if (row.schema.contains("type")) described["type"] = row.schema["type"];
  described["description"] =
      with_unit(row) + (extra.otherwise != nullptr ? fmt::format("; default: {}", extra.otherwise) : "");
  for (const auto& item : row.schema.items()) described[item.key()] = item.value();
  if (!extra.schema.is_null()) described.merge_patch(extra.schema);
  row.schema = described;
  properties_[key] = std::move(described);
  if (extra.need == Need::kRequired) required_.emplace_back(key);
  infos_.push_back(std::move(row));
}

void Rows::describe_below(const std::string& prefix, const Rows& below) {
  for (RowInfo row : below.infos()) {
    row.key = prefix + "." + row.key;
    infos_.push_back(std::move(row));
  }
}

Json Rows::schema() const {
  Json schema = {{"type", "object"}, {"properties", properties_}};
  if (!required_.empty()) schema["required"] = required_;
  schema["additionalProperties"] = false;
  return schema;
}

Json integer_schema(std::int64_t min, std::int64_t max) {
  return {{"type", "integer"}, {"minimum", min}, {"maximum", max}};
}

Json plain_number(double value) {
  constexpr double kExact = 9e15;  // integers below have a double of their own
  if (std::floor(value) == value && std::abs(value) < kExact) return static_cast<std::int64_t>(value);
  return value;
}

Json number_schema(double min, double max) {
  return {{"type", "number"}, {"minimum", plain_number(min)}, {"maximum", plain_number(max)}};
}

std::string default_text(const RowInfo& row) {
  if (row.extra.otherwise != nullptr) return row.extra.otherwise;
  return row.schema.contains("default") ? plain(row.schema["default"]) : "";
}

std::string flag_help(const RowInfo& row) {
  std::string help = with_unit(row);
  if (row.schema.contains("enum")) help += ": " + enum_text(row.schema["enum"], "");
  if (const std::string fallback = default_text(row); !fallback.empty()) {
    help += fmt::format(" (default{} {})", row.extra.otherwise != nullptr ? ":" : "", fallback);
  }
  return help;
}

std::string markdown_table(const Rows& rows) {
  std::string table = "| key | what | values | default |\n|---|---|---|---|\n";
  for (const RowInfo& row : rows.infos()) {
    if (row.key.front() == '$') continue;
    const bool section = row.schema.contains("properties");
    std::string fallback = default_text(row);
    if (!fallback.empty() && row.extra.otherwise == nullptr) fallback = "`" + fallback + "`";
    if (row.extra.need == Need::kRequired && !section) fallback = "required";
    table += fmt::format("| `{}` | {} | {} | {} |\n", row.key, cell(row.help), cell(values_text(row)),
                         cell(fallback));
  }
  return table;
}

}  // namespace sxb::config
