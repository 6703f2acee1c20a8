// The model by hand: hardware as in configs/hardware (H200: 450 GB/s NVLink, ring share 0.82, payload 0.975),
// formulas as in docs/expectations.md.
#include "analysis/model/expected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/hardware_facts.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using ::testing::HasSubstr;

/// `hosts` x 8 H200 with 8 x 400GbE each.
Topology cluster(int hosts, int per_host = 8) {
  Topology t;
  t.ranks = hosts * per_host;
  t.hosts = hosts;
  t.ranks_per_host = per_host;
  t.gpu = "NVIDIA H200";
  t.nvlink_gBps = 450;
  t.nvlink_reduction = true;
  t.backend = "nccl";
  if (hosts > 1) {
    t.nics = 8;
    t.nic_gBps = 50;
    t.fabric = "spectrum-x";
    t.net = "IB";
  }
  return t;
}

Expected expect(const std::string& collective, const Topology& t, const std::string& recorded = "",
                std::map<std::string, std::string> env = {}) {
  return expect_collective(collective, t, {recorded, "", "", std::move(env)}, testing::shipped_paths());
}

Expectation value(const Expected& expected) {
  EXPECT_TRUE(expected.value) << expected.unknown;
  return expected.value.value_or(Expectation());
}

// 450 x 0.617 x 2·7/8 = 485.9; a ring 450 x 0.82 = 369. NCCL takes the faster.
TEST(Expected, OneHostOfEight) {
  const Expectation nvls = value(expect("all_reduce", cluster(1)));
  EXPECT_EQ(nvls.algorithm, "NVLS");
  EXPECT_EQ(nvls.chosen_by, "likely");
  EXPECT_EQ(nvls.resource, "NVSwitch");
  EXPECT_NEAR(nvls.busbw_gBps, 485.89, 0.01);
  EXPECT_THAT(nvls.arithmetic, HasSubstr("450 GB/s NVLink x 0.617 x 2(8-1)/8 = 485.9 GB/s"));
  // Azure's ND H200 v5: 432 at 256 MiB, 467.6 at 1 GiB, 480 at 8 GiB.
  EXPECT_NEAR(nvls.busbw_at(268435456), 432, 9);
  EXPECT_NEAR(nvls.busbw_at(1073741824), 467.6, 10);
  EXPECT_NEAR(nvls.busbw_at(8589934592), 480, 10);
  const Expectation off = value(expect("all_reduce", cluster(1), "", {{"NCCL_NVLS_ENABLE", "0"}}));
  EXPECT_EQ(off.algorithm, "Ring");
  EXPECT_NEAR(off.busbw_gBps, 369, 1e-9);
  EXPECT_NEAR(value(expect("all_gather", cluster(1))).busbw_gBps, 369 * 0.97, 1e-9);
  const Expectation direct = value(expect("alltoall", cluster(1)));
  EXPECT_EQ(direct.algorithm, "p2p");
  EXPECT_EQ(direct.resource, "NVLink");
}

// Two GPUs: reduction in the switch would give 450 x 0.617 x 2·1/2 = 277.7, less than the ring.
TEST(Expected, TwoGpusOfOneHostTakeTheRing) {
  const Expectation two = value(expect("all_reduce", cluster(1, 2)));
  EXPECT_EQ(two.algorithm, "Ring");
  EXPECT_NEAR(two.busbw_gBps, 369, 1e-9);
  EXPECT_EQ(value(expect("all_reduce", cluster(1, 2), "NVLS")).algorithm, "NVLS");
}

// nccl-tests 2.19.6 on 4 x H200, multicast off: 349 at 512 MiB, 359 at 2 GiB, 365 at 8 GiB; all_gather 317,
// 334, 349.
TEST(Expected, FourGpusAsMeasured) {
  const Expectation ring = value(expect("all_reduce", cluster(1, 4), "RING"));
  EXPECT_NEAR(349 / ring.busbw_at(536870912), 1, 0.03);
  EXPECT_NEAR(365.1 / ring.busbw_at(8589934592), 1, 0.03);
  const Expectation gather = value(expect("all_gather", cluster(1, 4), "RING"));
  EXPECT_NEAR(317 / gather.busbw_at(536870912), 1, 0.05);
  EXPECT_NEAR(348.9 / gather.busbw_at(8589934592), 1, 0.05);
  // Latency of NCCL's own model: 6.6 + 2·3·0.6.
  EXPECT_NEAR(ring.alpha_us, 10.2, 1e-9);
}

// Four hosts, ring: min(8 x 50 x 0.975 = 390, 450 x 0.82 x 8/7 = 421.7). OCI measured 390.6: 48.8 GB/s per
// NIC, 97.6 %.
TEST(Expected, FourHostsRingIsBoundByTheNics) {
  const Topology t = cluster(4);
  const Expectation ring = value(expect("all_reduce", t, "RING"));
  EXPECT_NEAR(ring.busbw_gBps, 390, 1e-9);
  EXPECT_EQ(ring.resource, "NIC");
  EXPECT_EQ(ring.chosen_by, "recorded");
  EXPECT_THAT(ring.arithmetic, HasSubstr("8 x 50 GB/s x 0.975 = 390.0 GB/s"));
  EXPECT_NEAR(*nic_wire_gBps("all_reduce", "Ring", t, 390.6), 48.825, 1e-9);
  EXPECT_NEAR(*nic_wire_gBps("all_reduce", "Ring", t, 390.6) / t.nic_gBps, 0.9765, 1e-9);
  // CoreWeave, 8 hosts: 386.6 is 48.3 of 50.
  EXPECT_EQ(describe_bound("all_reduce", ring, cluster(8), 386.6),
            "NIC-bound: 48.3 of 50 GB/s per rail, 97 %");
}

// Trees: two hosts 2·15/16·390 = 731 > NVSwitch 485.9; four hosts 31/32·390 = 377.8.
TEST(Expected, TreesBetweenHosts) {
  const Expectation two = value(expect("all_reduce", cluster(2)));
  EXPECT_EQ(two.algorithm, "NVLSTree");
  EXPECT_EQ(two.resource, "NVSwitch");
  EXPECT_NEAR(two.busbw_gBps, 485.89, 0.01);
  const Expectation four = value(expect("all_reduce", cluster(4), "NVLS_TREE"));
  EXPECT_EQ(four.resource, "NIC");
  EXPECT_NEAR(four.busbw_gBps, 390.0 * 31 / 32, 1e-9);
  // Reference 3.1: busbw 480 on two hosts is 256 GB/s a host, 32 GB/s per NIC, 64 % of the line.
  EXPECT_NEAR(*nic_wire_gBps("all_reduce", "NVLSTree", cluster(2), 480), 32, 1e-9);
  EXPECT_EQ(describe_bound("all_reduce", two, cluster(2), 480),
            "NVSwitch-bound: 256.0 of 450 GB/s NVLink, 57 %; the NICs carry 32.0 of 50 GB/s, 64 %: one that "
            "lost up to "
            "36 % does not show");
  // Four hosts: the busiest sends 2·algbw.
  EXPECT_NEAR(*nic_wire_gBps("all_reduce", "NVLSTree", cluster(4), 387.5), 50, 1e-9);
}

TEST(Expected, TheConfiguredAlgorithmCounts) {
  const Expectation ring = value(expect("all_reduce", cluster(2), "", {{"NCCL_ALGO", "Ring"}}));
  EXPECT_EQ(ring.algorithm, "Ring");
  EXPECT_EQ(ring.chosen_by, "NCCL_ALGO");
  EXPECT_NEAR(ring.busbw_gBps, 390, 1e-9);
  // A Tree without NVLS: 450 x 0.82 x 15/16.
  EXPECT_NEAR(value(expect("all_reduce", cluster(2), "TREE")).busbw_gBps, 369.0 * 15 / 16, 1e-9);
}

// Reference 3.1: r·(n-1)/(n-g) with r = 48.75: k=2 91.4, k=4 63.0, k=8 54.8; 92 % of it is what is seen.
TEST(Expected, AllToAll) {
  EXPECT_NEAR(value(expect("alltoall", cluster(2))).busbw_gBps, 48.75 * 15 / 8 * 0.92, 1e-9);
  EXPECT_NEAR(value(expect("alltoall", cluster(8))).busbw_gBps, 48.75 * 63 / 56 * 0.92, 1e-9);
  // At the line, 56.25 GB/s busbw on 8 hosts is 50 GB/s per NIC.
  EXPECT_NEAR(*nic_wire_gBps("alltoall", "p2p", cluster(8), 56.25), 50, 1e-9);
  EXPECT_NEAR(value(expect("alltoall", cluster(8))).pass, 0.84, 1e-9);
}

TEST(Expected, SendRecvUsesOneNicPerBoundary) {
  const Expectation ring = value(expect("sendrecv", cluster(8)));
  EXPECT_NEAR(ring.busbw_gBps, 48.75, 1e-9);
  EXPECT_NEAR(*nic_wire_gBps("sendrecv", "p2p", cluster(8), 48), 48, 1e-9);
}

// 2 x 400G for 8 GPUs: ring 2 x 48.75 = 97.5; two hosts' tree 2·15/16·97.5 = 182.8.
TEST(Expected, TwoNicsPerHost) {
  Topology t = cluster(8);
  t.nics = 2;
  EXPECT_NEAR(value(expect("all_reduce", t)).busbw_gBps, 97.5, 1e-9);
  Topology two = cluster(2);
  two.nics = 2;
  EXPECT_NEAR(value(expect("all_reduce", two)).busbw_gBps, 97.5 * 2 * 15 / 16, 1e-9);
}

// A rail: one GPU per host, an eighth of the NICs: 48.75.
TEST(Expected, ARailHasItsShareOfTheNics) {
  Topology rail = cluster(8, 1);
  rail.nic_share = 0.125;
  const Expectation ring = value(expect("all_reduce", rail, "RING"));
  EXPECT_NEAR(ring.busbw_gBps, 48.75, 1e-9);
  EXPECT_NEAR(*nic_wire_gBps("all_reduce", "Ring", rail, 48), 48, 1e-9);
}

// A Gen4 x8 slot: 1.969 x 8 = 15.75 GB/s, 88 % of it carry data, less than the NIC.
TEST(Expected, ANicInASlowSlotIsNamed) {
  Topology t = cluster(4);
  t.nic_pcie_gBps = 15.752;
  const Expectation ring = value(expect("all_reduce", t, "RING"));
  EXPECT_EQ(ring.resource, "PCIe of the NIC");
  EXPECT_NEAR(ring.busbw_gBps, 8 * 15.752 * 0.88, 1e-6);
  t.nic_pcie_gBps = 63;
  EXPECT_EQ(value(expect("all_reduce", t, "RING")).resource, "NIC");
}

TEST(Expected, UnknownFactsGiveNoValueAndSayWhich) {
  const auto why = [](const std::string& collective, const Topology& t, const AlgorithmFacts& facts = {}) {
    const Expected expected = expect_collective(collective, t, facts, testing::shipped_paths());
    EXPECT_FALSE(expected.value);
    return expected.unknown;
  };
  Topology t = cluster(4);
  t.nics = 0;
  EXPECT_THAT(why("all_reduce", t), HasSubstr("network.nics"));
  t = cluster(4);
  t.fabric = "carrier-pigeon";
  EXPECT_THAT(why("all_reduce", t), HasSubstr("carrier-pigeon"));
  t = cluster(4);
  t.net = "Socket";
  EXPECT_THAT(why("all_reduce", t), HasSubstr("sockets"));
  t = cluster(1);
  t.net = "Socket";
  EXPECT_THAT(why("all_reduce", t), HasSubstr("within one machine"));
  t = cluster(1);
  t.nvlink_gBps = 0;
  EXPECT_THAT(why("all_reduce", t), HasSubstr("no NVLink"));
  t = cluster(1);
  t.backend = "gloo";
  EXPECT_THAT(why("all_reduce", t), HasSubstr("CPU"));
  t = cluster(1);
  t.ranks_per_host = 0;
  EXPECT_THAT(why("all_reduce", t), HasSubstr("different numbers"));
  t = cluster(1);
  t.mixed_gpus = true;
  EXPECT_THAT(why("all_reduce", t), HasSubstr("different GPUs"));
  EXPECT_THAT(why("all_reduce", cluster(1, 1)), HasSubstr("one rank"));
  EXPECT_THAT(why("alltoallv", cluster(1)), HasSubstr("alltoallv"));
  EXPECT_THAT(why("all_reduce", cluster(1), {"", "", "symmetric", {}}), HasSubstr("symmetric"));
  EXPECT_THAT(why("all_gather", cluster(4), {"PAT", "", "", {}}), HasSubstr("PAT"));
  EXPECT_THAT(why("all_reduce", cluster(1), {"", "", "", {{"NCCL_P2P_DISABLE", "1"}}}), HasSubstr("P2P"));
  EXPECT_THAT(why("all_reduce", cluster(4), {"", "", "", {{"NCCL_COLLNET_ENABLE", "1"}}}),
              HasSubstr("COLLNET"));
}

// Records of two pretended nodes on one machine, of two machines, and of a rail of the latter.
TEST(Topology, FromTheRecords) {
  const auto topology = [](bool one_machine, const std::vector<int>& group) {
    testing::SyntheticRun run(testing::scratch("run"));
    testing::NcclSpec spec{"n", 2, 2, 300};
    spec.one_machine = one_machine;
    run.add("run",
            testing::run_data("synthetic", Json::array({testing::planned_nccl("n", 2)}), Json::object(),
                              {{{"name", "mlx5_0"}, {"line_rate_gbps", 400}},
                               {{"name", "mlx5_1"}, {"line_rate_gbps", 200}}}));
    add_nccl_task(run, spec);
    run.write();
    const auto dataset = load_dataset(run.folder());
    return topology_of(network_of(dataset->asked.cluster), dataset->tasks[0], group,
                       testing::shipped_hardware());
  };
  const Topology one = topology(true, {});
  EXPECT_EQ(one.hosts, 1);
  EXPECT_EQ(one.ranks_per_host, 4);
  EXPECT_EQ(one.gpu, "NVIDIA H200");
  EXPECT_EQ(one.nvlink_gBps, 450);
  EXPECT_TRUE(one.nvlink_reduction);
  const Topology two = topology(false, {});
  EXPECT_EQ(two.hosts, 2);
  EXPECT_EQ(two.ranks_per_host, 2);
  EXPECT_EQ(two.nics, 2);
  EXPECT_EQ(two.nic_gBps, 25);  // the slower one
  EXPECT_EQ(two.nic_share, 1);
  EXPECT_EQ(two.fabric, "ethernet");
  const Topology rail = topology(false, {0, 2});
  EXPECT_EQ(rail.ranks, 2);
  EXPECT_EQ(rail.ranks_per_host, 1);
  EXPECT_EQ(rail.nic_share, 0.5);
  const Topology node = topology(false, {2, 3});
  EXPECT_EQ(node.hosts, 1);
  EXPECT_EQ(node.ranks_per_host, 2);
}

}  // namespace
}  // namespace sxb::analysis
