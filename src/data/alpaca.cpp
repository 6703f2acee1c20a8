#include "data/alpaca.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/json.h"
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

Result<std::vector<Instruction>> parse_lines(std::string_view text, const std::string& where) {
  std::vector<Instruction> entries;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    const std::string_view content = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (content.empty()) continue;
    const std::string at = fmt::format("{}: line {}", where, line);
    const auto object = parse_json(content, at);
    // The parser counts lines inside this one line; our own message is the useful one.
    if (!object.ok()) return entry_error("this line is not a JSON object", at);
    SXB_ASSIGN_OR_RETURN(Instruction entry, parse_entry(*object, at));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

Result<std::vector<Instruction>> parse_alpaca(std::string_view text, const std::string& where) {
  const std::string_view content = trim(text);
  auto entries =
      !content.empty() && content.front() == '[' ? parse_array(text, where) : parse_lines(text, where);
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
