#include "config/cluster/node_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/text.h"

namespace sxb::config {
namespace {

/// A typing error such as [1-1000000000] must not eat the memory of the head.
constexpr std::size_t kMaxNames = 65536;
constexpr std::size_t kMaxNameLength = 255;  ///< of DNS (RFC 1035), and of a file
constexpr std::size_t kMaxDigits = 9;
/// Of one name: it is part of file names beside a task's id, which end at 255 bytes.
constexpr std::size_t kMaxNodeName = 200;
constexpr const char* kNodeSetExample = "write e.g. node[001-008,012] or a,b[1-3]";

Error bad(std::string_view text, const std::string& why) {
  return Error{fmt::format("node set \"{}\": {}", text, why), "", kNodeSetExample};
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::int64_t to_number(std::string_view digits) {
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// `value` with the zero padding of `pattern`: a leading zero there makes its length the width.
std::string padded(std::int64_t value, std::string_view pattern) {
  const std::size_t width = pattern.size() > 1 && pattern.front() == '0' ? pattern.size() : 0;
  return fmt::format("{:0{}}", value, width);
}

/// The text between brackets, "001-008,012", as strings.
Result<std::vector<std::string>> expand_ranges(std::string_view set, std::string_view ranges) {
  std::vector<std::string> values;
  for (const std::string& piece : split(ranges, ',')) {
    const std::string_view range = trim(piece);
    const std::size_t dash = range.find('-');
    const std::string_view low = trim(range.substr(0, dash));
    const std::string_view high = dash == std::string_view::npos ? low : trim(range.substr(dash + 1));
    if (!all_digits(low) || !all_digits(high)) {
      return bad(set, fmt::format("\"{}\" is not a number or a range of numbers", range));
    }
    if (low.size() > kMaxDigits || high.size() > kMaxDigits) {
      return bad(set, fmt::format("the numbers in \"{}\" are too long", range));
    }
    const std::int64_t first = to_number(low);
    const std::int64_t last = to_number(high);
    if (last < first) return bad(set, fmt::format("the range \"{}\" runs backwards", range));
    if (values.size() + static_cast<std::size_t>(last - first) >= kMaxNames) {
      return bad(set, fmt::format("more than {} names", kMaxNames));
    }
    for (std::int64_t value = first; value <= last; ++value) values.push_back(padded(value, low));
  }
  return values;
}

/// Splits at commas outside of brackets; reports brackets that nest or do not match.
Result<std::vector<std::string_view>> split_outside_brackets(std::string_view text) {
  std::vector<std::string_view> parts;
  bool inside = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') {
      if (inside) return bad(text, "a \"[\" inside of brackets");
      inside = true;
    } else if (text[i] == ']') {
      if (!inside) return bad(text, "a \"]\" without \"[\"");
      inside = false;
    } else if (text[i] == ',' && !inside) {
      parts.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  if (inside) return bad(text, "a \"[\" that is never closed");
  parts.push_back(trim(text.substr(begin)));
  return parts;
}

/// Names go into file names and remote command lines: a small alphabet, and never a leading "-".
bool is_node_name(std::string_view name) {
  if (name.empty() || !std::isalnum(static_cast<unsigned char>(name.front()))) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
}

/// One part, "rack[1-2]node[01-04].example": every combination, the last brackets running fastest.
Result<std::vector<std::string>> expand_part(std::string_view set, std::string_view part) {
  std::vector<std::string> names{""};
  while (!part.empty()) {
    const std::size_t open = part.find('[');
    const std::string_view literal = part.substr(0, open);
    if (names.front().size() + literal.size() > kMaxNameLength)
      return bad(set, fmt::format("a name of more than {} characters", kMaxNameLength));
    for (std::string& name : names) name += literal;
    if (open == std::string_view::npos) break;
    const std::size_t close = part.find(']', open);
    SXB_ASSIGN_OR_RETURN(const std::vector<std::string> values,
                         expand_ranges(set, part.substr(open + 1, close - open - 1)));
    if (names.size() * values.size() > kMaxNames)
      return bad(set, fmt::format("more than {} names", kMaxNames));
    std::vector<std::string> longer;
    for (const std::string& name : names) {
      for (const std::string& value : values) longer.push_back(name + value);
    }
    names = std::move(longer);
    part.remove_prefix(close + 1);
  }
  for (const std::string& name : names) {
    if (name.size() > kMaxNodeName)
      return bad(name.substr(0, 20) + "...",
                 fmt::format("a name of {} characters, {} at most", name.size(), kMaxNodeName));
    if (!is_node_name(name)) return bad(set, fmt::format("\"{}\" is not a node name", name));
  }
  return names;
}

Result<std::vector<std::string>> find_group(std::string_view set, std::string_view part,
                                            const NodeGroups& groups) {
  const std::string name(part.substr(1));
  if (const auto group = groups.find(name); group != groups.end()) return group->second;
  Error error = bad(set, fmt::format("there is no group \"{}\"", name));
  std::vector<std::string> known;
  for (const auto& [key, nodes] : groups) known.push_back(key);
  error.help = name == "slurm"
                   ? "@slurm is the allocation that sxbench runs in: call it inside of sbatch or salloc"
               : known.empty() ? "define it under \"groups\" of the cluster config"
                               : suggest(name, known);
  return error;
}

/// A name around its last run of digits: "rack1node07.example" = "rack1node" + "07" + ".example".
struct Parts {
  std::string prefix, digits, suffix;
};
Parts take_apart(const std::string& name) {
  std::size_t end = name.size();
  while (end > 0 && !std::isdigit(static_cast<unsigned char>(name[end - 1]))) --end;
  std::size_t begin = end;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(name[begin - 1]))) --begin;
  if (begin == end || end - begin > kMaxDigits) return {name, "", ""};
  return {name.substr(0, begin), name.substr(begin, end - begin), name.substr(end)};
}

/// Names that differ only in that run of digits.
struct Group {
  std::string prefix, suffix;
  std::vector<std::string> digits;
};

std::string fold_digits(const std::vector<std::string>& digits) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < digits.size();) {
    const std::int64_t first = to_number(digits[i]);
    std::size_t end = i + 1;
    while (end < digits.size() &&
           digits[end] == padded(first + static_cast<std::int64_t>(end - i), digits[i]))
      ++end;
    ranges.push_back(end - i == 1 ? digits[i] : digits[i] + "-" + digits[end - 1]);
    i = end;
  }
  return join(ranges, ",");
}

}  // namespace

Result<std::vector<std::string>> expand_node_set(std::string_view text, const NodeGroups& groups) {
  text = trim(text);
  if (text.empty()) return bad(text, "it is empty");
  SXB_ASSIGN_OR_RETURN(const std::vector<std::string_view> parts, split_outside_brackets(text));
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  std::size_t written = 0;  // those that come twice too: they take time, if no memory
  for (const std::string_view part : parts) {
    if (part.empty()) return bad(text, "nothing between two commas");
    SXB_ASSIGN_OR_RETURN(const std::vector<std::string> expanded,
                         part.front() == '@' ? find_group(text, part, groups) : expand_part(text, part));
    written += expanded.size();
    for (const std::string& name : expanded) {
      if (seen.insert(name).second) names.push_back(name);
    }
    if (written > kMaxNames) return bad(text, fmt::format("more than {} names", kMaxNames));
  }
  return names;
}

std::string fold_node_set(const std::vector<std::string>& names) {
  std::vector<Group> groups;
  std::map<std::pair<std::string, std::string>, std::size_t> group_of;  // by prefix and suffix
  for (const std::string& name : names) {
    Parts parts = take_apart(name);
    if (parts.digits.empty()) {
      groups.push_back({std::move(parts.prefix), "", {}});
      continue;
    }
    const auto [found, is_new] = group_of.try_emplace({parts.prefix, parts.suffix}, groups.size());
    if (is_new) groups.push_back({std::move(parts.prefix), std::move(parts.suffix), {}});
    groups[found->second].digits.push_back(std::move(parts.digits));
  }
  std::vector<std::string> folded;
  for (const Group& group : groups) {
    std::string middle = fold_digits(group.digits);
    if (group.digits.size() > 1) middle = "[" + middle + "]";
    folded.push_back(group.prefix + middle + group.suffix);
  }
  return join(folded, ",");
}

Result<std::vector<int>> parse_count_list(std::string_view text, std::string_view flag) {
  std::vector<int> counts;
  for (const std::string& piece : split(text, ',')) {
    const std::string_view digits = trim(piece);
    if (!all_digits(digits) || digits.size() > kMaxDigits || to_number(digits) == 0) {
      return Error{fmt::format("\"{}\" is not a count of 1 or more", digits), std::string(flag),
                   fmt::format("write e.g. {} 2,4,8", flag)};
    }
    const int count = static_cast<int>(to_number(digits));
    if (std::find(counts.begin(), counts.end(), count) == counts.end()) counts.push_back(count);
  }
  return counts;
}

}  // namespace sxb::config
