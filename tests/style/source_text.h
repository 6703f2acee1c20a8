// Sources as text: which there are, what they include, and the strings in them.
#pragma once

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

namespace sxb::style {

struct Include {
  int line = 0;
  std::string name;  ///< as written, without quotes or angle brackets
};

/// A string of the program: neighbouring literals are one, escapes are what they stand for.
struct Literal {
  std::string file;
  int line = 0;
  std::string text;
};

/// The tree that is looked at: this one.
inline const std::filesystem::path kTree = SXB_SOURCE_DIR;

std::string read_text(const std::filesystem::path& file);

/// Files below root/folder whose names end in one of the extensions, relative to root, sorted.
std::vector<std::string> files_below(const std::filesystem::path& root, const std::string& folder,
                                     const std::vector<std::string>& extensions);
const std::vector<std::string>& source_extensions();

std::vector<Include> includes_of(const std::string& source);
/// Without those of comments and of #include lines. `file` is only copied into the result.
std::vector<Literal> literals_of(const std::string& file, const std::string& source);
/// The source without comments and with empty strings, lines kept: what is code.
std::string code_of(const std::string& source);
/// "line: text" of every line of code that has a match.
std::vector<std::string> lines_with(const std::string& source, const std::regex& wanted);

}  // namespace sxb::style
