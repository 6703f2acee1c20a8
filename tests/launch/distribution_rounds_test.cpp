#include "launch/push/distribution_rounds.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "launch/push/distribute.h"
#include "launch/push/push_facts.h"

namespace sxb::launch {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(DistributionRounds, EveryRoundDoublesTheSources) {
  const auto all = list_rounds(7, 64);
  ASSERT_EQ(all.size(), 3u) << "2^3 - 1 nodes";
  EXPECT_EQ(all[0].size(), 1u);
  EXPECT_EQ(all[1].size(), 2u);
  EXPECT_EQ(all[2].size(), 4u);
  EXPECT_EQ(list_rounds(1023, 64).size(), 10u);
  EXPECT_EQ(list_rounds(1024, 64).size(), 11u);
  EXPECT_TRUE(list_rounds(0, 64).empty());
}

TEST(DistributionRounds, EveryNodeIsServedOnceAndOnlyByOneThatHasIt) {
  std::vector<bool> has(100, false);
  for (const auto& round : list_rounds(100, 64)) {
    for (const Transfer& transfer : round) {
      EXPECT_TRUE(transfer.source == kHead || has[static_cast<std::size_t>(transfer.source)]);
    }
    for (const Transfer& transfer : round) {
      EXPECT_FALSE(has[static_cast<std::size_t>(transfer.target)]);
      has[static_cast<std::size_t>(transfer.target)] = true;
    }
  }
  EXPECT_EQ(std::count(has.begin(), has.end(), false), 0);
}

TEST(DistributionRounds, WhatANodeCannotReachTheHeadSends) {
  DistributionRounds rounds({0, 1, 2}, 64);
  rounds.succeeded(*rounds.next());
  EXPECT_EQ(rounds.next(), (Transfer{kHead, 1}));
  const Transfer between = *rounds.next();
  EXPECT_EQ(between, (Transfer{0, 2}));
  EXPECT_TRUE(rounds.failed(between)) << "another try";
  EXPECT_EQ(rounds.next(), (Transfer{kHead, 2})) << "beside its transfer to node 1";
  rounds.succeeded({kHead, 2});
  EXPECT_FALSE(rounds.failed({kHead, 1})) << "the head's own verdict stands";
  EXPECT_TRUE(rounds.finished());
}

TEST(DistributionRounds, ASourceThatFailedSendsNoMore) {
  DistributionRounds rounds({0, 1, 2, 3, 4, 5}, 1);
  rounds.succeeded(*rounds.next());
  const Transfer from_head = *rounds.next(), between = *rounds.next();
  rounds.failed(between);
  EXPECT_EQ(*rounds.next(), (Transfer{kHead, between.target}));
  rounds.succeeded(from_head);
  std::vector<int> sources;
  while (const auto transfer = rounds.next()) sources.push_back(transfer->source);
  EXPECT_THAT(sources, Not(Contains(0)));
  EXPECT_THAT(sources, ElementsAre(kHead, from_head.target));
}

TEST(DistributionRounds, TheHeadSendsToNoMoreThanItsWidth) {
  DistributionRounds rounds({0, 1, 2, 3, 4, 5}, 2);
  rounds.succeeded(*rounds.next());
  const Transfer first = *rounds.next();
  rounds.succeeded(first);
  std::vector<Transfer> running;
  while (const auto transfer = rounds.next()) running.push_back(*transfer);
  ASSERT_EQ(running.size(), 3u);
  for (const Transfer& transfer : running) {
    if (transfer.source == kHead) continue;
    EXPECT_TRUE(rounds.failed(transfer));
  }
  int started = 0;
  while (rounds.next()) ++started;
  EXPECT_EQ(started, 2);
}

TEST(Rsync, TheHeadUsesItsSshSettingsAndANodeItsOwn) {
  config::Cluster cluster;
  cluster.ssh.config = "/etc/my config";
  config::Node node;
  node.name = node.host = "node001";
  node.ssh_port = 44222;
  node.ssh_user = "bench";
  node.ssh_key = "/keys/it's";
  node.ssh_jump = "gate";
  const auto rsh = [&](bool from_head) {
    const auto argv = rsync_argv(cluster, node, from_head, "/a b", "/c d", false);
    return *std::find_if(argv.begin(), argv.end(),
                         [](const std::string& word) { return word.rfind("--rsh=", 0) == 0; });
  };
  EXPECT_THAT(rsh(true), StartsWith("--rsh=ssh -F '/etc/my config' -o BatchMode=yes "));
  EXPECT_THAT(rsh(true),
              ::testing::EndsWith(" -p 44222 -l bench -i '/keys/it''s' -o IdentitiesOnly=yes -J gate"));
  EXPECT_THAT(rsh(false), StartsWith("--rsh=ssh -o BatchMode=yes "));
  EXPECT_THAT(rsh(false), ::testing::EndsWith(" -p 44222 -l bench"));
}

TEST(Rsync, PathsAreDataAndAddressesBracketed) {
  config::Cluster cluster;
  config::Node node;
  node.host = "fd77::1";
  const auto argv = rsync_argv(cluster, node, true, "/a $(x)", "/b;c d", true);
  EXPECT_THAT(argv, Contains("--protect-args"));
  EXPECT_THAT(argv, Contains("--checksum"));
  ASSERT_GE(argv.size(), 3u);
  EXPECT_EQ(argv[argv.size() - 3], "--");
  EXPECT_EQ(argv[argv.size() - 2], "/a $(x)/");
  EXPECT_EQ(argv.back(), "[fd77::1]:/b;c d/");
}

TEST(Rsync, StatsAreReadAndAbsentOnesAreNotZero) {
  const auto sent = parse_rsync_stats({"Number of files: 12 (reg: 10, dir: 2)",
                                       "Number of regular files transferred: 1,234",
                                       "Total transferred file size: 56,789 bytes"});
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->files, 1234);
  EXPECT_EQ(sent->bytes, 56789);
  EXPECT_FALSE(parse_rsync_stats({"Number of regular files transferred: 3"}));
  EXPECT_FALSE(
      parse_rsync_stats({"Number of regular files transferred: ", "Total transferred file size: 1"}));
}

Answer failed_with(std::vector<std::string> err) {
  Answer answer;
  answer.status.code = 2;
  answer.err = std::move(err);
  return answer;
}

TEST(Rsync, TheTellingLineOfAnUncleanLoginIsShownAndWhatItPrints) {
  const Answer answer = failed_with(
      {"Warning: Permanently added 'h1' (ED25519) to the list of known hosts.",
       "protocol version mismatch -- is your shell clean?", "(see the rsync manpage for an explanation)",
       "rsync error: protocol incompatibility (code 2) at compat.c(622) [sender=3.2.7]"});
  EXPECT_EQ(reason_of(answer), "protocol version mismatch -- is your shell clean?");
  config::Node node;
  node.name = "n1";
  node.host = "h1";
  EXPECT_THAT(copy_help(answer, node, "Wel\x1b[2Jcome"),
              ::testing::AllOf(HasSubstr("a login of node n1 prints text"),
                               HasSubstr("`ssh h1 true` must print nothing, and prints: Wel\\x1b[2Jcome;")));
  EXPECT_THAT(copy_help(answer, node, ""), HasSubstr("must print nothing; look at"));
}

TEST(Rsync, OtherReasonsStayAsTheyWere) {
  const Answer full = failed_with({"rsync: [receiver] write failed on \"/x\": No space left on device (28)",
                                   "rsync error: error in file IO (code 11) at receiver.c(380)"});
  EXPECT_THAT(reason_of(full), HasSubstr("No space left on device"));
  EXPECT_EQ(copy_help(full, config::Node(), "Welcome"), "remove the cause, then call it again");
  const Answer denied =
      failed_with({"bench@h1: Permission denied (publickey).",
                   "rsync: connection unexpectedly closed (0 bytes received so far) [sender]",
                   "rsync error: unexplained error (code 255) at io.c(228) [sender=3.2.7]"});
  EXPECT_EQ(reason_of(denied), "bench@h1: Permission denied (publickey).");
}

TEST(NetworkFileSystem, KnownByTheirTypeAlone) {
  EXPECT_EQ(network_file_system("6969"), "NFS");
  EXPECT_EQ(network_file_system("bd00bd0"), "Lustre");
  EXPECT_EQ(network_file_system("19830326"), "BeeGFS");
  EXPECT_EQ(network_file_system("47504653"), "GPFS");
  EXPECT_EQ(network_file_system("ef53"), "") << "ext4";
  EXPECT_EQ(network_file_system("1021994"), "") << "tmpfs";
  EXPECT_EQ(network_file_system(""), "");
}

}  // namespace
}  // namespace sxb::launch
