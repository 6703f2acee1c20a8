// Names and addresses of sockets, IPv4 and IPv6.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace sxb::rendezvous {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  bool is_loopback() const;
  /// Numeric, without the port; of an IPv4 address inside of an IPv6 one, the IPv4 address.
  std::string text() const;
};

/// All addresses of `host`, a name or an address. Error if it does not resolve.
Result<std::vector<Address>> resolve(const std::string& host, int port);
/// Whether it is an address and no name.
bool is_numeric(const std::string& host);
/// "10.0.0.1:29500", "[fd00::2]:29500".
std::string endpoint(const std::string& host, int port);

/// A socket; closed with the object.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Of a connection on which answers are small and awaited, and which may be silent for hours: no delay, and
/// the kernel finds out within about two minutes when the other machine is gone.
void tune(int fd);

struct Listening {
  std::vector<Socket> sockets;
  std::vector<Address> addresses;
  bool everywhere = false;  ///< on all addresses of the machine: see listen_at()
};
enum class ListenTrouble { kNone, kName, kNotLocal, kPort };
struct Listen {
  ListenTrouble trouble = ListenTrouble::kNone;
  Error error;
  Listening listening;  ///< without trouble
};

/// Listens on those addresses of `host` that belong to this machine, usually one, and on no other. A machine
/// often takes its own name for loopback, where no other machine reaches it: if `spread` (there are ranks
/// elsewhere) and `host` is a name that has no better address here, it listens on all addresses.
Listen listen_at(const std::string& host, int port, bool spread);
/// The same of a host that resolves to `found`.
Listen listen_at(const std::string& host, const std::vector<Address>& found, int port, bool spread);

}  // namespace sxb::rendezvous
