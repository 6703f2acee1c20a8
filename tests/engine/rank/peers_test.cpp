// What ranks find out about each other before they measure.
#include "engine/rank/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/support/ranks.h"

namespace sxb::engine::rank {
namespace {

using testing::HasSubstr;

/// Four ranks on two nodes, all as they should be.
std::vector<Peer> good_peers() {
  const comm::Transports rdma{"IB", true, false, "NVL"};
  return {{"n1", "NVIDIA H200", rdma},
          {"n1", "NVIDIA H200", {"", false, false, "NVL"}},  // its rings leave the node through rank 0
          {"n2", "NVIDIA H200", rdma},
          {"n2", "NVIDIA H200", rdma}};
}

TEST(Peers, NothingToSayOfGoodOnes) {
  EXPECT_TRUE(judge_peers(good_peers(), "spectrum-x", false, false).empty());
}

TEST(Peers, TcpOnAFabricThatPromisesRdmaIsAnError) {
  auto peers = good_peers();
  peers[2].transports = {"Socket", false, false, "NVL"};
  for (const char* fabric : {"roce", "infiniband", "spectrum-x"}) {
    const auto findings = judge_peers(peers, fabric, false, false);
    ASSERT_EQ(findings.size(), 1U) << fabric;
    EXPECT_EQ(findings[0].severity, "error");
    EXPECT_EQ(findings[0].code, "net_socket");
    EXPECT_THAT(findings[0].message, HasSubstr("rank 2 on n2"));
    EXPECT_THAT(findings[0].message, HasSubstr(fabric));
    EXPECT_THAT(findings[0].help, HasSubstr("NCCL_IB_HCA"));
  }
  EXPECT_TRUE(judge_peers(peers, "ethernet", false, false).empty());
  EXPECT_TRUE(judge_peers(peers, "none", false, false).empty());
  const auto chosen = judge_peers(peers, "roce", true, false);
  ASSERT_EQ(chosen.size(), 1U);
  EXPECT_EQ(chosen[0].severity, "warning");
  EXPECT_THAT(chosen[0].help, HasSubstr("NCCL_IB_DISABLE"));
}

TEST(Peers, RdmaThroughHostMemoryIsAWarning) {
  auto peers = good_peers();
  peers[3].transports.gpu_direct = false;
  const auto findings = judge_peers(peers, "roce", false, false);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity, "warning");
  EXPECT_EQ(findings[0].code, "no_gpu_direct");
  EXPECT_THAT(findings[0].message, HasSubstr("rank 3 on n2"));
}

TEST(Peers, MixedGpusAreAnErrorUnlessAllowed) {
  auto peers = good_peers();
  peers[3].gpu = "NVIDIA H100 80GB HBM3";
  const auto findings = judge_peers(peers, "none", false, false);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity, "error");
  EXPECT_EQ(findings[0].code, "mixed_gpus");
  EXPECT_THAT(findings[0].message, HasSubstr("rank 3 on n2 has an NVIDIA H100 80GB HBM3, rank 0 on n1"));
  EXPECT_THAT(findings[0].help, HasSubstr("\"mixed\": true"));
  EXPECT_TRUE(judge_peers(peers, "none", false, true).empty());
}

/// What rank 1 hears where there is no communicator.
std::string heard(const std::string& gpu, bool allowed) {
  std::string message;
  const int port = free_port();
  run_ranks(2, [&](int rank) {
    comm::Rendezvous rendezvous(local_rendezvous(rank, 2, port));
    plan::RankTask task;
    task.rank = rank;
    task.mixed_gpus = allowed;
    try {
      check_same_gpus(task, rank == 0 ? "NVIDIA H200" : gpu, rendezvous);
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "mixed_gpus");
      EXPECT_EQ(error.exit_code, ExitCode::kEnvironment);
      EXPECT_THAT(error.help, HasSubstr("--exclude"));
      message = error.what();
    }
    rendezvous.set("done" + std::to_string(rank), {});
    if (rank == 0) rendezvous.wait({"done1"}, std::chrono::seconds(10));  // it serves: it leaves last
  });
  return message;
}

TEST(Peers, MixedGpusAreAnErrorWithoutACommunicatorToo) {
  EXPECT_EQ(heard("NVIDIA H200", false), "");
  EXPECT_THAT(heard("NVIDIA B200", false),
              HasSubstr("rank 1 on node1 has an NVIDIA B200, rank 0 on node0 an NVIDIA H200"));
  EXPECT_EQ(heard("NVIDIA B200", true), "");
}

TEST(Peers, GpusWithoutPeerAccessOrNvlinkAreAWarning) {
  auto peers = good_peers();
  peers[1].transports = {"", false, true, "PHB"};
  const auto findings = judge_peers(peers, "none", false, false);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].code, "no_p2p");
  EXPECT_EQ(findings[1].code, "no_nvlink");
  EXPECT_THAT(findings[1].message, HasSubstr("rank 1 on n1"));
  EXPECT_THAT(findings[1].message, HasSubstr("PHB"));
  EXPECT_THAT(findings[1].help, HasSubstr("nvidia-smi topo -m"));
}

}  // namespace
}  // namespace sxb::engine::rank
