#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "engine/support/ranks.h"

namespace sxb::engine::comm {
namespace {

std::vector<char> text(const std::string& value) { return {value.begin(), value.end()}; }

TEST(Rendezvous, RanksSeeEachOthersKeys) {
  const int port = free_port();
  run_ranks(3, [&](int rank) {
    Rendezvous rendezvous(local_rendezvous(rank, 3, port));
    rendezvous.set("key" + std::to_string(rank), text("value" + std::to_string(rank)));
    for (int r = 0; r < 3; ++r)
      EXPECT_EQ(rendezvous.get("key" + std::to_string(r)), text("value" + std::to_string(r)));
    EXPECT_EQ(rendezvous.local_address(), "127.0.0.1");
    EXPECT_EQ(rendezvous.peer_name(2), "rank 2 on node2");
    rendezvous.set("done" + std::to_string(rank), {});
    rendezvous.wait({"done0", "done1", "done2"}, std::chrono::seconds(10));
  });
}

TEST(Rendezvous, NobodyLeavesBeforeAllHaveCome) {
  const int port = free_port();
  std::atomic<int> came = 0;
  run_ranks(3, [&](int rank) {
    Rendezvous rendezvous(local_rendezvous(rank, 3, port));
    if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++came;
    rendezvous.leave(std::chrono::seconds(20));
    EXPECT_EQ(came, 3) << "rank " << rank;
  });
}

TEST(Rendezvous, TwoRunsDoNotMeet) {
  const int ports[] = {free_port(), free_port()};
  run_ranks(4, [&](int thread) {
    const int run = thread / 2;
    auto options = local_rendezvous(thread % 2, 2, ports[run]);
    options.token = run == 0 ? "aa" : "bb";
    Rendezvous rendezvous(options);
    if (options.rank == 0) rendezvous.set("run", text(options.token));
    EXPECT_EQ(rendezvous.get("run"), text(options.token));
    if (options.rank == 1) rendezvous.set("done", {});
    if (options.rank == 0) rendezvous.wait({"done"}, std::chrono::seconds(10));  // it serves: it leaves last
  });
}

TEST(Rendezvous, ForeignTokenOnTheSamePortIsNotCounted) {
  const int port = free_port();
  std::string messages[2];
  run_ranks(2, [&](int rank) {
    auto options = local_rendezvous(rank, 2, port);
    options.timeout = std::chrono::milliseconds(1500);
    if (rank == 1) options.token = "another run";
    try {
      Rendezvous rendezvous(options);
      FAIL() << "met a rank of another run";
    } catch (const EngineError& error) {
      messages[rank] = error.what();
    }
  });
  EXPECT_NE(messages[0].find("missing rank 1"), std::string::npos) << messages[0];
}

TEST(Rendezvous, MissingRanksAreNamed) {
  auto options = local_rendezvous(0, 4, free_port());
  options.timeout = std::chrono::milliseconds(300);
  try {
    Rendezvous rendezvous(options);
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "rendezvous_timeout");
    EXPECT_NE(std::string(error.what()).find("missing rank 1, 2, 3"), std::string::npos) << error.what();
    EXPECT_EQ(error.exit_code, ExitCode::kEnvironment);
  }
}

TEST(Rendezvous, NoServerIsAnErrorInTime) {
  auto options = local_rendezvous(1, 2, free_port());
  options.timeout = std::chrono::milliseconds(500);
  try {
    Rendezvous rendezvous(options);
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "rendezvous_timeout");
    EXPECT_NE(std::string(error.what()).find("cannot reach rank 0 at 127.0.0.1:"), std::string::npos)
        << error.what();
  }
}

TEST(Rendezvous, TakenPortIsAnError) {
  const int port = free_port();
  Rendezvous first(local_rendezvous(0, 1, port));
  try {
    Rendezvous second(local_rendezvous(0, 1, port));
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "rendezvous_port");
    EXPECT_NE(error.help.find("rendezvous.port"), std::string::npos);
  }
}

TEST(Rendezvous, AnotherBuildIsRefused) {
  const int port = free_port();
  std::string messages[2];
  run_ranks(2, [&](int rank) {
    auto options = local_rendezvous(rank, 2, port);
    options.build_id = rank == 0 ? "0.1.0 abc" : "0.1.0 def";
    try {
      Rendezvous rendezvous(options);
      FAIL() << "met a rank of another build";
    } catch (const EngineError& error) {
      messages[rank] = error.what();
    }
  });
  EXPECT_NE(messages[0].find("rank 1 on node1 is build \"0.1.0 def\""), std::string::npos) << messages[0];
}

}  // namespace
}  // namespace sxb::engine::comm
