#include "base/json_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/json.h"

namespace sxb {
namespace {

/// Walks over valid JSON and knows the keys of the objects around the place where it is.
class KeyScanner {
 public:
  KeyScanner(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Errors scan() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        take_string();
      } else if (c == '/') {
        skip_comment();
      } else if (c == '{' || c == '[') {
        open_.push_back({c == '{', c == '{', {}});
      } else if (c == '}' || c == ']') {
        if (!open_.empty()) open_.pop_back();
      } else if (c == ',' && !open_.empty()) {
        open_.back().key_comes = open_.back().is_object;
      } else if (c == '\n') {
        ++line_;
      }
    }
    return std::move(errors_);
  }

 private:
  struct Bracket {
    bool is_object, key_comes;
    std::map<std::string, std::size_t> lines;  ///< of its keys
  };

  /// Leaves at_ on the last character.
  void take_string() {
    const std::size_t begin = at_;
    bool escapes = false;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') continue;
      escapes = true;
      ++at_;
    }
    if (open_.empty() || !open_.back().key_comes) return;
    open_.back().key_comes = false;
    const std::string_view quoted = text_.substr(begin, at_ + 1 - begin);
    std::string key(quoted.substr(1, quoted.size() - 2));
    if (escapes) {  // "\u006eame" is "name"
      if (const auto plain = try_parse_json(quoted); plain && plain->is_string())
        key = plain->get<std::string>();
    }
    const auto [first, is_new] = open_.back().lines.emplace(key, line_);
    if (is_new) return;
    errors_.push_back(
        {fmt::format("the key \"{}\" stands twice, in line {} and in line {}", key, first->second, line_),
         fmt::format("{}:{}", where_, line_), "keep one: the parser would take the last"});
  }

  void skip_comment() {
    const bool line = text_.substr(at_, 2) == "//";
    const std::size_t end = text_.find(line ? "\n" : "*/", at_ + 2);
    for (const std::size_t stop = std::min(end, text_.size()); at_ < stop; ++at_) {
      line_ += text_[at_] == '\n' ? 1 : 0;
    }
    if (line)
      --at_;  // the newline itself is counted by scan()
    else
      ++at_;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0, line_ = 1;
  std::vector<Bracket> open_;
  Errors errors_;
};

}  // namespace

Status check_keys(std::string_view text, const std::string& where) {
  Errors errors = KeyScanner(text, where).scan();
  if (!errors.empty()) return errors;
  return ok_status();
}

}  // namespace sxb
