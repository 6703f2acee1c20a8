// As many ranks as a large cluster has, all in this process: their connections are what counts.
#include <gtest/gtest.h>

#include <cstdio>
#include <vector>

#include "rendezvous/descriptors.h"
#include "rendezvous/testing.h"

namespace sxb::rendezvous {
namespace {

TEST(ManyRanks, EightThousandMeet) {
  constexpr int kWorld = 8192;
  if (const Status status = need_descriptors(2 * kWorld + kUnproved); !status.ok())
    GTEST_SKIP() << status.error().what;
  const auto begin = std::chrono::steady_clock::now();
  const Served served = serve(kWorld, std::chrono::minutes(5));
  std::vector<std::unique_ptr<Raw>> ranks;
  for (int rank = 0; rank < kWorld; ++rank) {
    ranks.push_back(std::make_unique<Raw>(served.port));
    ASSERT_TRUE(ranks.back()->connected()) << rank;
  }
  // All at once, and nobody is pushed out: there is room for each that is expected.
  for (int rank = 0; rank < kWorld; ++rank) ranks[static_cast<std::size_t>(rank)]->say_hello(rank, kWorld);
  for (const auto& rank : ranks) ASSERT_EQ(rank->welcome(), Entry::kAdmitted);
  for (const auto& rank : ranks) rank->send(write_request({1, Verb::kMeet, {"all"}, ""}));
  for (const auto& rank : ranks) {
    const auto answer = rank->answer();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->code, Code::kOk);
  }
  EXPECT_EQ(served.server->strangers().connections, 0);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%d ranks met in %.1f s\n", kWorld, took.count());
}

}  // namespace
}  // namespace sxb::rendezvous
