// sxb_start_many NODES FANOUT: one trivial command on every node through the head's ssh transport, whatever
// `ssh` in PATH is. Prints seconds, answers and the largest resident set of this process.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>

#include "base/clock.h"
#include "launch/transport/transports.h"

namespace {

/// "VmHWM:  1234 kB" of this process, without its children.
long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    long value = 0;
    if (key == "VmHWM:" && status >> value) return value;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using sxb::launch::TransportEvent;
  if (argc != 3) return 2;
  sxb::config::Cluster cluster;
  cluster.transport = sxb::config::TransportKind::kSsh;
  cluster.fanout = std::atoi(argv[2]);
  cluster.ssh.persist_s = 0;
  for (int i = 1; i <= std::atoi(argv[1]); ++i) {
    sxb::config::Node node;
    node.name = node.host = fmt::format("node{:04}", i);
    cluster.nodes.push_back(node);
  }
  const std::int64_t begin = sxb::monotonic_ns();
  const auto transport = sxb::launch::ssh_transport(cluster, static_cast<int>(cluster.nodes.size()));
  if (!transport.ok()) return 1;
  std::set<std::string> answers;
  std::size_t ended = 0, failed = 0;
  for (const sxb::config::Node& node : cluster.nodes) {
    if (!(*transport)->start(node, {"hostname"}, {}, "").ok()) return 1;
  }
  while (ended < cluster.nodes.size()) {
    (*transport)->poll(1000, [&](const TransportEvent& event) {
      if (event.kind == TransportEvent::Kind::kLine) answers.insert(event.line);
      const bool lost = event.kind == TransportEvent::Kind::kLost;
      if (lost || event.kind == TransportEvent::Kind::kExit) ++ended;
      if (lost || !event.status.ok()) ++failed;
    });
  }
  fmt::print("{:.3f} {} {}\n", static_cast<double>(sxb::monotonic_ns() - begin) * 1e-9, answers.size(),
             peak_kib());
  return failed == 0 ? 0 : 1;
}
