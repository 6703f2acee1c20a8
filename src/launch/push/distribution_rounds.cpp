#include "launch/push/distribution_rounds.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <numeric>
#include <utility>

#include "base/shell.h"
#include "base/text.h"
#include "launch/transport/ssh.h"

namespace sxb::launch {
namespace {

/// linux/magic.h, and for those that are not in the kernel their own sources.
constexpr std::array<std::pair<std::string_view, const char*>, 14> kNetworkFileSystems = {{
    {"6969", "NFS"},
    {"bd00bd0", "Lustre"},
    {"19830326", "BeeGFS"},
    {"47504653", "GPFS"},
    {"c36400", "CephFS"},
    {"517b", "SMB"},
    {"ff534d42", "CIFS"},
    {"fe534d42", "SMB2"},
    {"5346414f", "AFS"},
    {"6b414653", "AFS"},
    {"73757245", "Coda"},
    {"1021997", "9P"},
    {"aad7aaea", "PanFS"},
    {"20030528", "OrangeFS"},
}};

/// The figure of "Number of regular files transferred: 1,234".
std::optional<std::int64_t> figure(const std::vector<std::string>& lines, std::string_view title) {
  for (const std::string& line : lines) {
    if (line.rfind(title, 0) != 0) continue;
    std::string digits;
    for (const char c : line.substr(title.size())) {
      if (c >= '0' && c <= '9') digits += c;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size()) return value;
  }
  return std::nullopt;
}

}  // namespace

DistributionRounds::DistributionRounds(const std::vector<int>& targets, int head_width)
    : waiting_(targets.begin(), targets.end()), idle_{kHead}, head_width_(head_width) {}

std::optional<Transfer> DistributionRounds::next() {
  if (!from_head_.empty() && static_cast<int>(extra_.size()) < head_width_) {
    const int target = from_head_.front();
    from_head_.pop_front();
    extra_.insert(target);
    ++running_;
    return Transfer{kHead, target};
  }
  if (waiting_.empty() || idle_.empty()) return std::nullopt;
  const Transfer transfer{idle_.front(), waiting_.front()};
  idle_.pop_front();
  waiting_.pop_front();
  ++running_;
  return transfer;
}

void DistributionRounds::succeeded(const Transfer& transfer) {
  --running_;
  if (extra_.erase(transfer.target) == 0) idle_.push_back(transfer.source);
  idle_.push_back(transfer.target);
}

bool DistributionRounds::failed(const Transfer& transfer) {
  --running_;
  if (transfer.source != kHead) {
    from_head_.push_back(transfer.target);
    return true;
  }
  if (extra_.erase(transfer.target) == 0) idle_.push_back(kHead);
  return false;
}

std::vector<std::vector<Transfer>> list_rounds(int nodes, int head_width) {
  std::vector<int> targets(static_cast<std::size_t>(nodes));
  std::iota(targets.begin(), targets.end(), 0);
  DistributionRounds rounds(targets, head_width);
  std::vector<std::vector<Transfer>> all;
  while (!rounds.finished()) {
    std::vector<Transfer>& round = all.emplace_back();
    while (const auto transfer = rounds.next()) round.push_back(*transfer);
    for (const Transfer& transfer : round) rounds.succeeded(transfer);
  }
  return all;
}

std::string rsh_quote(std::string_view word) { return shell_quote(word, "''"); }

std::vector<std::string> rsync_argv(const config::Cluster& cluster, const config::Node& node, bool from_head,
                                    const std::filesystem::path& source, const std::filesystem::path& target,
                                    bool checksum) {
  config::Cluster as_seen = cluster;
  config::Node to = node;
  if (!from_head) {
    // Files of the head, and the way in from outside.
    as_seen.ssh.config.clear();
    to.ssh_key.clear();
    to.ssh_jump.clear();
  }
  // What ssh a node has is not known.
  std::vector<std::string> ssh =
      ssh_argv(as_seen, to, {}, "", from_head ? own_session_options() : std::vector<std::string>());
  ssh.resize(ssh.size() - 3);  // "--", the host and the command, which rsync adds
  std::vector<std::string> words;
  for (const std::string& word : ssh) words.push_back(rsh_quote(word));
  std::vector<std::string> argv = {
      // --secluded-args under its old name: the remote shell sees no path.
      "rsync", "--archive", "--protect-args", "--stats", "--no-human-readable",
      // Root on both sides would otherwise carry the owner of the head's files over to nodes that lack him.
      "--no-owner", "--no-group", fmt::format("--timeout={}", cluster.timeouts.agent_silence_s)};
  if (checksum) argv.emplace_back("--checksum");
  const bool ipv6 = node.host.find(':') != std::string::npos;
  argv.insert(argv.end(), {"--rsh=" + join(words, " "), "--", source.string() + "/",
                           (ipv6 ? "[" + node.host + "]" : node.host) + ":" + target.string() + "/"});
  return argv;
}

std::optional<Sent> parse_rsync_stats(const std::vector<std::string>& lines) {
  const auto files = figure(lines, "Number of regular files transferred: ");
  const auto bytes = figure(lines, "Total transferred file size: ");
  if (!files || !bytes) return std::nullopt;
  return Sent{*files, *bytes};
}

std::string network_file_system(std::string_view f_type_hex) {
  for (const auto& [type, name] : kNetworkFileSystems) {
    if (type == f_type_hex) return name;
  }
  return "";
}

std::string network_file_system_types() {
  std::vector<std::string> types;
  for (const auto& entry : kNetworkFileSystems) types.emplace_back(entry.first);
  return join(types, " ");
}

}  // namespace sxb::launch
