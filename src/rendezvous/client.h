// A rank's side of the rendezvous.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rendezvous/address.h"
#include "rendezvous/wire.h"

namespace sxb::rendezvous {

struct ClientOptions {
  std::string host;
  int port = 0;
  std::string token;
  int rank = 0;
  int world = 1;
  std::chrono::milliseconds timeout{120'000};  ///< to be admitted; the server may come later than this rank
};

/// How a request ended.
enum class Ended { kAnswered, kTimeout, kLost };

struct Outcome {
  Ended ended = Ended::kAnswered;
  Code code = Code::kOk;  ///< of the answer
  std::string value;      ///< of the answer; of kLost the reason
  bool ok() const { return ended == Ended::kAnswered && code == Code::kOk; }
};

class Client;

enum class ConnectTrouble {
  kNone,
  kName,        ///< the host does not resolve; known at once
  kNoRoute,     ///< nothing leads there; known at once
  kNoAnswer,    ///< nobody has admitted this rank within the time
  kNotOurs,     ///< what listens there does not know the token, or is no rendezvous
  kRankTaken,   ///< another process is this rank
  kNoSuchRank,  ///< the server's task has another number of ranks
};
struct Connected {
  ConnectTrouble trouble = ConnectTrouble::kNone;
  std::string reason;  ///< kName, kNoRoute, kNoAnswer
  std::unique_ptr<Client> client;
};

/// One thread at a time. A timeout leaves the connection as it is: the next request ends the wait.
class Client {
 public:
  static Connected connect(const ClientOptions& options);

  /// Sends a request and awaits its answer. `keys` and `value` are within limits().
  Outcome ask(Verb verb, const std::vector<std::string>& keys, const std::string& value,
              std::chrono::milliseconds timeout);
  /// kArrive: sent, no more.
  void arrive(const std::string& meeting);

  const Limits& limits() const { return limits_; }

 private:
  Client(Socket socket, int world);
  Outcome lost(const std::string& reason);

  Socket socket_;
  Limits limits_;
  Frames frames_;
  std::uint32_t last_id_ = 0;
  std::string lost_;  ///< why there is no connection any more
};

}  // namespace sxb::rendezvous
