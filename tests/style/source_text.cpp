#include "style/source_text.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace sxb::style {
namespace fs = std::filesystem;
namespace {

/// One piece of a source: code, a comment, or a literal with its quotes.
struct Piece {
  enum class Kind { kCode, kComment, kString, kRawString, kCharacter } kind = Kind::kCode;
  std::size_t begin = 0, end = 0;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::size_t end_of_quoted(const std::string& s, std::size_t at) {
  const char quote = s[at];
  for (++at; at < s.size() && s[at] != quote && s[at] != '\n'; ++at) {
    if (s[at] == '\\') ++at;
  }
  return std::min(at + 1, s.size());
}

std::size_t end_of_raw(const std::string& s, std::size_t quote) {
  const std::size_t open = s.find('(', quote);
  const std::string close = ")" + s.substr(quote + 1, open - quote - 1) + "\"";
  const std::size_t end = s.find(close, open);
  return end == std::string::npos ? s.size() : end + close.size();
}

/// The piece that begins at `at` when it is none of code; its end is `at` when it is code.
Piece special(const std::string& s, std::size_t at) {
  using Kind = Piece::Kind;
  if (s.compare(at, 2, "//") == 0) return {Kind::kComment, at, std::min(s.find('\n', at), s.size())};
  if (s.compare(at, 2, "/*") == 0) {
    const std::size_t end = s.find("*/", at + 2);
    return {Kind::kComment, at, end == std::string::npos ? s.size() : end + 2};
  }
  if (s.compare(at, 2, "R\"") == 0 && (at == 0 || !is_word(s[at - 1]))) {
    return {Kind::kRawString, at, end_of_raw(s, at + 1)};
  }
  if (s[at] == '"') return {Kind::kString, at, end_of_quoted(s, at)};
  // A ' between digits separates them.
  if (s[at] == '\'' && (at == 0 || !is_word(s[at - 1]))) return {Kind::kCharacter, at, end_of_quoted(s, at)};
  return {Kind::kCode, at, at};
}

std::vector<Piece> pieces_of(const std::string& s) {
  std::vector<Piece> pieces;
  std::size_t code = 0, at = 0;
  while (at < s.size()) {
    const Piece piece = special(s, at);
    if (piece.end == at) {
      ++at;
      continue;
    }
    if (code < at) pieces.push_back({Piece::Kind::kCode, code, at});
    pieces.push_back(piece);
    code = at = piece.end;
  }
  if (code < at) pieces.push_back({Piece::Kind::kCode, code, at});
  return pieces;
}

std::string unescaped(const std::string& s, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t at = begin; at < end; ++at) {
    if (s[at] != '\\' || at + 1 == end) {
      text += s[at];
    } else {
      ++at;
      text += s[at] == 'n' ? '\n' : s[at] == 't' ? '\t' : s[at];
    }
  }
  return text;
}

std::string content(const std::string& s, const Piece& piece) {
  if (piece.kind == Piece::Kind::kString) return unescaped(s, piece.begin + 1, piece.end - 1);
  const std::size_t open = s.find('(', piece.begin);
  const std::size_t delimiter = open - piece.begin - 2;  // between R" and (
  return s.substr(open + 1, piece.end - open - 3 - delimiter);
}

bool is_blank(const std::string& s, std::size_t begin, std::size_t end) {
  return std::all_of(s.begin() + static_cast<std::ptrdiff_t>(begin),
                     s.begin() + static_cast<std::ptrdiff_t>(end),
                     [](unsigned char c) { return std::isspace(c) != 0; });
}

bool is_include_line(const std::string& s, std::size_t at) {
  const std::size_t newline = s.rfind('\n', at);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  const std::size_t hash = s.find_first_not_of(" \t", begin);
  if (s[hash] != '#') return false;
  const std::size_t word = s.find_first_not_of(" \t", hash + 1);
  if (word == std::string::npos) return false;
  return s.compare(word, 7, "include") == 0;
}

}  // namespace

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::string> files_below(const fs::path& root, const std::string& folder,
                                     const std::vector<std::string>& extensions) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    const std::string extension = entry.path().extension().string();
    if (entry.is_regular_file() && std::count(extensions.begin(), extensions.end(), extension) != 0) {
      files.push_back(fs::relative(entry.path(), root).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

const std::vector<std::string>& source_extensions() {
  static const std::vector<std::string> extensions = {".cpp", ".h", ".hpp", ".cu", ".cuh"};
  return extensions;
}

std::vector<Include> includes_of(const std::string& source) {
  std::vector<Include> includes;
  int line = 0;
  for (std::size_t begin = 0; begin < source.size();) {
    const std::size_t end = std::min(source.find('\n', begin), source.size());
    ++line;
    if (source.find_first_not_of(" \t", begin) < end && is_include_line(source, begin)) {
      const std::size_t open = source.find_first_of("<\"", begin);
      const std::size_t close = open < end ? source.find_first_of(">\"", open + 1) : end;
      if (close < end) includes.push_back({line, source.substr(open + 1, close - open - 1)});
    }
    begin = end + 1;
  }
  return includes;
}

std::vector<Literal> literals_of(const std::string& file, const std::string& source) {
  std::vector<Literal> literals;
  bool joins = false;  // nothing but blanks and comments since the last literal
  std::size_t counted = 0;
  int line = 1;
  for (const Piece& piece : pieces_of(source)) {
    const bool text = piece.kind == Piece::Kind::kString || piece.kind == Piece::Kind::kRawString;
    if (!text) {
      if (piece.kind != Piece::Kind::kComment && !is_blank(source, piece.begin, piece.end)) joins = false;
      continue;
    }
    if (is_include_line(source, piece.begin)) continue;
    const auto from = source.begin();
    line += static_cast<int>(std::count(from + static_cast<std::ptrdiff_t>(counted),
                                        from + static_cast<std::ptrdiff_t>(piece.begin), '\n'));
    counted = piece.begin;
    if (joins) {
      literals.back().text += content(source, piece);
    } else {
      literals.push_back({file, line, content(source, piece)});
    }
    joins = true;
  }
  return literals;
}

std::string code_of(const std::string& source) {
  std::string code;
  for (const Piece& piece : pieces_of(source)) {
    if (piece.kind == Piece::Kind::kCode) {
      code += source.substr(piece.begin, piece.end - piece.begin);
    } else {
      if (piece.kind != Piece::Kind::kComment) code += "\"\"";
      const auto from = source.begin();
      code.append(static_cast<std::size_t>(std::count(from + static_cast<std::ptrdiff_t>(piece.begin),
                                                      from + static_cast<std::ptrdiff_t>(piece.end), '\n')),
                  '\n');
    }
  }
  return code;
}

std::vector<std::string> lines_with(const std::string& source, const std::regex& wanted) {
  std::vector<std::string> found;
  std::istringstream lines(code_of(source));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (std::regex_search(line, wanted)) found.push_back(std::to_string(number) + ": " + line);
  }
  return found;
}

}  // namespace sxb::style
