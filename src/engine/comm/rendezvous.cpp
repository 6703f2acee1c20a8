// The only unit that includes c10d.
#include "engine/comm/rendezvous.h"

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/text.h"
#include "engine/comm/communicator.h"

namespace sxb::engine::comm {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return std::max(left, std::chrono::milliseconds(1));  // 0 means "for ever" to the store
}

bool is_loopback(const std::string& address) {
  return address.empty() || address.starts_with("127.") || address == "::1";
}

/// The first line of c10's message: the rest is a stack trace.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

struct Rendezvous::Store {
  c10::intrusive_ptr<c10d::Store> store;
};

Rendezvous::Rendezvous(const RendezvousOptions& options)
    : options_(options), store_(std::make_unique<Store>()) {
  connect();
  register_self();
  wait_for_peers();
  check_builds();
  choose_address();
}

Rendezvous::~Rendezvous() = default;

void Rendezvous::connect() {
  c10d::TCPStoreOptions opts;
  opts.port = static_cast<std::uint16_t>(options_.port);
  opts.isServer = options_.rank == 0;
  opts.waitWorkers = false;
  opts.timeout = options_.timeout;
  try {
    store_->store = c10::make_intrusive<c10d::TCPStore>(options_.host, opts);
  } catch (const std::exception& error) {
    if (options_.rank == 0) {
      throw EngineError("rank 0 cannot serve the rendezvous on port " + std::to_string(options_.port) + ": " +
                            first_line(error),
                        "rendezvous_port",
                        "free that port, or choose another with rendezvous.port of the cluster config",
                        ExitCode::kEnvironment);
    }
    throw EngineError("rank " + std::to_string(options_.rank) + " on " + options_.node +
                          " cannot reach rank 0 at " + endpoint() + ": " + first_line(error),
                      "rendezvous_timeout",
                      "rank 0 may have failed before it listened (see its log); else check that " +
                          options_.host + " resolves on " + options_.node +
                          " and that no firewall closes port " + std::to_string(options_.port),
                      ExitCode::kEnvironment);
  }
}

void Rendezvous::register_self() {
  local_address_ = address_toward(options_.host);
  const std::string self = options_.build_id + "\n" + options_.node + "\n" + local_address_;
  set("rank/" + std::to_string(options_.rank), {self.begin(), self.end()});
}

void Rendezvous::wait_for_peers() {
  const auto deadline = Clock::now() + options_.timeout;
  for (int r = 0; r < options_.world; ++r) {
    const std::string key = full_key("rank/" + std::to_string(r));
    try {
      store_->store->wait({key}, until(deadline));
      const auto bytes = store_->store->get(key);
      const auto lines = split(std::string(bytes.begin(), bytes.end()), '\n');
      peers_.push_back({lines.at(0), lines.at(1), lines.at(2)});
    } catch (const std::exception& error) {
      const auto missing = missing_ranks();
      const std::string who = missing.empty() ? first_line(error) : "missing rank " + join(missing, ", ");
      throw EngineError(
          std::to_string(options_.world) + " ranks were expected at " + endpoint() + " within " +
              std::to_string(options_.timeout.count()) + " ms: " + who,
          "rendezvous_timeout",
          "look at the log of the node that has the missing rank; if all are missing, another run may "
          "own this port: choose one with rendezvous.port of the cluster config",
          ExitCode::kEnvironment);
    }
  }
}

std::vector<std::string> Rendezvous::missing_ranks() {
  std::vector<std::string> missing;
  try {
    for (int r = 0; r < options_.world; ++r) {
      if (!store_->store->check({full_key("rank/" + std::to_string(r))}))
        missing.push_back(std::to_string(r));
    }
  } catch (const std::exception&) {
    return {};  // the server itself is gone: nothing can be known
  }
  return missing;
}

void Rendezvous::check_builds() const {
  for (int r = 0; r < options_.world; ++r) {
    const Peer& peer = peers_[static_cast<std::size_t>(r)];
    if (peer.build_id == options_.build_id) continue;
    throw EngineError("rank " + std::to_string(options_.rank) + " on " + options_.node + " is build \"" +
                          options_.build_id + "\", but " + peer_name(r) + " is build \"" + peer.build_id +
                          "\"",
                      "build_mismatch", "deploy the same sxbench and libsxbench_engine.so to both nodes",
                      ExitCode::kEnvironment);
  }
}

void Rendezvous::choose_address() {
  // Rank 0 often resolves its own name to loopback, which nobody else can reach: take the address that
  // leads to a rank elsewhere.
  if (!is_loopback(local_address_)) return;
  for (const Peer& peer : peers_) {
    if (is_loopback(peer.address)) continue;
    const std::string address = address_toward(peer.address);
    if (!is_loopback(address)) {
      local_address_ = address;
      return;
    }
  }
}

void Rendezvous::set(const std::string& key, const std::vector<char>& value) {
  try {
    store_->store->set(full_key(key), bytes_of({value.begin(), value.end()}));
  } catch (const std::exception& error) {
    throw EngineError("the rendezvous at " + endpoint() + " was lost: " + first_line(error),
                      "rendezvous_lost", "rank 0 has ended; see its log", ExitCode::kEnvironment);
  }
}

std::vector<char> Rendezvous::get(const std::string& key) {
  wait({key}, options_.timeout);
  const auto bytes = store_->store->get(full_key(key));
  return {bytes.begin(), bytes.end()};
}

void Rendezvous::wait(const std::vector<std::string>& keys, std::chrono::milliseconds timeout) {
  std::vector<std::string> full;
  full.reserve(keys.size());
  for (const auto& key : keys) full.push_back(full_key(key));
  try {
    store_->store->wait(full, timeout);
  } catch (const std::exception& error) {
    throw EngineError("waited " + std::to_string(timeout.count()) + " ms at " + endpoint() + " for " +
                          join(keys, ", ") + ": " + first_line(error),
                      "rendezvous_timeout",
                      "a rank has failed after it arrived; see the logs of the other ranks",
                      ExitCode::kEnvironment);
  }
}

std::vector<std::string> Rendezvous::keys_of_all(const std::string& what) const {
  std::vector<std::string> keys;
  for (int r = 0; r < options_.world; ++r) keys.push_back(what + "/" + std::to_string(r));
  return keys;
}

void Rendezvous::tell(const std::string& what) { set(what + "/" + std::to_string(options_.rank), {1}); }

void Rendezvous::meet(const std::string& name, std::chrono::milliseconds timeout) {
  tell(name);
  wait(keys_of_all(name), timeout);
}

void Rendezvous::leave(std::chrono::milliseconds timeout) {
  meet("came to the end", timeout);
  tell("left");
  if (options_.rank == 0) wait(keys_of_all("left"), timeout);
}

std::string Rendezvous::peer_name(int rank) const {
  return "rank " + std::to_string(rank) + " on " + peers_.at(static_cast<std::size_t>(rank)).node;
}

}  // namespace sxb::engine::comm
