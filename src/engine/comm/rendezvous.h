// Where the ranks of one task meet: a c10d TCPStore that rank 0 serves. It carries what communicators
// need to connect (NCCL's unique id, Gloo's addresses), never measured data.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace sxb::engine::comm {

struct RendezvousOptions {
  std::string host;      ///< address of rank 0's node
  int port = 0;          ///< must be free on that node
  std::string token;     ///< of the run: prefix of every key, so that two runs never mix
  std::string build_id;  ///< ranks of different builds refuse each other
  std::string node;      ///< this node's name, for messages
  int rank = 0;
  int world = 1;
  std::chrono::milliseconds timeout{120'000};  ///< for all ranks to arrive, and for each wait
};

class Rendezvous {
 public:
  /// Connects, registers this rank and waits until all have. Throws EngineError: "rendezvous_timeout"
  /// names the missing ranks, "rendezvous_port" a port that is taken, "build_mismatch" both builds.
  explicit Rendezvous(const RendezvousOptions& options);
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  int rank() const { return options_.rank; }
  int world() const { return options_.world; }
  std::chrono::milliseconds timeout() const { return options_.timeout; }

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
  /// "rank 3 on node02", for messages.
  std::string peer_name(int rank) const;

 private:
  struct Store;
  struct Peer {
    std::string build_id, node, address;
  };

  std::vector<std::string> keys_of_all(const std::string& what) const;
  void tell(const std::string& what);
  void connect();
  void register_self();
  void wait_for_peers();
  void check_builds() const;
  void choose_address();
  std::string full_key(const std::string& key) const { return options_.token + "/" + key; }
  std::string endpoint() const { return options_.host + ":" + std::to_string(options_.port); }
  std::vector<std::string> missing_ranks();

  RendezvousOptions options_;
  std::unique_ptr<Store> store_;
  std::vector<Peer> peers_;
  std::string local_address_;
};

/// Numeric address of the interface from which `host` is reached, by the kernel's routing table (no
/// packet is sent); "" if the host does not resolve.
std::string address_toward(const std::string& host);

}  // namespace sxb::engine::comm
