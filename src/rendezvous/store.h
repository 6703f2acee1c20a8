// What the ranks of a task have told each other: keys that are written once, and meetings. Pure: the server
// feeds it with the requests of ranks that have proved the token, and sends what it answers.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rendezvous/wire.h"

namespace sxb::rendezvous {

/// One thread at a time.
class Store {
 public:
  using Reply = std::function<void(int rank, const Answer& answer)>;
  /// `reply` is called from within handle(), for the rank that asks and for those whose wait comes true.
  Store(int world, Reply reply);

  /// A rank waits for one thing at a time: its next request ends the wait before, which is then not answered.
  ///
  /// "rank/N" and "rank/N/..." belong to rank N. Any other key is of the first rank that sets it; the same
  /// value once more is no conflict. Rank 0, in whose process this is, has no quota.
  void handle(int rank, const Request& request);
  /// The rank's connection has ended. What it has set stays.
  void gone(int rank);

 private:
  struct Value {
    int writer = 0;
    std::string bytes;
  };
  struct Meeting {
    std::vector<bool> came;
    int missing = 0;
    std::vector<int> waiting;
  };
  struct Waiting {
    Request request;
    std::size_t missing = 0;  ///< of a wait for keys
  };
  struct Used {
    std::size_t keys = 0, bytes = 0;
  };

  void answer(int rank, const Request& request, Code code, std::string value = "");
  void set(int rank, const Request& request);
  void wait(int rank, const Request& request);
  void meet(int rank, const Request& request);
  void missing(int rank, const Request& request);
  bool charge(int rank, std::size_t bytes);
  void withdraw(int rank);

  int world_;
  Limits limits_;
  Reply reply_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<std::string, Meeting> meetings_;
  std::unordered_map<int, Waiting> waiting_;                           ///< by rank
  std::unordered_map<std::string, std::vector<int>> waiting_for_key_;  ///< ranks; twice, if it is named twice
  std::vector<Used> used_;                                             ///< by rank
};

}  // namespace sxb::rendezvous
