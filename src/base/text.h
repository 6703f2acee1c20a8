// Small text helpers: splitting, did-you-mean, and what may be shown of a text that came from outside.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sxb {

/// Splits at `separator`; keeps empty pieces. split("", ',') is {""}.
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The value of the first line `key<separator>value` of a text, blanks and quotes around it removed; "" if
/// there is none.
std::string first_value(std::string_view text, std::string_view key, char separator);

/// a to z as capitals; other bytes, those of UTF-8 among them, as they are.
std::string upper(std::string_view text);

/// Edits over bytes: insert, delete, replace, or swap two neighbours (optimal string alignment).
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word` if it is near enough to be a typing error, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// "did you mean \"x\"?" or "known: a, b, c", ready for Error::help.
std::string suggest(std::string_view word, const std::vector<std::string>& candidates);

/// What a reader or a terminal may be given of any text: \x1b for control characters but newline and tab and
/// for each byte that is no UTF-8 (RFC 3629), \u202e for DEL, C1 and the characters that turn the direction
/// of writing (U+202A to U+202E, U+2066 to U+2069). A text without any comes back as it is; so does JSON,
/// whose values stay what they are: inside of a string these are JSON's own escapes.
std::string printable(std::string text);

/// True for UTF-8 (RFC 3629), the one encoding that JSON has.
bool is_utf8(std::string_view text);

/// printable() for text that has to stay on its line: newline and tab are \n and \t.
std::string printable_line(std::string text);

}  // namespace sxb
