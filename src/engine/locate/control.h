// Rank 0's decisions and everybody's answers. They travel over the rendezvous, a star around rank 0's node,
// and not over a communicator: a link that is cut must not keep the ranks from hearing what to do next.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/comm/rendezvous.h"

namespace sxb::engine::locate {

class Control {
 public:
  /// `timeout`: how long rank 0 waits for one answer.
  Control(comm::Rendezvous& rendezvous, std::chrono::milliseconds timeout)
      : rendezvous_(rendezvous), timeout_(timeout) {}

  int rank() const { return rendezvous_.rank(); }
  /// Rank 0 says, every rank (rank 0 too) hears. Hearing waits as long as it takes.
  void say(const std::string& topic, const Json& what);
  Json hear(const std::string& topic);
  /// A rank's answer, and rank 0's wait for those of `ranks`. EngineError "no_answer" names who is silent: a
  /// rank's own calls are bounded, so it is dead, stopped or cut off from rank 0.
  void answer(const std::string& topic, const Json& what);
  std::map<int, Json> collect(const std::string& topic, const std::vector<int>& ranks);

 private:
  comm::Rendezvous& rendezvous_;
  std::chrono::milliseconds timeout_;
};

}  // namespace sxb::engine::locate
