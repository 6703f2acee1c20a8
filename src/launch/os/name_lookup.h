// The addresses of a host's name, for as long as whoever waits for them wants to.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace sxb::launch {

struct NameLookup {
  int code = 0;                        ///< of getaddrinfo(3)
  std::vector<std::string> addresses;  ///< as numbers, best first
  bool interrupted = false;            ///< given up: this process was told to end
};

/// `family`: AF_UNSPEC, AF_INET or AF_INET6. A name service that does not answer is asked for half a minute
/// and more, and getaddrinfo(3) cannot be ended: after `patience` there is no answer (EAI_AGAIN).
NameLookup look_up_name(const std::string& host, int family,
                        std::chrono::milliseconds patience = std::chrono::minutes(10));

}  // namespace sxb::launch
