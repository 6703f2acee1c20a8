#include "base/json.h"

#include <fmt/format.h>

#include "base/input_file.h"
#include "base/json_keys.h"

namespace sxb {
namespace {

/// Line and column (from 1) of a byte offset.
std::string line_and_column(std::string_view text, std::size_t byte) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return fmt::format("{}:{}", line, column);
}

/// More than any document of sxbench, less than what a recursive writer survives. Text that is no JSON may be
/// counted wrong; it is refused by the parser.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

/// Where the parser gives up; exceptions other than parse errors do not say it.
std::size_t failing_byte(std::string_view text) {
  struct Place final : nlohmann::json_sax<Json> {
    std::size_t byte = 0;
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t at, const std::string&, const Json::exception&) override {
      byte = at;
      return false;
    }
  } place;
  Json::sax_parse(text, &place, Json::input_format_t::json, /*strict=*/true, /*ignore_comments=*/true);
  return place.byte;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where) {
  if (is_too_deep(text)) {
    return Error{fmt::format("not valid JSON: brackets are nested more than {} deep", kMaxJsonDepth), where,
                 "it is damaged, or not meant for sxbench"};
  }
  try {
    return Json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const nlohmann::json::parse_error& e) {
    std::string detail = e.what();
    const std::size_t cut = detail.find("syntax error");
    if (cut != std::string::npos) detail = detail.substr(cut);
    // A string that has no end may be a secret: line and column say where it stands.
    if (const std::size_t read = detail.find("; last read: '\""); read != std::string::npos) {
      detail.erase(read, detail.rfind('\'') + 1 - read);
    }
    return Error{"not valid JSON: " + detail, where + ":" + line_and_column(text, e.byte),
                 "check commas, quotes and brackets near that place; // comments are allowed"};
  } catch (const nlohmann::json::exception& e) {  // a number that no double holds
    return Error{fmt::format("not valid JSON: {}", e.what()),
                 where + ":" + line_and_column(text, failing_byte(text)), "write a number that fits 64 bits"};
  }
}

std::optional<Json> try_parse_json(std::string_view text) {
  auto json = parse_json(text, "");
  return json.ok() ? std::optional(std::move(json).value()) : std::nullopt;
}

bool is_json(std::string_view text) { return !is_too_deep(text) && Json::accept(text); }

Result<Json> load_json(const std::filesystem::path& path) {
  SXB_ASSIGN_OR_RETURN(const std::string text, read_input(path));
  SXB_ASSIGN_OR_RETURN(Json json, parse_json(text, path.string()));
  SXB_RETURN_IF_ERROR(check_keys(text, path.string()));
  return json;
}

std::string canonical_json(const Json& value) {
  // nlohmann::json keeps objects sorted by key; ordered_json does not.
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string pretty_json(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sxb
