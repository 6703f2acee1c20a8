// Who came to the rendezvous without the run's token. Takes a bounded amount of memory, whatever comes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sxb::rendezvous {

/// Connections that proved nothing: scans, garbage, other tokens, silence.
struct Strangers {
  std::int64_t connections = 0;
  /// The first kAddresses addresses, numeric, with the number of connections from each; of an IPv4 address
  /// that reached an IPv6 socket, the IPv4 address.
  std::vector<std::pair<std::string, std::int64_t>> from;

  static constexpr std::size_t kAddresses = 16;

  void add(const std::string& address);
  /// `count` of them were a rank after all, which now has proved the token from there.
  void forgive(const std::string& address, std::int64_t count);
  /// "10.0.0.7 (3), 10.0.0.9 (1) and elsewhere (12)".
  std::string text() const;
};

}  // namespace sxb::rendezvous
