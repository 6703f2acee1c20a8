// Where the ranks of one task meet: a store that rank 0 serves to the ranks that prove the task's token. It
// carries what communicators need to connect (NCCL's unique id, Gloo's addresses), never measured data.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sxb::engine::comm {

struct RendezvousOptions {
  std::string host;      ///< address of rank 0's node: rank 0 listens there, and nowhere else
  int port = 0;          ///< must be free on that node
  std::string token;     ///< of the task; who knows it is one of its ranks
  std::string build_id;  ///< ranks of different builds refuse each other
  std::string node;      ///< this node's name, for messages
  int rank = 0;
  int world = 1;
  bool spread = false;                         ///< there are ranks on other nodes than rank 0's
  std::chrono::milliseconds timeout{120'000};  ///< for all ranks to arrive, and for each wait

  /// Rank 0 only, once and at the end, also when it comes early: what to tell the user of those who came
  /// without the token, and of a store that listens on more than its address. Must not throw.
  std::function<void(const std::string& code, const std::string& message, const std::string& help)> warn;
};

class Rendezvous {
 public:
  /// Connects, registers this rank and waits until all have. Throws EngineError: "rendezvous_host" if the
  /// host does not resolve or is not rank 0's, "rendezvous_port" if another program or run has the port,
  /// "rendezvous_timeout" names the missing ranks, "build_mismatch" both builds, "rendezvous_refused" this
  /// rank is not expected.
  explicit Rendezvous(const RendezvousOptions& options);
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  int rank() const { return options_.rank; }
  int world() const { return options_.world; }
  std::chrono::milliseconds timeout() const { return options_.timeout; }

  /// Each key is written once; the same value again is no error. EngineError "rendezvous_conflict" names who
  /// has set another value, "rendezvous_quota" if this rank may not store that much, "rendezvous_lost" if
  /// rank 0 is gone; so do the others.
  void set(const std::string& key, const std::vector<char>& value);
  /// Waits until the key exists. EngineError "rendezvous_timeout".
  std::vector<char> get(const std::string& key);
  /// Waits until all keys exist.
  void wait(const std::vector<std::string>& keys, std::chrono::milliseconds timeout);

  /// Waits until all ranks have come here with this name, which is used once. EngineError
  /// "rendezvous_timeout" if one is gone.
  void meet(const std::string& name, std::chrono::milliseconds timeout);
  /// The end of a task: waits until all ranks have come here. Then rank 0, which serves, waits until the
  /// others need it no more. EngineError "rendezvous_timeout" if one is gone.
  void leave(std::chrono::milliseconds timeout);

  /// Numeric address of this node by which the other ranks reach it; loopback if all are on one node.
  const std::string& local_address() const { return local_address_; }
  /// "rank 3 on node02", for messages; "rank 3" if rank 0 cannot be asked any more.
  std::string peer_name(int rank) const;

 private:
  struct Serving;
  struct Connection;

  void serve();
  void connect();
  void register_self();
  void meet_peers();
  void compare_peers();
  [[noreturn]] void refuse_build(const std::vector<std::string>& odd) const;
  void choose_address(const std::vector<std::string>& elsewhere);
  void send(const std::string& key, const std::string& value);
  std::string fetch(const std::string& key, std::chrono::milliseconds timeout) const;
  std::string missing_ranks(const std::string& meeting) const;
  std::string self() const;
  std::string endpoint() const;

  RendezvousOptions options_;
  std::unique_ptr<Serving> serving_;  ///< rank 0
  std::unique_ptr<Connection> connection_;
  std::string local_address_;
};

/// Numeric address of the interface from which `host` is reached, by the kernel's routing table (no
/// packet is sent); "" if the host does not resolve.
std::string address_toward(const std::string& host);

}  // namespace sxb::engine::comm
