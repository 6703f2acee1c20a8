#include "launch/push/push_facts.h"

#include <string_view>
#include <system_error>

#include "base/text.h"

namespace sxb::launch {

std::string reason_of(const Answer& answer) {
  for (const std::string& line : answer.err) {
    if (line.find("No space left on device") != std::string::npos) return std::string(trim(line));
  }
  std::string last;
  for (const std::string& line : answer.err) {
    const std::string_view text = trim(line);
    if (text.empty() || (!last.empty() && text.rfind("rsync", 0) == 0)) continue;
    last = text;
  }
  // A login that starts nothing says why on stdout.
  for (const std::string& line : answer.out) {
    if (answer.err.empty() && !trim(line).empty()) last = trim(line);
  }
  return last.empty() ? answer.status.text() : last;
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
