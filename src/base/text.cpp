#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <utility>

namespace sxb {
namespace {

/// A character of UTF-8 text; `bytes` is 0 where the text at that place is none.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

Character character_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const std::size_t bytes = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = byte(0) & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  // Neither longer than need be, nor half of a UTF-16 pair, nor beyond Unicode.
  const bool overlong = code < (bytes == 4 ? 0x10000u : bytes == 3 ? 0x800u : 0x80u);
  if (overlong || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return {};
  return {code, bytes};
}

/// DEL, C1 control characters, and what turns the direction of writing.
bool hides(std::uint32_t code) {
  return (code >= 0x7F && code <= 0x9F) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

/// How many bytes at the start of `text` are shown as they are.
std::size_t plain_prefix(std::string_view text, bool one_line) {
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char first = static_cast<unsigned char>(text[at]);
    if (first >= 0x20 && first < 0x7F) {
      ++at;
      continue;
    }
    if (first < 0x20 && (one_line || (first != '\n' && first != '\t'))) return at;
    const Character character = character_at(text.substr(at));
    if (character.bytes == 0 || hides(character.code)) return at;
    at += character.bytes;
  }
  return at;
}

std::string escaped(std::string text, bool one_line) {
  std::size_t plain = plain_prefix(text, one_line);
  if (plain == text.size()) return text;
  std::string shown;
  std::string_view rest = text;
  while (true) {
    shown += rest.substr(0, plain);
    rest.remove_prefix(plain);
    if (rest.empty()) return shown;
    const Character character = character_at(rest);
    if (rest[0] == '\n' || rest[0] == '\t') {
      shown += rest[0] == '\n' ? "\\n" : "\\t";
    } else if (character.bytes == 0 || character.code < 0x20) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest[0]));
    } else {
      shown += fmt::format("\\u{:04x}", character.code);
    }
    rest.remove_prefix(std::max<std::size_t>(1, character.bytes));
    plain = plain_prefix(rest, one_line);
  }
}

/// Words that mean the same; which of them is known depends on the flag.
constexpr std::array<std::string_view, 3> kSynonyms[] = {
    {"gpu", "gpus", "cuda"},      {"half", "fp16", "float16"},   {"bfloat16", "bf16", "bf-16"},
    {"float", "fp32", "float32"}, {"double", "fp64", "float64"}, {"f8e4m3", "fp8", "float8"}};

/// The candidate that means the same as `word`, "" if there is none.
std::string in_other_words(std::string_view word, const std::vector<std::string>& candidates) {
  for (const std::array<std::string_view, 3>& words : kSynonyms) {
    const auto among = [&](std::string_view text) {
      return std::any_of(words.begin(), words.end(),
                         [&](std::string_view w) { return upper(w) == upper(text); });
    };
    if (!among(word)) continue;
    const auto it = std::find_if(candidates.begin(), candidates.end(), among);
    if (it != candidates.end()) return *it;
  }
  return "";
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += separator;
    text += parts[i];
  }
  return text;
}

std::string first_value(std::string_view text, std::string_view key, char separator) {
  for (const std::string& line : split(text, '\n')) {
    const std::size_t at = line.find(separator);
    if (at == std::string::npos || trim(std::string_view(line).substr(0, at)) != key) continue;
    std::string_view value = trim(std::string_view(line).substr(at + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return "";
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

int edit_distance(std::string_view a, std::string_view b) {
  // Rows i-2, i-1 and i of the dynamic programme: a swap reaches two rows back.
  std::vector<int> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(previous);
    previous.swap(row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  if (const std::string other = in_other_words(word, candidates); !other.empty()) return other;
  // A third of the word may be wrong: more is another word, not a typing error. Of equally near
  // candidates the one that starts like the word is meant: people err towards the end. Then the longer one:
  // people leave out more than they add.
  const auto common_prefix = [word](const std::string& candidate) {
    return std::mismatch(word.begin(), word.end(), candidate.begin(), candidate.end()).first - word.begin();
  };
  int best = static_cast<int>(word.size()) / 3 + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    const int distance = edit_distance(word, candidate);
    const bool nearer = distance < best || (distance == best && found.empty());
    const auto rank = [&](const std::string& text) { return std::pair(common_prefix(text), text.size()); };
    if (nearer || (distance == best && rank(candidate) > rank(found))) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string suggest(std::string_view word, const std::vector<std::string>& candidates) {
  if (const std::string near = did_you_mean(word, candidates); !near.empty()) {
    return "did you mean \"" + near + "\"?";
  }
  return "known: " + join(candidates, ", ");
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = character_at(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string printable(std::string text) { return escaped(std::move(text), false); }

std::string printable_line(std::string text) { return escaped(std::move(text), true); }

}  // namespace sxb
