#include "data/alpaca.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/files.h"
#include "base/json.h"
#include "base/shell.h"
#include "base/text.h"

namespace sxb::data {
namespace {

constexpr const char* kFormatHelp =
    "expected a JSON array of {\"instruction\", \"input\", \"output\"} objects, or one such object per line";

Error entry_error(std::string what, const std::string& where) {
  return Error{std::move(what), where, kFormatHelp};
}

Error missing_key(const Json& object, const char* key, const std::string& where) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  const std::string near = did_you_mean(key, keys);
  return Error{fmt::format("the key \"{}\" is missing", key), where,
               near.empty() ? kFormatHelp : fmt::format("rename \"{}\" to \"{}\"", near, key)};
}

Result<Instruction> parse_entry(const Json& object, const std::string& where) {
  if (!object.is_object()) {
    return entry_error(fmt::format("a JSON object was expected, this is a {}", object.type_name()), where);
  }
  Instruction entry;
  const auto read = [&](const char* key, bool required, std::string& out) -> Status {
    const auto it = object.find(key);
    if (it == object.end()) return required ? Status(missing_key(object, key, where)) : ok_status();
    if (it->is_null() && !required) return ok_status();  // as tables with an empty cell are exported
    if (!it->is_string()) {
      return entry_error(fmt::format("\"{}\" must be a string, it is a {}", key, it->type_name()), where);
    }
    out = it->get<std::string>();
    return ok_status();
  };
  SXB_RETURN_IF_ERROR(read("instruction", true, entry.instruction));
  SXB_RETURN_IF_ERROR(read("input", false, entry.input));
  SXB_RETURN_IF_ERROR(read("output", true, entry.output));
  if (trim(entry.instruction).empty()) return entry_error("\"instruction\" is empty", where);
  return entry;
}

Result<std::vector<Instruction>> parse_array(std::string_view text, const std::string& where) {
  SXB_ASSIGN_OR_RETURN(const Json array, parse_json(text, where));
  std::vector<Instruction> entries;
  entries.reserve(array.size());
  for (const Json& object : array) {
    SXB_ASSIGN_OR_RETURN(Instruction entry,
                         parse_entry(object, fmt::format("{}: entry {}", where, entries.size() + 1)));
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// ", column 7" of a place ":1:5" in a line whose first two bytes were left out; "" if there is none.
std::string column(const std::string& place, std::size_t left_out) {
  const std::string_view digits = std::string_view(place).substr(place.rfind(':') + 1);
  std::size_t number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = ec == std::errc() && end == digits.data() + digits.size();
  return whole ? fmt::format(", column {}", number + left_out) : "";
}

Result<std::vector<Instruction>> parse_lines(std::string_view text, const std::string& where) {
  std::vector<Instruction> entries;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    const std::string_view whole = text.substr(0, end);
    const std::string_view content = trim(whole);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (content.empty()) continue;
    const std::string at = fmt::format("{}: line {}", where, line);
    const auto object = parse_json(content, "");
    if (!object.ok()) {
      const auto blanks = static_cast<std::size_t>(content.data() - whole.data());
      return entry_error(object.error().what, at + column(object.error().where, blanks));
    }
    SXB_ASSIGN_OR_RETURN(Instruction entry, parse_entry(*object, at));
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool holds_entries(const Json& value) { return value.is_array() && !value.empty() && value[0].is_object(); }

/// `"data" (a list of 2), "version"`, but not all keys of an object that has thousands.
std::string list_keys(const Json& object) {
  constexpr std::size_t kMost = 8;
  std::vector<std::string> keys;
  for (const auto& item : object.items()) {
    if (keys.size() == kMost) {
      keys.push_back(fmt::format("and {} more", object.size() - kMost));
      break;
    }
    keys.push_back(dump(Json(item.key())));
    if (item.value().is_array()) keys.back() += fmt::format(" (a list of {})", item.value().size());
  }
  return keys.empty() ? "none" : join(keys, ", ");
}

/// A text that is one JSON object: an entry over several lines, or what holds the entries under a key.
Result<std::vector<Instruction>> parse_object(const Json& object, const std::string& where) {
  if (object.contains("instruction")) {
    SXB_ASSIGN_OR_RETURN(Instruction entry, parse_entry(object, where));
    return std::vector{std::move(entry)};
  }
  std::string help = kFormatHelp;
  for (const auto& item : object.items()) {
    if (!holds_entries(item.value())) continue;
    const std::string path = fmt::format(".[{}]", dump(Json(item.key())));
    help = "give that list alone: " + shell_line({"jq", path, where}) + " > entries.json";
    break;
  }
  return Error{
      "this is one JSON object, and entries under a key are not read; its keys: " + list_keys(object), where,
      help};
}

/// Whether a text that is no JSONL is to be read as one object: not if the error of its only line says more.
bool is_one_object(const Json& object, std::string_view text) {
  if (!object.is_object()) return false;
  const bool wraps = std::any_of(object.begin(), object.end(), holds_entries);
  return text.find('\n') != std::string_view::npos || (wraps && !object.contains("instruction"));
}

}  // namespace

Result<std::vector<Instruction>> parse_alpaca(std::string_view text, const std::string& where) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::string_view content = trim(text);
  const bool is_array = !content.empty() && content.front() == '[';
  auto entries = is_array ? parse_array(text, where) : parse_lines(text, where);
  if (!entries.ok() && !is_array) {
    const auto object = try_parse_json(content);
    if (object && is_one_object(*object, content)) entries = parse_object(*object, where);
  }
  if (entries.ok() && entries->empty()) return entry_error("the dataset has no entries", where);
  return entries;
}

Result<std::vector<Instruction>> load_alpaca(const std::filesystem::path& file) {
  SXB_ASSIGN_OR_RETURN(const std::string text, read_file(file));
  return parse_alpaca(text, file.string());
}

std::string alpaca_prompt(const Instruction& entry) {
  if (entry.input.empty()) {
    return fmt::format(
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\n{}\n\n### Response:",
        entry.instruction);
  }
  return fmt::format(
      "Below is an instruction that describes a task, paired with an input that provides further context. "
      "Write a response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Input:\n{}"
      "\n\n### Response:",
      entry.instruction, entry.input);
}

}  // namespace sxb::data
