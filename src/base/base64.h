// Bytes as text (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

namespace sxb {

/// With padding, in one line.
std::string to_base64(std::string_view bytes);

/// The bytes of `text` up to the first character that is not of the alphabet: padding, or damage, which
/// whoever knows the length sees.
std::string from_base64(std::string_view text);

}  // namespace sxb
