// A stranger on another machine of the network at the port of the rendezvous, while real ranks meet and
// measure.
#include <tuple>

#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StrangerOnNetwork : public OnNetwork {
 protected:
  void SetUp() override {
    OnNetwork::SetUp();
    engine_ = SXB_ENGINE;
    env_["SXBENCH_ENGINE_LIB"] = SXB_ENGINE;
  }
};

TEST_F(StrangerOnNetwork, IsNamedByItsAddressAndTheRunIsOk) {
  ASSERT_NO_FATAL_FAILURE(boot(3));
  if (IsSkipped()) return;
  Json config = net_->config("ssh", 1);
  config["nodes"].erase(2);  // node003 has no part in the run
  config["rendezvous"] = {{"interface", "eth0"}, {"family", "ipv4"}, {"port", 45999}};
  // The stranger asks for all keys, as of a c10d store, as long as the run lasts, and keeps what it is told.
  // On the loopback of the first node nobody listens.
  const fs::path knock = dir_ / "knock.sh", stop = dir_ / "stop", told = dir_ / "told",
                 loopback = dir_ / "loopback";
  std::ofstream(knock) << R"(#!/bin/bash
until [ -e "$3" ]; do
  (exec 3<>"/dev/tcp/$1/45999" && printf '\0\316\367\205\074\021' >&3 && timeout 5 cat <&3 >> "$2") 2> /dev/null
  sleep 0.05
done
)";
  for (const auto& [node, address, to] :
       {std::tuple("node003", "198.18.0.1", told), std::tuple("node001", "127.0.0.1", loopback)}) {
    ASSERT_EQ(net_->shell(fmt::format("on {} bash {} {} {} {} &", node, knock.string(), address, to.string(),
                                      stop.string())),
              0)
        << net_->output();
  }
  const Ended run = sxbench({"run", "--smoke", "--cluster", write_cluster(config), "--nodes", "2", "--phases",
                             "nccl,report", "--out", results().string()});
  std::ofstream(stop) << "";
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(read_file(told).value(), Not(HasSubstr("rank")));
  EXPECT_FALSE(fs::exists(loopback));
  bool named = false;
  for (const auto& finding : records(record::kind::kFinding)) {
    if (finding.data["code"] != "rendezvous_stranger") continue;
    named = true;
    EXPECT_THAT(finding.data["message"].get<std::string>(), HasSubstr("198.18.0.3 ("));
  }
  EXPECT_TRUE(named);
}

}  // namespace
}  // namespace sxb::e2e
