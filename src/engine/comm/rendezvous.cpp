#include "engine/comm/rendezvous.h"

#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/text.h"
#include "engine/base/error.h"
#include "rendezvous/client.h"
#include "rendezvous/server.h"

namespace sxb::engine::comm {
namespace {

using rendezvous::Code;
using rendezvous::ConnectTrouble;
using rendezvous::Ended;
using rendezvous::Listen;
using rendezvous::ListenTrouble;
using rendezvous::Outcome;
using rendezvous::Verb;
using std::chrono::milliseconds;

/// The end of a task that goes well: the others have read rank 0's last word and close their connections.
constexpr milliseconds kLinger{2'000};
/// To ask rank 0 for a name or who is missing; it answers at once.
constexpr milliseconds kQuestion{5'000};
/// Of those that choose_address() tries.
constexpr std::size_t kElsewhere = 8;
/// Of the missing ranks that a message names.
constexpr std::size_t kNamed = 16;

constexpr std::size_t kLongestName = 256;

constexpr const char* kArrived = "all have registered";
constexpr const char* kCompared = "rank/0/compared";  // nobody else can write it
constexpr const char* kRead = "have read it";
constexpr const char* kEnd = "came to the end";
constexpr const char* kLeft = "left";

bool is_loopback(const std::string& address) {
  return address.empty() || address.starts_with("127.") || address == "::1";
}

struct Peer {
  std::string build_id, node, address;
};

std::string key_of_rank(int rank) { return "rank/" + std::to_string(rank); }

Peer parse_peer(const std::string& text) {
  std::vector<std::string> lines = split(text, '\n');
  lines.resize(3);
  for (std::string& line : lines) line.resize(std::min(line.size(), kLongestName));  // the rank's own words
  return {lines[0], lines[1], lines[2]};
}

EngineError no_answer(const std::string& self, const RendezvousOptions& options, const std::string& endpoint,
                      const std::string& reason) {
  return {self + " cannot reach rank 0 at " + endpoint + ": " + reason, "rendezvous_timeout",
          "rank 0 may have failed before it listened (see its log); else check that " + options.host +
              " is the first node's address as " + options.node + " sees it (rendezvous.host, " +
              "rendezvous.interface), and that no firewall closes port " + std::to_string(options.port),
          ExitCode::kEnvironment};
}

/// What rank 0 says of a request that it does not fulfil.
EngineError refusal(const Outcome& outcome, const std::string& self, const std::string& key,
                    const rendezvous::Limits& limits) {
  if (outcome.code == Code::kTooMuch) {
    return {self + " has stored all that a rank may at the rendezvous, " +
                std::to_string(limits.keys_of_rank) + " keys or " + std::to_string(limits.bytes_of_rank) +
                " bytes",
            "rendezvous_quota", "this is a defect of sxbench"};
  }
  return {self + " may not set " + key + " at the rendezvous: " +
              (outcome.code == Code::kConflict ? "rank " + outcome.value + " has set it to another value"
                                               : "it belongs to another rank"),
          "rendezvous_conflict", "this is a defect of sxbench"};
}

/// What a wait that was not answered means.
EngineError wait_error(const Outcome& outcome, milliseconds timeout, const std::string& endpoint,
                       const std::string& what) {
  if (outcome.ended == Ended::kLost) {
    return {"the rendezvous at " + endpoint + " was lost while this rank waited for " + what + ": " +
                outcome.value,
            "rendezvous_lost", "rank 0 has ended; see its log", ExitCode::kEnvironment};
  }
  return {"waited " + std::to_string(timeout.count()) + " ms at " + endpoint + " for " + what,
          "rendezvous_timeout", "a rank has failed after it arrived; see the logs of the other ranks",
          ExitCode::kEnvironment};
}

}  // namespace

/// What rank 0 does for all. Its end, early or not, is when those are told of who should know.
struct Rendezvous::Serving {
  std::unique_ptr<rendezvous::Server> server;
  std::string host;  ///< where rank 0 itself connects
  bool everywhere = false;
  const RendezvousOptions& options;

  explicit Serving(const RendezvousOptions& of) : options(of) {}
  ~Serving() {
    if (!server) return;
    server->stop(milliseconds(0));
    try {
      if (options.warn) tell(server->strangers());
    } catch (const std::exception&) {  // no memory is left: the rank's own error says so
    }
  }
  void tell(const rendezvous::Strangers& strangers) const;
};

struct Rendezvous::Connection {
  std::unique_ptr<rendezvous::Client> client;
};

Rendezvous::Rendezvous(const RendezvousOptions& options) : options_(options) {
  if (options_.rank == 0) serve();
  connect();
  register_self();
  meet_peers();
  compare_peers();
}

Rendezvous::~Rendezvous() {
  connection_.reset();
  // Where an error ends rank 0, the others shall not wait for it.
  if (serving_ && std::uncaught_exceptions() == 0) serving_->server->stop(kLinger);
}

void Rendezvous::Serving::tell(const rendezvous::Strangers& strangers) const {
  const std::string where = rendezvous::endpoint(options.host, options.port);
  if (strangers.connections > 0) {
    const bool one = strangers.connections == 1;
    options.warn(
        "rendezvous_stranger",
        std::to_string(strangers.connections) + (one ? " connection" : " connections") +
            " to the rendezvous at " + where + " did not prove the token of this run: from " +
            strangers.text() + ". Nothing was told and nothing changed",
        "find out what connects from there: a port scanner, or a run whose cluster config has the same "
        "rendezvous.host and rendezvous.port");
  }
  if (everywhere) {
    options.warn(
        "rendezvous_everywhere",
        options.host +
            " is loopback on the first node, where no other node reaches it: the rendezvous "
            "listened on all addresses of that node",
        "set rendezvous.host of the cluster config to the first node's address as the others see it, or "
        "rendezvous.interface to the interface that has it");
  }
}

std::string Rendezvous::self() const {
  return "rank " + std::to_string(options_.rank) + " on " + options_.node;
}

std::string Rendezvous::endpoint() const { return rendezvous::endpoint(options_.host, options_.port); }

void Rendezvous::serve() {
  Listen listen = rendezvous::listen_at(options_.host, options_.port, options_.spread);
  const std::string port = std::to_string(options_.port);
  if (listen.trouble == ListenTrouble::kPort) {
    throw EngineError("rank 0 cannot serve the rendezvous on port " + port + " of " + options_.node + " (" +
                          listen.error.where + "): " + listen.error.what,
                      "rendezvous_port", listen.error.help, listen.error.code);
  }
  if (listen.trouble != ListenTrouble::kNone) {
    throw EngineError("rank 0 on " + options_.node + " cannot serve the rendezvous: " + listen.error.what,
                      "rendezvous_host", listen.error.help, listen.error.code);
  }
  serving_ = std::make_unique<Serving>(options_);
  serving_->everywhere = listen.listening.everywhere;
  // By the address itself: the name may lead elsewhere.
  const rendezvous::Address& address = listen.listening.addresses.front();
  serving_->host = !serving_->everywhere          ? address.text()
                   : address.family() == AF_INET6 ? "::1"
                                                  : "127.0.0.1";
  rendezvous::ServerOptions options;
  options.token = options_.token;
  options.world = options_.world;
  auto server = rendezvous::Server::start(std::move(listen.listening), options);
  if (!server.ok()) {
    throw EngineError(server.error().what, "rendezvous_limit", server.error().help, server.error().code);
  }
  serving_->server = *std::move(server);
}

void Rendezvous::connect() {
  const std::string host = serving_ ? serving_->host : options_.host;
  rendezvous::Connected connected = rendezvous::Client::connect(
      {host, options_.port, options_.token, options_.rank, options_.world, options_.timeout});
  const std::string here = self() + " is refused at " + endpoint() + ": ";
  switch (connected.trouble) {
    case ConnectTrouble::kNone:
      connection_ = std::make_unique<Connection>();
      connection_->client = std::move(connected.client);
      return;
    case ConnectTrouble::kName:
      throw EngineError(self() + " cannot reach rank 0: " + connected.reason, "rendezvous_host",
                        "set rendezvous.host of the cluster config to the first node's address as the others "
                        "see it, or rendezvous.interface to the interface that has it",
                        ExitCode::kEnvironment);
    case ConnectTrouble::kNoRoute:
    case ConnectTrouble::kNoAnswer:
      throw no_answer(self(), options_, endpoint(), connected.reason);
    case ConnectTrouble::kNotOurs:
      throw EngineError(
          self() + " reached " + endpoint() +
              ", but what listens there does not know this run's token: another run, or another "
              "program, owns this port",
          "rendezvous_port",
          "end that run, or choose another port with rendezvous.port of the cluster config",
          ExitCode::kEnvironment);
    case ConnectTrouble::kRankTaken:
      throw EngineError(here + "this rank is there already", "rendezvous_refused",
                        "a process of an earlier attempt may still run on that node", ExitCode::kEnvironment);
    case ConnectTrouble::kNoSuchRank:
      throw EngineError(
          here + "rank 0 expects another number of ranks than " + std::to_string(options_.world),
          "rendezvous_refused", "this is a defect of sxbench", ExitCode::kEnvironment);
  }
}

void Rendezvous::register_self() {
  local_address_ = address_toward(options_.host);
  send(key_of_rank(options_.rank), options_.build_id + "\n" + options_.node + "\n" + local_address_);
}

void Rendezvous::meet_peers() {
  try {
    meet(kArrived, options_.timeout);
  } catch (const EngineError& error) {
    if (error.code != "rendezvous_timeout") throw;
    const std::string missing = missing_ranks(kArrived);
    throw EngineError(
        std::to_string(options_.world) + " ranks were expected at " + endpoint() + " within " +
            std::to_string(options_.timeout.count()) +
            " ms: " + (missing.empty() ? "rank 0 does not answer" : "missing rank " + missing),
        "rendezvous_timeout",
        "look at the log of the node that has the missing rank; if all are missing, another run may "
        "own this port: choose one with rendezvous.port of the cluster config",
        ExitCode::kEnvironment);
  }
}

/// Rank 0 reads what all have said of themselves and tells what matters of it, so that thousands of ranks
/// need not read from each other: a rank of another build if there is one, and addresses on other nodes.
void Rendezvous::compare_peers() {
  if (options_.rank == 0) {
    std::string odd;
    std::vector<std::string> elsewhere;
    for (int r = 0; r < options_.world; ++r) {
      const Peer peer = parse_peer(fetch(key_of_rank(r), options_.timeout));
      if (odd.empty() && peer.build_id != options_.build_id)
        odd = std::to_string(r) + "\n" + peer.node + "\n" + peer.build_id;
      const bool known = std::find(elsewhere.begin(), elsewhere.end(), peer.address) != elsewhere.end();
      if (elsewhere.size() < kElsewhere && !known && !is_loopback(peer.address) &&
          rendezvous::is_numeric(peer.address)) {
        elsewhere.push_back(peer.address);
      }
    }
    const std::string own = "0\n" + options_.node + "\n" + options_.build_id;
    send(kCompared, join(elsewhere, "\n") + "\n\n" + (odd.empty() ? "" : own + "\n" + odd));
  }
  const std::string text = fetch(kCompared, options_.timeout);
  const std::size_t end = text.find("\n\n");
  if (end + 2 < text.size()) {
    // Rank 0 ends with this error too, but serves until the others know what it is.
    if (options_.rank == 0) {
      connection_->client->ask(Verb::kMeet, {kRead}, "", kQuestion);
    } else {
      connection_->client->arrive(kRead);
    }
    refuse_build(split(text.substr(end + 2), '\n'));
  }
  choose_address(split(text.substr(0, end), '\n'));
}

/// `odd`: rank, node and build of rank 0 and of one that differs from it. Each rank names itself and the one
/// of them that it differs from.
void Rendezvous::refuse_build(const std::vector<std::string>& odd) const {
  const std::size_t other = odd.at(2) == options_.build_id ? 3 : 0;
  throw EngineError(self() + " is build \"" + options_.build_id + "\", but rank " + odd.at(other) + " on " +
                        odd.at(other + 1) + " is build \"" + odd.at(other + 2) + "\"",
                    "build_mismatch", "deploy the same sxbench and libsxbench_engine.so to both nodes",
                    ExitCode::kEnvironment);
}

void Rendezvous::choose_address(const std::vector<std::string>& elsewhere) {
  // Rank 0 often resolves its own name to loopback, which nobody else can reach: take the address that
  // leads to a rank elsewhere.
  if (!is_loopback(local_address_)) return;
  for (const std::string& peer : elsewhere) {
    const std::string address = address_toward(peer);
    if (!is_loopback(address)) {
      local_address_ = address;
      return;
    }
  }
}

void Rendezvous::set(const std::string& key, const std::vector<char>& value) {
  send(key, {value.begin(), value.end()});
}

void Rendezvous::send(const std::string& key, const std::string& value) {
  const rendezvous::Limits& limits = connection_->client->limits();
  if (key.size() > limits.key_bytes || value.size() > limits.value_bytes) {
    throw EngineError(self() + " has " + std::to_string(value.size()) + " bytes for " + key +
                          " at the rendezvous, which takes " + std::to_string(limits.value_bytes),
                      "rendezvous_quota", "this is a defect of sxbench");
  }
  const Outcome outcome = connection_->client->ask(Verb::kSet, {key}, value, options_.timeout);
  if (outcome.ok()) return;
  if (outcome.ended != Ended::kAnswered) {
    throw EngineError("the rendezvous at " + endpoint() + " was lost: " +
                          (outcome.ended == Ended::kLost ? outcome.value : "rank 0 does not answer"),
                      "rendezvous_lost", "rank 0 has ended; see its log", ExitCode::kEnvironment);
  }
  throw refusal(outcome, self(), key, limits);
}

std::vector<char> Rendezvous::get(const std::string& key) {
  const std::string value = fetch(key, options_.timeout);
  return {value.begin(), value.end()};
}

std::string Rendezvous::fetch(const std::string& key, milliseconds timeout) const {
  Outcome outcome = connection_->client->ask(Verb::kGet, {key}, "", timeout);
  if (!outcome.ok()) throw wait_error(outcome, timeout, endpoint(), key);
  return std::move(outcome.value);
}

void Rendezvous::wait(const std::vector<std::string>& keys, milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const std::size_t most = connection_->client->limits().keys_of_a_wait;
  for (std::size_t at = 0; at < keys.size(); at += most) {
    const auto from = keys.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<std::string> some(from,
                                        from + static_cast<std::ptrdiff_t>(std::min(most, keys.size() - at)));
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    const Outcome outcome = connection_->client->ask(Verb::kWait, some, "", std::max(left, milliseconds(0)));
    if (!outcome.ok()) throw wait_error(outcome, timeout, endpoint(), join(some, ", "));
  }
}

void Rendezvous::meet(const std::string& name, milliseconds timeout) {
  const Outcome outcome = connection_->client->ask(Verb::kMeet, {name}, "", timeout);
  if (outcome.ok()) return;
  if (outcome.ended == Ended::kAnswered) throw refusal(outcome, self(), name, connection_->client->limits());
  const std::string missing = outcome.ended == Ended::kTimeout ? missing_ranks(name) : "";
  throw wait_error(outcome, timeout, endpoint(),
                   missing.empty() ? "all ranks (" + name + ")" : "rank " + missing + " (" + name + ")");
}

void Rendezvous::leave(milliseconds timeout) {
  meet(kEnd, timeout);
  if (options_.rank == 0) {
    meet(kLeft, timeout);
  } else {
    connection_->client->arrive(kLeft);
  }
}

std::string Rendezvous::missing_ranks(const std::string& meeting) const {
  const Outcome outcome = connection_->client->ask(Verb::kMissing, {meeting}, "", kQuestion);
  if (!outcome.ok()) return "";  // the server itself is gone: nothing can be known
  std::vector<std::string> names;
  const std::vector<int> ranks = rendezvous::parse_ranks(outcome.value);
  for (std::size_t i = 0; i < std::min(ranks.size(), kNamed); ++i) names.push_back(std::to_string(ranks[i]));
  const std::string list = join(names, ", ");
  return ranks.size() > kNamed ? list + " and " + std::to_string(ranks.size() - kNamed) + " more" : list;
}

std::string Rendezvous::peer_name(int rank) const {
  const std::string name = "rank " + std::to_string(rank);
  if (rank == options_.rank) return name + " on " + options_.node;
  const Outcome outcome = connection_->client->ask(Verb::kGet, {key_of_rank(rank)}, "", kQuestion);
  return outcome.ok() ? name + " on " + parse_peer(outcome.value).node : name;
}

}  // namespace sxb::engine::comm
