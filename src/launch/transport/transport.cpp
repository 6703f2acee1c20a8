#include "launch/transport/transport.h"

#include <fmt/format.h>

#include "base/text.h"
#include "record/record.h"

namespace sxb::launch {
namespace {

constexpr std::size_t kQuotedLines = 3, kQuotedBytes = 300;

}  // namespace

void LastWords::hear(std::string_view line) {
  const std::string_view words = trim(line);
  if (words.empty() || words.find(record::kWirePrefix) != std::string_view::npos) return;
  if (words.starts_with("help: ")) return;  // an error's own line says more than its remedy
  lines_.push_back(printable_line(std::string(words.substr(0, kQuotedBytes))).substr(0, kQuotedBytes));
  if (lines_.size() > kQuotedLines) lines_.pop_front();
}

std::string LastWords::text() const {
  std::string text;
  // The last one is the most likely to tell, so the others have what it leaves.
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
    const std::string longer = text.empty() ? *line : *line + " | " + text;
    if (longer.size() > kQuotedBytes) break;
    text = longer;
  }
  return text;
}

const char* to_string(Loss::Class kind) {
  switch (kind) {
    case Loss::Class::kUnreachable:
      return "unreachable";
    case Loss::Class::kHostKey:
      return "host_key";
    case Loss::Class::kAuth:
      return "auth";
    case Loss::Class::kNotInstalled:
      return "not_installed";
    case Loss::Class::kConnectionLost:
      return "connection_lost";
    case Loss::Class::kNoAnswer:
      return "no_answer";
    case Loss::Class::kOther:
      break;
  }
  return "transport";
}

Loss not_started(const Error& error) {
  return {Loss::Class::kOther, fmt::format("{} on this machine: {}", error.where, error.what), error.help};
}

Loss killed_here(const std::string& program, const ExitStatus& status) {
  return {Loss::Class::kOther, fmt::format("{} on this machine was {}", program, status.text()),
          "look at this machine's log (dmesg) for a lack of memory, or who ended it"};
}

}  // namespace sxb::launch
