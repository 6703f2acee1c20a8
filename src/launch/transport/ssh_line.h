// The connection through which sshd started this process, as the kernel shows it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sxb::launch {

/// Whether the other end still answers. For an agent whose head can send it nothing (pdsh forwards no stdin):
/// behind a network that is cut, the connection stays open for a quarter of an hour and more.
class SshLine {
 public:
  /// From $SSH_CONNECTION, "CLIENT PORT SERVER PORT"; none if the text is something else.
  static std::optional<SshLine> parse(const std::string& ssh_connection);

  /// True while the kernel repeats what it has sent because nobody acknowledges it. A slow reader
  /// acknowledges; so does the first host of a chain of jump hosts, which is all that can be seen from here.
  bool unanswered() const;
  /// The same from the text of /proc/net/tcp or /proc/net/tcp6.
  bool unanswered(std::string_view table) const;

 private:
  struct Ends {
    std::string local, remote;  ///< "0100007F:0016", as in the table
  };
  std::vector<Ends> forms_;  ///< an IPv4 address has two
};

}  // namespace sxb::launch
