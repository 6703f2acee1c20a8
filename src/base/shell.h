// Words for a POSIX shell: what a person copies into one, and what is sent to one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sxb {

/// `word` as one word for a shell: as it is where no shell changes it, else in single quotes. A quote inside
/// ends them, stands alone and begins them again; a reader with another rule gives its own `quote_inside`.
std::string shell_quote(std::string_view word, std::string_view quote_inside = "'\\''");

/// The words of a command line, each quoted, with spaces between.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace sxb
