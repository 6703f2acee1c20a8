// Hostfiles as DeepSpeed, Open MPI and MPICH read them.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/files.h"
#include "base/text.h"
#include "config/cluster/cluster.h"

namespace sxb::config {
namespace {

constexpr int kMaxSlots = 4096;
constexpr const char* kHostfileExample = "write lines like \"node001 slots=8\"";

struct Line {
  std::string host;
  int slots = 0;  ///< 0 = not said
};

bool read_count(std::string_view text, int& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size() && out >= 1 && out <= kMaxSlots;
}

/// "node001 slots=8 max_slots=8", "node001:8" or "node001".
Result<Line> read_line(std::string_view text, const std::string& where) {
  std::istringstream words{std::string(text)};
  Line line;
  words >> line.host;
  if (const std::size_t colon = line.host.find(':'); colon != std::string::npos) {
    if (!read_count(std::string_view(line.host).substr(colon + 1), line.slots)) {
      return Error{fmt::format("\"{}\" has no count of ranks after the \":\"", line.host), where,
                   kHostfileExample};
    }
    line.host.resize(colon);
  }
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (key == "max_slots" || key == "max-slots") continue;  // oversubscription, which sxbench never does
    if (key != "slots" || equals == std::string::npos ||
        !read_count(std::string_view(word).substr(equals + 1), line.slots)) {
      return Error{fmt::format("\"{}\" is not slots=N with N from 1 to {}", word, kMaxSlots), where,
                   kHostfileExample};
    }
  }
  return line;
}

}  // namespace

Result<Cluster> load_hostfile(const std::string& path) {
  SXB_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  Errors errors;
  Json nodes = Json::array();
  std::istringstream lines(text);
  int number = 0;
  for (std::string raw; std::getline(lines, raw);) {
    ++number;
    const std::string_view line = trim(std::string_view(raw).substr(0, raw.find('#')));
    if (line.empty()) continue;
    const Result<Line> read = read_line(line, fmt::format("{}:{}", path, number));
    if (!read.ok()) {
      errors.insert(errors.end(), read.errors().begin(), read.errors().end());
      continue;
    }
    Json node = {{"name", read->host}};
    if (read->slots > 0) node["slots"] = read->slots;
    if (read->slots > 0 && read->slots <= 64) node["gpus"] = read->slots;
    nodes.push_back(std::move(node));
  }
  if (!errors.empty()) return errors;
  if (nodes.empty()) return Error{"the hostfile names no node", path, kHostfileExample};
  return parse_cluster({{"name", std::filesystem::path(path).stem().string()},
                        {"description", "nodes of the hostfile " + path},
                        {"transport", "ssh"},
                        {"nodes", std::move(nodes)}},
                       path);
}

}  // namespace sxb::config
