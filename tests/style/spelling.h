// Do the flags, configuration keys, values and environment variables that a text names exist?
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace sxb::style {

using Words = std::set<std::string>;

/// What there is.
struct Known {
  std::map<std::string, Words> verbs;   ///< "data push" -> its flags; "" -> those before any verb
  Words keys;                           ///< "training.recompute", "rendezvous", ...: all paths of the schemas
  Words names;                          ///< parts of those paths, and names that are no path: "ssh_user"
  Words objects;                        ///< those of names that have keys below them
  std::map<std::string, Words> values;  ///< "recompute" -> what its key may be, where that is a list
  Words variables;                      ///< "SXBENCH_CLUSTER"
  std::map<std::string, Words>
      foreign_flags;    ///< source file -> flags of other programs that it calls or names
  Words foreign_words;  ///< snake_case words that messages use and that are no keys
};

void add_flags(const CLI::App& app, Known& known);
void add_schema(const nlohmann::json& schema, Known& known);
/// Lines "file: --flag --flag", "words: a_b c_d"; # begins a comment.
void add_foreign(const std::string& text, Known& known);

/// What a text of file `where` names wrongly, one sentence each. `words`: snake_case words must be known too.
std::vector<std::string> misspelt(const Known& known, const std::string& where, const std::string& text,
                                  bool words);

/// The commands in a Markdown page: lines of code blocks, and `code` in prose, that begin with "sxbench " or
/// "--".
struct Command {
  int line = 0;
  std::string text;
};
std::vector<Command> commands_of(const std::string& page);

}  // namespace sxb::style
