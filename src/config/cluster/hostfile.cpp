// Hostfiles as DeepSpeed, Open MPI, MPICH, PBS and Slurm write them.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include "base/input_file.h"
#include "base/text.h"
#include "config/cluster/cluster.h"
#include "config/cluster/node_set.h"
#include "config/name.h"

namespace sxb::config {
namespace {

constexpr int kMaxSlots = 4096;
constexpr int kMaxGpuSlots = 64;
constexpr const char* kHostfileExample =
    "write a node a line: \"node001 slots=8\", \"node001:8\", \"alice@10.0.0.1 slots=8\", \"[fd00::1] "
    "slots=8\"";
constexpr const char* kPortHelp =
    "the number after \":\" is a count of ranks; ssh ports are \"ssh_port\" of a cluster config "
    "(docs/clusters.md), or Port in ~/.ssh/config";
/// What Open MPI and MPICH take beside a node's count, and what holds here.
constexpr std::pair<const char*, const char*> kOtherKeys[] = {
    {"ifname",
     "leave it out; \"rendezvous\": {\"interface\": \"ib0\"} of a cluster config says where ranks meet"},
    {"binding", "leave it out: sxbench places its ranks itself"},
    {"port", kPortHelp}};

struct HostLine {
  std::string name;  ///< a node set
  std::string host;  ///< where that is not the name
  std::string user;
  int slots = 0;  ///< 0 = not said
  int line = 0;
};

bool read_count(std::string_view text, int& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size() && out >= 1 && out <= kMaxSlots;
}

/// Names become parts of file names, which have no colon.
std::string name_of_address(std::string address) {
  std::replace_if(
      address.begin(), address.end(), [](char c) { return c == ':' || c == '%'; }, '-');
  return address.front() == '-' ? "ip" + address : address;
}

bool is_ipv6(const std::string& text) {
  const std::string address = text.substr(0, text.find('%'));  // without its scope, "%eth0"
  in6_addr ignored;
  return ::inet_pton(AF_INET6, address.c_str(), &ignored) == 1 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == ':' || c == '.' || c == '%' || c == '-' || c == '_';
         });
}

/// "alice" of "alice@node001"; what ssh could read as an option or a shell as a command is none.
bool is_user(std::string_view user) {
  return !user.empty() && user.front() != '-' && std::all_of(user.begin(), user.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._-+").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

class LineReader {
 public:
  LineReader(std::string_view text, int number, std::string where) : where_(std::move(where)) {
    read_.line = number;
    // Open MPI takes blanks around the "=".
    for (const char c : text) {
      const bool equals = c == '=';
      while (equals && !text_.empty() && (text_.back() == ' ' || text_.back() == '\t')) text_.pop_back();
      const bool after = !text_.empty() && text_.back() == '=' && (c == ' ' || c == '\t');
      if (!after) text_ += c;
    }
  }

  Result<HostLine> read() {
    std::istringstream words(text_);
    std::string word;
    words >> word;
    SXB_RETURN_IF_ERROR(read_host(word));
    while (words >> word) SXB_RETURN_IF_ERROR(read_word(word));
    return read_;
  }

 private:
  Error error(std::string what, const char* help = kHostfileExample) const {
    return Error{std::move(what), where_, help};
  }

  Status set_slots(int slots) {
    if (read_.slots != 0 && read_.slots != slots) {
      return error(fmt::format("two counts of ranks for one node, {} and {}", read_.slots, slots), kPortHelp);
    }
    read_.slots = slots;
    return ok_status();
  }

  Status set_user(const std::string& user) {
    if (!is_user(user)) return error(fmt::format("\"{}\" is not usable as a user", user));
    read_.user = user;
    return ok_status();
  }

  Status read_count_after(const std::string& word, std::string_view count) {
    int slots = 0;
    if (!read_count(count, slots)) {
      return error(fmt::format("\"{}\" has no count of ranks from 1 to {} after the \":\"", word, kMaxSlots),
                   kPortHelp);
    }
    return set_slots(slots);
  }

  Status set_address(const std::string& address) {
    read_.host = address;
    read_.name = name_of_address(address);
    return ok_status();
  }

  Status read_host(std::string host) {
    if (const std::size_t at = host.find('@'); at != std::string::npos && at > 0) {
      SXB_RETURN_IF_ERROR(set_user(host.substr(0, at)));
      host.erase(0, at + 1);
    }
    if (host.starts_with('[')) {
      const std::size_t close = host.find(']');
      const std::string address = host.substr(1, close == std::string::npos ? close : close - 1);
      if (is_ipv6(address)) {
        if (const std::string rest = host.substr(close + 1); !rest.empty()) {
          if (rest.front() != ':') return error(fmt::format("\"{}\" is not a host", host));
          SXB_RETURN_IF_ERROR(read_count_after(host, std::string_view(rest).substr(1)));
        }
        return set_address(address);
      }
    }
    if (is_ipv6(host)) return set_address(host);
    if (const std::size_t colon = host.find(':'); colon != std::string::npos) {
      SXB_RETURN_IF_ERROR(read_count_after(host, std::string_view(host).substr(colon + 1)));
      host.resize(colon);
    }
    if (const auto names = expand_node_set(host); !names.ok())
      return error(names.error().what, kHostfileExample);
    read_.name = host;
    return ok_status();
  }

  Status read_word(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (key == "max_slots" || key == "max-slots") return ok_status();  // oversubscription, never done here
    if (key == "username" || key == "user_name" || key == "user-name" || key == "user")
      return set_user(value);
    for (const auto& [name, help] : kOtherKeys) {
      if (key == name) return error(fmt::format("\"{}\" has no meaning here", word), help);
    }
    int slots = 0;
    if (key != "slots" || !read_count(value, slots)) {
      return error(fmt::format("\"{}\" is not slots=N with N from 1 to {}", word, kMaxSlots));
    }
    return set_slots(slots);
  }

  std::string where_;
  std::string text_;
  HostLine read_;
};

/// Schedulers write a line per rank ("node1", "node1", "node2"): where a node without a count stands more
/// than once, lines are what is counted, of all nodes. A count that is said twice is one or the sum, as MPIs
/// have it.
Errors merge_repeated(std::vector<HostLine>& lines, const std::string& path) {
  Errors errors;
  std::map<std::string, std::size_t> first;  // by name: where it is in `merged`
  std::vector<HostLine> merged;
  std::vector<int> stands;
  for (HostLine& line : lines) {
    const auto [it, is_new] = first.emplace(line.name, merged.size());
    if (is_new) {
      merged.push_back(std::move(line));
      stands.push_back(1);
      continue;
    }
    const HostLine& before = merged[it->second];
    ++stands[it->second];
    if (before.slots == 0 && line.slots == 0 && before.user == line.user) continue;
    errors.push_back({fmt::format("the node {} is named twice, in line {} and in line {}", line.name,
                                  before.line, line.line),
                      fmt::format("{}:{}", path, line.line),
                      fmt::format("write one line with all of its ranks, e.g. \"{} slots=8\"", line.name)});
  }
  if (std::any_of(stands.begin(), stands.end(), [](int count) { return count > 1; })) {
    for (std::size_t i = 0; i < merged.size(); ++i) {
      if (merged[i].slots == 0) merged[i].slots = std::min(stands[i], kMaxSlots);
    }
  }
  lines = std::move(merged);
  return errors;
}

/// Errors of the cluster that was made of the lines, at those lines.
Errors at_lines(Errors errors, const std::vector<HostLine>& lines, const std::string& path) {
  const std::string prefix = path + ":/nodes/";
  for (Error& error : errors) {
    if (!error.where.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(error.where).substr(prefix.size());
    std::size_t index = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (index < lines.size()) error.where = fmt::format("{}:{}", path, lines[index].line);
  }
  return errors;
}

Result<std::vector<HostLine>> read_lines(std::string_view text, const std::string& path) {
  Errors errors;
  std::vector<HostLine> lines;
  int number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(std::string_view(raw).substr(0, raw.find('#')));
    if (line.empty()) continue;
    Result<HostLine> read = LineReader(line, number, fmt::format("{}:{}", path, number)).read();
    if (read.ok()) {
      lines.push_back(std::move(read).value());
    } else {
      errors.insert(errors.end(), read.errors().begin(), read.errors().end());
    }
  }
  if (!errors.empty()) return errors;
  if (lines.empty()) return Error{"the hostfile names no node", path, kHostfileExample};
  errors = merge_repeated(lines, path);
  if (!errors.empty()) return errors;
  return lines;
}

}  // namespace

Result<Cluster> load_hostfile(const std::string& path) {
  auto content = read_input(path);
  if (!content.ok()) {
    Error error = content.error();
    if (error.help.empty()) error.help = "name a file: " + std::string(kHostfileExample);
    return error;
  }
  std::string_view text = *content;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return Error{"the hostfile is UTF-16", path, "save it as UTF-8 or ASCII"};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // the mark of Windows editors
  SXB_ASSIGN_OR_RETURN(const std::vector<HostLine> lines, read_lines(text, path));
  Json nodes = Json::array();
  for (const HostLine& line : lines) {
    Json& node = nodes.emplace_back(Json{{"name", line.name}});
    if (!line.host.empty()) node["host"] = line.host;
    if (!line.user.empty()) node["ssh_user"] = line.user;
    if (line.slots > 0) node["slots"] = line.slots;
    if (line.slots > 0 && line.slots <= kMaxGpuSlots) node["gpus"] = line.slots;
  }
  auto cluster = parse_cluster({{"name", as_name(std::filesystem::path(path).stem().string())},
                                {"description", "nodes of the hostfile " + path},
                                {"transport", "ssh"},
                                {"nodes", std::move(nodes)}},
                               path);
  if (!cluster.ok()) return at_lines(cluster.errors(), lines, path);
  return cluster;
}

}  // namespace sxb::config
