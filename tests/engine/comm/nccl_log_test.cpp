// What is read from NCCL's log, on lines of NCCL 2.28.
#include "engine/comm/nccl/nccl_log.h"

#include <gtest/gtest.h>
#include <nccl.h>

#include <cstdlib>

namespace sxb::engine::comm {
namespace {

TEST(NcclLog, RdmaBetweenNodes) {
  const Transports found = parse_transports(
      "node1:77:90 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/RoCE [1]mlx5_1:1/RoCE [RO]; OOB "
      "eth0:10.0.0.1<0>\n"
      "node1:77:90 [0] NCCL INFO Using network IB\n"
      "node1:77:90 [0] NCCL INFO Pattern 4, crossNic 0, nChannels 16, bw 40.000000/40.000000, type NVL/PIX, "
      "sameChannels 1\n"
      "node1:77:90 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read\n"
      "node1:77:90 [0] NCCL INFO Channel 00/0 : 15[7] -> 0[0] [receive] via NET/IB/0/GDRDMA\n"
      "node1:77:90 [0] NCCL INFO Channel 01/0 : 0[0] -> 8[0] [send] via NET/IB/1(3)/GDRDMA/Shared\n");
  EXPECT_EQ(found.net, "IB");
  EXPECT_TRUE(found.gpu_direct);
  EXPECT_FALSE(found.shared_memory);
  EXPECT_EQ(found.intra_node, "NVL");
}

TEST(NcclLog, RdmaThroughHostMemory) {
  const Transports found = parse_transports(
      "n:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/1/GDRDMA\n"
      "n:7:9 [0] NCCL INFO Channel 01/0 : 0[0] -> 8[0] [send] via NET/IB/2\n");
  EXPECT_EQ(found.net, "IB");
  EXPECT_FALSE(found.gpu_direct);
}

TEST(NcclLog, TcpBetweenNodes) {
  const Transports found =
      parse_transports("n:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/Socket/0\n");
  EXPECT_EQ(found.net, "Socket");
  EXPECT_FALSE(found.gpu_direct);
}

TEST(NcclLog, ANetworkThatNothingUsesIsNone) {
  // One machine: NCCL opens the network all the same.
  const Transports found = parse_transports(
      "n:7:9 [0] NCCL INFO NET/IB : No device found.\n"
      "n:7:9 [0] NCCL INFO NET/Socket : Using [0]eth0:10.0.0.1<0>\n"
      "n:7:9 [0] NCCL INFO Using network Socket\n"
      "n:7:9 [0] NCCL INFO Pattern 4, crossNic 0, nChannels 2, bw 5.000000/5.000000, type SYS/PIX, "
      "sameChannels 1\n"
      "n:7:9 [0] NCCL INFO Channel 00 : 0[0] -> 1[1] via SHM/direct/direct\n");
  EXPECT_EQ(found.net, "");
  EXPECT_FALSE(found.gpu_direct);
  EXPECT_TRUE(found.shared_memory);
  EXPECT_EQ(found.intra_node, "SYS");
}

TEST(NcclLog, APluginHasItsOwnName) {
  EXPECT_EQ(parse_transports(
                "n:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 8[0] [send] via NET/AWS Libfabric/0/GDRDMA\n")
                .net,
            "AWS Libfabric");
  EXPECT_EQ(parse_transports("").net, "");
}

TEST(NcclLog, WhatTheTunerChose) {
  const Choice choice = parse_choice(
      "n:7:9 [0] NCCL INFO AllReduce: 1048576 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..15}\n"
      "n:7:9 [0] NCCL INFO AllReduce: 8 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..0}\n");
  EXPECT_EQ(choice.algorithm, "RING");
  EXPECT_EQ(choice.protocol, "SIMPLE");
  EXPECT_EQ(choice.channels, 16);
}

TEST(NcclLog, ASymmetricKernelIsNamed) {
  const Choice choice = parse_choice(
      "n:7:9 [0] NCCL INFO AllReduce [Symmetric]: 4096 Bytes -> Kernel AllReduce_AGxLL_R nchannels 8 "
      "nthreads 512 "
      "nWorks 1\n");
  EXPECT_EQ(choice.algorithm, "SYMMETRIC");
  EXPECT_EQ(choice.protocol, "AllReduce_AGxLL_R");
  EXPECT_EQ(choice.channels, 8);
}

TEST(NcclLog, NothingToldIsNothingKnown) {
  const Choice choice = parse_choice("n:7:9 [0] NCCL INFO Connected all rings\n");
  EXPECT_EQ(choice.algorithm, "");
  EXPECT_EQ(choice.channels, 0);
}

TEST(NcclLog, HoldsWhatNcclWritesWhileItLives) {
  unsetenv("NCCL_DEBUG");
  for (int i = 0; i < 2; ++i) {
    const NcclLog log("INIT");
    EXPECT_EQ(log.text().find("NCCL WARN"), std::string::npos) << "of the log before";
    ncclUniqueId id;
    ncclComm_t comm = nullptr;
    EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
    EXPECT_NE(ncclCommInitRank(&comm, 1, id, 5), ncclSuccess);  // rank 5 of 1: refused with a warning
    EXPECT_NE(log.text().find("NCCL WARN"), std::string::npos) << log.text();
  }
  EXPECT_STREQ(std::getenv("NCCL_DEBUG"), "WARN");
  EXPECT_STREQ(std::getenv("NCCL_DEBUG_FILE"), "");
}

}  // namespace
}  // namespace sxb::engine::comm
