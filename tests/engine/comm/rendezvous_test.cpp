#include "engine/comm/rendezvous.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "engine/support/ranks.h"
#include "rendezvous/testing.h"

namespace sxb::engine::comm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<char> text(const std::string& value) { return {value.begin(), value.end()}; }

/// The error with which `options` does not meet anybody; its message never holds the token.
EngineError error_of(const RendezvousOptions& options) {
  try {
    Rendezvous rendezvous(options);
  } catch (const EngineError& error) {
    EXPECT_THAT(error.what() + error.help, Not(HasSubstr(options.token)));
    return error;
  }
  ADD_FAILURE() << "no error";
  return {"none", "none"};
}

/// What rank 0 tells the user at the end.
struct Warnings {
  std::vector<std::string> codes, messages;

  RendezvousOptions heard_by(RendezvousOptions options) {
    if (options.rank == 0) {
      options.warn = [this](const std::string& code, const std::string& message, const std::string&) {
        codes.push_back(code);
        messages.push_back(message);
      };
    }
    return options;
  }
};

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
  EXPECT_THAT(messages[1], HasSubstr("does not know this run's token: another run"));
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

TEST(Rendezvous, AnotherBuildIsRefusedOnEveryRank) {
  const int port = free_port();
  std::string messages[3];
  run_ranks(3, [&](int rank) {
    auto options = local_rendezvous(rank, 3, port);
    options.build_id = rank == 1 ? "0.1.0 def" : "0.1.0 abc";
    const EngineError error = error_of(options);
    EXPECT_EQ(error.code, "build_mismatch");
    EXPECT_EQ(error.exit_code, ExitCode::kEnvironment);
    messages[rank] = error.what();
  });
  EXPECT_EQ(messages[0],
            "rank 0 on node0 is build \"0.1.0 abc\", but rank 1 on node1 is build \"0.1.0 def\"");
  EXPECT_EQ(messages[1],
            "rank 1 on node1 is build \"0.1.0 def\", but rank 0 on node0 is build \"0.1.0 abc\"");
  EXPECT_EQ(messages[2],
            "rank 2 on node2 is build \"0.1.0 abc\", but rank 1 on node1 is build \"0.1.0 def\"");
}

TEST(Rendezvous, AHostThatIsNotRankZerosIsNamedAtOnce) {
  for (const char* host : {"203.0.113.9", "no-such-host.invalid"}) {  // nobody's, by their standards
    auto options = local_rendezvous(0, 2, free_port());
    options.host = host;
    options.timeout = std::chrono::hours(1);
    const EngineError error = error_of(options);
    EXPECT_EQ(error.code, "rendezvous_host");
    EXPECT_THAT(error.what(), HasSubstr("rendezvous.host"));
    EXPECT_THAT(error.what(), HasSubstr(host));
    EXPECT_THAT(error.help, HasSubstr("rendezvous.interface"));
    EXPECT_EQ(error.exit_code, ExitCode::kEnvironment);
  }
  auto options = local_rendezvous(1, 2, free_port());
  options.host = "no-such-host.invalid";
  options.timeout = std::chrono::hours(1);
  EXPECT_EQ(error_of(options).code, "rendezvous_host");
}

TEST(Rendezvous, APortOfAnotherRunIsNamedByTheRanksToo) {
  const int port = free_port();
  Rendezvous other(local_rendezvous(0, 1, port));
  auto options = local_rendezvous(1, 2, port);
  options.token = "of this run";
  const EngineError error = error_of(options);
  EXPECT_EQ(error.code, "rendezvous_port");
  EXPECT_THAT(error.help, HasSubstr("rendezvous.port"));
}

TEST(Rendezvous, ASecondProcessOfARankIsRefused) {
  const int port = free_port();
  Rendezvous first(local_rendezvous(0, 1, port));
  const auto second = rendezvous::Client::connect(rendezvous::rank_options(0, 1, port));
  EXPECT_EQ(second.trouble, rendezvous::ConnectTrouble::kRankTaken);
}

TEST(Rendezvous, KeysAreWrittenOnceAndByTheirOwner) {
  const int port = free_port();
  run_ranks(2, [&](int rank) {
    Rendezvous rendezvous(local_rendezvous(rank, 2, port));
    if (rank == 0) rendezvous.set("key", text("first"));
    rendezvous.meet("set", std::chrono::seconds(20));
    const auto refused = [&](const std::string& key) -> EngineError {
      try {
        rendezvous.set(key, text("second"));
      } catch (const EngineError& error) {
        return error;
      }
      return {"no error", ""};
    };
    if (rank == 1) {
      EXPECT_EQ(refused("key").code, "rendezvous_conflict");
      EXPECT_THAT(refused("key").what(), HasSubstr("rank 1 on node1 may not set key"));
      EXPECT_THAT(refused("key").what(), HasSubstr("rank 0 has set it"));
      EXPECT_THAT(refused("rank/0").what(), HasSubstr("belongs to another rank"));
      EXPECT_EQ(rendezvous.peer_name(0), "rank 0 on node0");
    }
    rendezvous.leave(std::chrono::seconds(20));
  });
}

TEST(Rendezvous, ARankThatDoesNotComeToTheEndIsNamed) {
  const int port = free_port();
  run_ranks(3, [&](int rank) {
    Rendezvous rendezvous(local_rendezvous(rank, 3, port));
    try {
      if (rank != 1) rendezvous.leave(std::chrono::milliseconds(200));
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "rendezvous_timeout");
      EXPECT_THAT(error.what(), HasSubstr("for rank 1 ("));
    }
    rendezvous.meet("done", std::chrono::seconds(20));
  });
}

TEST(Rendezvous, RankZeroThatEndsIsNoTimeout) {
  const int port = free_port();
  try {
    run_ranks(2, [&](int rank) {
      Rendezvous rendezvous(local_rendezvous(rank, 2, port));
      if (rank == 0) throw std::runtime_error("rank 0 fails");
      try {
        rendezvous.get("what rank 0 would have set");
      } catch (const EngineError& error) {
        EXPECT_EQ(error.code, "rendezvous_lost");
      }
    });
    FAIL() << "no error";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "rank 0 fails");
  }
}

/// What ranks make of each other's values, whatever comes to the port meanwhile.
std::string meet_among(const std::function<void(int port)>& strangers, Warnings& warnings) {
  constexpr int kWorld = 3;
  const int port = free_port();
  std::string results[kWorld];
  run_ranks(kWorld, [&](int rank) {
    Rendezvous rendezvous(warnings.heard_by(local_rendezvous(rank, kWorld, port)));
    if (rank == 0) strangers(port);
    rendezvous.set("value/" + std::to_string(rank), text("of rank " + std::to_string(rank)));
    for (int r = 0; r < kWorld; ++r) {
      const auto value = rendezvous.get("value/" + std::to_string(r));
      results[rank] += std::string(value.begin(), value.end()) + ", " + rendezvous.peer_name(r) + "\n";
    }
    rendezvous.leave(std::chrono::seconds(60));
  });
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
  return results[0];
}

TEST(Rendezvous, StrangersChangeNothingAndAreTold) {
  Warnings quiet, told;
  const std::string result = meet_among([](int) {}, quiet);
  EXPECT_THAT(quiet.codes, IsEmpty());
  EXPECT_EQ(meet_among(
                [](int port) {
                  for (int i = 0; i < 3; ++i) {
                    const rendezvous::Raw raw(port);
                    raw.send(rendezvous::tcp_store_bytes());
                    EXPECT_THAT(raw.read_all(), Not(HasSubstr("rank")));
                  }
                },
                told),
            result);
  EXPECT_THAT(told.codes, ElementsAre("rendezvous_stranger"));
  EXPECT_THAT(told.messages, ElementsAre(HasSubstr("3 connections to the rendezvous at 127.0.0.1:")));
  EXPECT_THAT(told.messages, ElementsAre(HasSubstr("127.0.0.1 (3)")));
}

TEST(Rendezvous, StrangersAreToldWhenARankIsMissingToo) {
  Warnings warnings;
  auto options = warnings.heard_by(local_rendezvous(0, 2, free_port()));
  options.timeout = std::chrono::milliseconds(500);
  std::thread stranger([&] {
    while (!rendezvous::Raw(options.port).connected())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_EQ(error_of(options).code, "rendezvous_timeout");
  stranger.join();
  EXPECT_THAT(warnings.codes, ElementsAre("rendezvous_stranger"));
}

}  // namespace
}  // namespace sxb::engine::comm
