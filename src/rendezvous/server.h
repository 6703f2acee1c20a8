// Rank 0's side of the rendezvous, in a thread of its own. It hears nobody who has not proved the token, and
// what anybody costs it is bounded: docs/security.md has the numbers.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "rendezvous/address.h"
#include "rendezvous/strangers.h"

namespace sxb::rendezvous {

/// Connections that have not proved the token, beside one for each rank that is still to come. When there are
/// more, the oldest of the address that has most of them is closed.
inline constexpr int kUnproved = 64;

struct ServerOptions {
  std::string token;
  int world = 1;
  std::chrono::milliseconds proof_time{5'000};  ///< from the connection to the proof
};

class Server {
 public:
  /// Takes over the socket. Error: the process may not open a connection for every rank.
  static Result<std::unique_ptr<Server>> start(Listening listening, const ServerOptions& options);
  /// Ends at once.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves until all ranks have closed their connections, no longer than `linger`.
  void stop(std::chrono::milliseconds linger);

  /// So far. From any thread.
  Strangers strangers() const;

 private:
  class Loop;
  explicit Server(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace sxb::rendezvous
