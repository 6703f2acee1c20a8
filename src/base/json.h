// JSON in and out. Reading accepts comments (configs have them); writing is deterministic, because
// reports must come out byte for byte the same from the same journal.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sxb {

using Json = nlohmann::ordered_json;

/// Parses JSON with // and /* */ comments. `where` names the source in errors; a syntax error says
/// line and column.
Result<Json> parse_json(std::string_view text, const std::string& where);
Result<Json> load_json(const std::filesystem::path& path);

/// Keys sorted, no white space, shortest round-trip numbers: equal values give equal bytes.
std::string canonical_json(const Json& value);

/// Pretty form for files that people read: two spaces, keys in the order given, a final newline.
std::string pretty_json(const Json& value);

}  // namespace sxb
