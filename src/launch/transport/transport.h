// How the head reaches a node: start a program there with text on its stdin, hear of it, stop it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/cluster/cluster.h"
#include "launch/os/process.h"

namespace sxb::launch {

/// Why a transport cannot hear of a job (any more).
struct Loss {
  enum class Class {
    kUnreachable,     ///< no connection: name unknown, refused, no route, timed out
    kHostKey,         ///< the node is not the one that ssh knows by this name
    kAuth,            ///< the node refuses user or key
    kNotInstalled,    ///< connected, but sxbench is not where it should be
    kConnectionLost,  ///< the connection broke off
    kNoAnswer,        ///< connected, then silence: powered off, hung or cut off
    kOther,           ///< the transport's own program failed; `what` quotes it
  };
  Class kind = Class::kOther;
  std::string what;  ///< "its host key is not the known one", continues "node X was lost: "
  std::string help;  ///< what to do
};
const char* to_string(Loss::Class kind);  ///< "unreachable", "host_key", ..., as in records

/// A transport's own program could not be started on this machine, as ProcessSet::start() says it.
Loss not_started(const Error& error);
/// It was ended on this machine by a signal, and not by sxbench.
Loss killed_here(const std::string& program, const ExitStatus& status);

/// Words of a transport that are kept to explain a loss: more than ssh's longest explanation.
inline constexpr std::size_t kKeptMessages = 40;

/// The last lines of a node that are no records, to be quoted: what said something instead of sxbench.
class LastWords {
 public:
  void hear(std::string_view line);
  /// Up to 300 characters, of which none moves a terminal; "" if it said nothing.
  std::string text() const;

 private:
  std::deque<std::string> lines_;
};

struct TransportEvent {
  /// Per job: kStarted at most once and first, then lines, then kExit or kLost, once and last.
  enum class Kind {
    kStarted,  ///< it no longer waits for its turn or for the batch system: silence counts from here
    kLine,
    kExit,
    kLost,
  };
  Kind kind = Kind::kLine;
  int job = 0;               ///< as returned by start()
  bool from_stderr = false;  ///< kLine
  std::string line;          ///< kLine
  ExitStatus status;         ///< kExit
  Loss loss;                 ///< kLost
  /// kExit: the last lines of the node that are no records (LastWords), "" if there are none.
  std::string last_words = {};
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Starts `argv` on `node` with `env` added to its environment, now or in a later poll(). `input` is
  /// written to its stdin, which then stays open until the job is stopped or this process ends.
  virtual Result<int> start(const config::Node& node, const std::vector<std::string>& argv,
                            const std::map<std::string, std::string>& env, const std::string& input) = 0;

  using Handler = std::function<void(const TransportEvent&)>;
  /// Hands out the events of at most `timeout_ms`, each as it comes. `handler` may call anything but poll().
  virtual void poll(int timeout_ms, const Handler& handler) = 0;

  /// Adds `text` to the stdin of a job that runs, if this transport needs it and can: a head that lives tells
  /// so where a cut network would otherwise leave its agents waiting.
  virtual void send(int /*job*/, const std::string& /*text*/) {}

  /// Asks the job to end, makes it end after `grace_ms`; 0 = at once. Its last event is still to come.
  virtual void stop(int job, int grace_ms) = 0;
};

}  // namespace sxb::launch
