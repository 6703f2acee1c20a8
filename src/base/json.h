// JSON in and out. Reading accepts comments (configs have them); writing is deterministic, because
// reports must come out byte for byte the same from the same journal.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sxb {

using Json = nlohmann::ordered_json;

/// Deeper nesting is no JSON of sxbench: what is read can be written and freed again on a small stack.
inline constexpr int kMaxJsonDepth = 100;

/// Parses JSON with // and /* */ comments. `where` names the source in errors; a syntax error says
/// line and column.
Result<Json> parse_json(std::string_view text, const std::string& where);
/// nullopt if `text` is no JSON; for text that need not be any.
std::optional<Json> try_parse_json(std::string_view text);
/// True if `text` is one JSON value, without comments.
bool is_json(std::string_view text);
Result<Json> load_json(const std::filesystem::path& path);

/// One line, keys in the order given. As the two below: bytes that are no UTF-8 become U+FFFD, nothing is
/// thrown.
std::string dump(const Json& value);

/// Keys sorted, no white space, shortest round-trip numbers: equal values give equal bytes.
std::string canonical_json(const Json& value);

/// Pretty form for files that people read: two spaces, keys in the order given, a final newline.
std::string pretty_json(const Json& value);

}  // namespace sxb
