// A transport as a newcomer would add it: a class, and a row of the table.
#include <gtest/gtest.h>

#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

/// Every job says hello and ends well.
class HelloTransport final : public Transport {
 public:
  Result<int> start(const config::Node& node, const std::vector<std::string>& /*argv*/,
                    const std::map<std::string, std::string>& /*env*/,
                    const std::string& /*input*/) override {
    names_.push_back(node.name);
    return static_cast<int>(names_.size()) - 1;
  }
  void poll(int /*timeout_ms*/, const Handler& handler) override {
    for (; told_ < names_.size(); ++told_) {
      const int job = static_cast<int>(told_);
      handler({TransportEvent::Kind::kStarted, job, false, "", {}, {}});
      handler({TransportEvent::Kind::kLine, job, false, "hello from " + names_[told_], {}, {}});
      handler({TransportEvent::Kind::kExit, job, false, "", {}, {}});
    }
  }
  void stop(int /*job*/, int /*grace_ms*/) override {}

 private:
  std::vector<std::string> names_;
  std::size_t told_ = 0;
};

Result<std::unique_ptr<Transport>> hello_transport(const config::Cluster& /*cluster*/, int /*nodes*/) {
  return std::unique_ptr<Transport>(std::make_unique<HelloTransport>());
}

config::Cluster cluster_over(config::TransportKind kind) {
  config::Cluster cluster;
  cluster.transport = kind;
  cluster.nodes.resize(2);
  cluster.nodes[0].name = "n0";
  cluster.nodes[1].name = "n1";
  return cluster;
}

TEST(Extension, ATransportIsAFileAndARow) {
  const TransportRows rows = {{config::TransportKind::kPdsh, Reach::kLogins, hello_transport}};
  const config::Cluster cluster = cluster_over(config::TransportKind::kPdsh);
  const auto transport = make_transport(cluster, 2, rows);
  ASSERT_TRUE(transport.ok());
  for (const config::Node& node : cluster.nodes) {
    ASSERT_TRUE((*transport)->start(node, {"true"}, {}, "").ok());
  }
  std::vector<std::string> lines;
  int ended = 0;
  (*transport)->poll(0, [&](const TransportEvent& event) {
    if (event.kind == TransportEvent::Kind::kLine) lines.push_back(event.line);
    if (event.kind == TransportEvent::Kind::kExit) ++ended;
  });
  EXPECT_EQ(lines, (std::vector<std::string>{"hello from n0", "hello from n1"}));
  EXPECT_EQ(ended, 2);
}

TEST(Extension, EveryTransportOfTheConfigHasARow) {
  using config::TransportKind;
  for (const TransportKind kind : {TransportKind::kLocal, TransportKind::kSsh, TransportKind::kPdsh,
                                   TransportKind::kSlurm, TransportKind::kDryRun}) {
    EXPECT_EQ(transport_of(cluster_over(kind)).kind, kind) << config::to_string(kind);
  }
  EXPECT_EQ(transport_of(cluster_over(TransportKind::kAuto)).kind, TransportKind::kSsh);
}

}  // namespace
}  // namespace sxb::launch
