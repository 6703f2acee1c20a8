#include "launch/push/push_facts.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "base/text.h"

namespace sxb::launch {

namespace {

constexpr std::string_view kUncleanShell = "is your shell clean?";

/// rsync's reader took something for rsync that is none: mostly words, whose first four letters are no
/// version.
bool heard_words(const Answer& answer) {
  return std::any_of(answer.err.begin(), answer.err.end(), [](const std::string& line) {
    return line.find(kUncleanShell) != std::string::npos || line.find("(code 2)") != std::string::npos;
  });
}

}  // namespace

std::string reason_of(const Answer& answer) {
  for (const std::string& line : answer.err) {
    for (const std::string_view telling : {std::string_view("No space left on device"), kUncleanShell}) {
      if (line.find(telling) != std::string::npos) return std::string(trim(line));
    }
  }
  std::string last;
  for (const std::string& line : answer.err) {
    const std::string_view text = trim(line);
    const bool says_less = text.starts_with("rsync") || text.starts_with("(see the rsync man");
    if (text.empty() || (!last.empty() && says_less)) continue;
    last = text;
  }
  // A login that starts nothing says why on stdout.
  for (const std::string& line : answer.out) {
    if (answer.err.empty() && !trim(line).empty()) last = trim(line);
  }
  return last.empty() ? answer.status.text() : last;
}

std::string copy_help(const Answer& answer, const config::Node& node, const std::string& login_said) {
  if (!heard_words(answer)) return "remove the cause, then call it again";
  const std::string said =
      login_said.empty() ? "" : ", and prints: " + printable_line(login_said.substr(0, 100));
  return "a login of node " + node.name + " prints text, which rsync takes for rsync's: `ssh " + node.host +
         " true` must print nothing" + said + "; look at ~/.bashrc there, /etc/profile.d and ForceCommand";
}

std::int64_t bytes_in(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::int64_t bytes = 0;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code no_size;
    const std::uintmax_t size = it->is_regular_file(no_size) ? it->file_size(no_size) : 0;
    if (!no_size) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

}  // namespace sxb::launch
