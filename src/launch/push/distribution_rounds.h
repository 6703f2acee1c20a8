// Who sends a folder to whom, and with which commands: one folder from the head to many nodes. Pure, but
// for own_session_options().
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/cluster/cluster.h"

namespace sxb::launch {

inline constexpr int kHead = -1;

struct Transfer {
  int source = kHead;  ///< index of a node, or kHead
  int target = 0;      ///< index of a node
  bool operator==(const Transfer&) const = default;
};

/// A tree that grows by itself: whoever has the folder sends it to one node at a time, so that k rounds of
/// equal transfers serve 2^k - 1 nodes. A transfer between nodes that fails costs the tree that source, and
/// the head sends to the target instead, to `head_width` such targets at a time.
class DistributionRounds {
 public:
  DistributionRounds(const std::vector<int>& targets, int head_width);

  /// A transfer that can start now; it counts as running from here on.
  std::optional<Transfer> next();
  void succeeded(const Transfer& transfer);
  /// True: the target gets another try, from the head. False: that was the head, the verdict stands.
  bool failed(const Transfer& transfer);
  bool finished() const { return running_ == 0 && waiting_.empty() && from_head_.empty(); }

 private:
  std::deque<int> waiting_;    ///< may be served by any source
  std::deque<int> from_head_;  ///< another node could not reach them
  std::deque<int> idle_;       ///< sources with nothing to do, kHead among them
  std::set<int> extra_;        ///< targets the head serves beside its own place in the tree
  int head_width_;
  int running_ = 0;
};

/// The transfers round by round if all take equally long, for a dry run.
std::vector<std::vector<Transfer>> list_rounds(int nodes, int head_width);

/// A word of rsync's -e, which splits at spaces and knows quotes, doubled inside, but no backslash.
std::string rsh_quote(std::string_view word);

/// What copies `source`'s content into the folder `target` of `node`: as the head, or as another node, which
/// then logs in as its own ssh config says, with the port and user of the cluster config.
std::vector<std::string> rsync_argv(const config::Cluster& cluster, const config::Node& node, bool from_head,
                                    const std::filesystem::path& source, const std::filesystem::path& target,
                                    bool checksum);

/// What rsync --stats says was sent.
struct Sent {
  std::int64_t files = 0, bytes = 0;
};
/// Empty unless both figures are there.
std::optional<Sent> parse_rsync_stats(const std::vector<std::string>& lines);

/// The name of a network file system by its statfs f_type as `stat -f -c %t` prints it, or "". FUSE is
/// not among them: its type does not tell what is behind.
std::string network_file_system(std::string_view f_type_hex);
/// All f_types of network_file_system(), with spaces between.
std::string network_file_system_types();

}  // namespace sxb::launch
