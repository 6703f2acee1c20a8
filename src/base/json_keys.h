// Keys that stand twice in one object of a JSON document: the parser lets the last one win without a word.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sxb {

/// An error, with both lines, for every key that an object of `text` has twice. `text` is what parse_json()
/// has taken: comments are allowed.
Status check_keys(std::string_view text, const std::string& where);

}  // namespace sxb
