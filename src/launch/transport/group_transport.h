// Transports whose program starts a job on many nodes at once and labels what comes back: pdsh, srun.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launch/transport/transport.h"

namespace sxb::launch {

/// One node's part of a group.
struct Member {
  int id = 0;  ///< of the job
  config::Node node;
  std::string input;
  bool ended = false;
  bool stopping = false;
  bool connected = false;  ///< something came on stdout
  bool answered = false;   ///< a record did: it was sxbench
  std::int64_t last_line_ns = 0;
  std::string begun;                 ///< a record of which more is to come
  std::deque<std::string> messages;  ///< the last lines of stderr
  LastWords words;
  std::optional<TransportEvent> last;  ///< its end, held back: its last lines may come after that news
};

/// Jobs with the same command, started by one process.
struct Group {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::vector<Member> members;
  int process = 0;                     ///< 0 = not started
  std::vector<std::string> own_words;  ///< what the program itself said, the last lines

  Member* find(const std::string& node);
  bool all_ended() const;
};

/// Collects start() calls; the next poll() starts each set of equal commands as one group.
class GroupTransport : public Transport {
 public:
  Result<int> start(const config::Node& node, const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& env, const std::string& input) override;
  void poll(int timeout_ms, const Handler& handler) override;
  void stop(int job, int grace_ms) override;

 protected:
  using Events = std::vector<TransportEvent>;

  /// Whether groups can be started now; it may use processes_ to get there, and fail() what waits.
  virtual bool prepare(std::vector<Group>& /*waiting*/, Events& /*events*/) { return true; }
  virtual Result<ProcessSpec> command(Group& group) = 0;
  /// A line of the group's process: hands out line() and sets `last` of its members, keeps the rest.
  virtual void read_line(Group& group, bool from_stderr, const std::string& line, Events& events) = 0;
  /// The group's process ended: what became of a member that nobody heard the end of.
  virtual TransportEvent last_event(const Group& group, const Member& member, const ExitStatus& status) = 0;
  /// What is to be told of `last`, once the lines that may have come after it are there.
  virtual TransportEvent settled(const Group& /*group*/, const Member& /*member*/, TransportEvent last) {
    return last;
  }
  /// Ends the group's process so that its members end, in good order if `grace_ms` allows.
  virtual void stop_process(Group& group, int grace_ms) = 0;
  /// Writes to the stdin of the job's group, of which every member gets everything: so only for the first
  /// member that runs, or each would hear it once per member.
  void send_to_all(int job, const std::string& text);
  /// A line or exit of a process that is no group's.
  virtual void on_other(const ProcessEvent& /*event*/, std::vector<Group>& /*waiting*/, Events& /*events*/) {}

  static void line(Member& member, bool from_stderr, const std::string& text, Events& events);
  static void end(Member& member, TransportEvent event, Events& events);
  static TransportEvent exited(const Member& member, const ExitStatus& status);
  static TransportEvent lost(const Member& member, Loss loss);
  static void keep_words(Group& group, const std::string& text);
  /// Ends the members of `waiting` that `why` gives a reason for.
  static void give_up(std::vector<Group>& waiting, Events& events,
                      const std::function<std::optional<Loss>(const Member&)>& why);

  ProcessSet processes_;

 private:
  void launch(Group group, Events& events);
  void on_event(const ProcessEvent& event, Events& events);
  bool hand_out_ends(Events& events);

  std::vector<Group> waiting_;
  std::map<int, Group> running_;  ///< by process
  Events pending_;
  int next_job_ = 1;
};

/// (node, input) of the members that have one.
std::vector<std::pair<std::string, std::string>> inputs_of(const Group& group);

}  // namespace sxb::launch
