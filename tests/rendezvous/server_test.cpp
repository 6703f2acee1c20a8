// A live server, its ranks, and those who are none.
#include "rendezvous/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "rendezvous/testing.h"

namespace sxb::rendezvous {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{60'000};

/// Rank `rank` of `world` meets the others and reads what the first has set.
void expect_to_meet(int rank, int world, int port, const std::string& meeting = "all") {
  const Connected connected = Client::connect(rank_options(rank, world, port));
  ASSERT_EQ(connected.trouble, ConnectTrouble::kNone) << connected.reason;
  if (rank == 0) {
    EXPECT_TRUE(connected.client->ask(Verb::kSet, {"what"}, "result", kLong).ok());
  }
  EXPECT_TRUE(connected.client->ask(Verb::kMeet, {meeting}, "", kLong).ok()) << "rank " << rank;
  EXPECT_EQ(connected.client->ask(Verb::kGet, {"what"}, "", kLong).value, "result");
}

void expect_all_to_meet(int world, int port, const std::string& meeting = "all") {
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < world; ++rank)
    ranks.emplace_back([=] { expect_to_meet(rank, world, port, meeting); });
  for (std::thread& rank : ranks) rank.join();
}

struct StrangerCase {
  const char* name;
  std::function<void(int port)> act;  ///< one connection
};

/// All that the first `bytes` of a stranger bring it is the end; with the knock also a greeting, in which
/// nothing is secret.
void expect_nothing_for(int port, const std::string& bytes) {
  const Raw raw(port);
  raw.send(bytes);
  raw.end_of_speech();
  const std::string told = raw.read_all();
  EXPECT_EQ(told.find(kTestToken), std::string::npos);
  EXPECT_LE(told.size(), bytes.starts_with(kMagic) ? kGreetingBytes + kWelcomeBytes : 0);
}

const StrangerCase kCases[] = {
    {"Scan", [](int port) { const Raw raw(port); }},
    {"Garbage", [](int port) { expect_nothing_for(port, std::string(100'000, '\xa5')); }},
    {"Http", [](int port) { expect_nothing_for(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); }},
    {"TcpStore", [](int port) { expect_nothing_for(port, tcp_store_bytes()); }},
    {"MagicAndGarbage",
     [](int port) { expect_nothing_for(port, std::string(kMagic) + std::string(500, 'x')); }},
    {"HalfAHello", [](int port) { expect_nothing_for(port, std::string(kMagic) + "x"); }},
    {"WrongToken",
     [](int port) {
       Raw raw(port);
       raw.say_hello(1, 3, "another token");
       EXPECT_EQ(raw.welcome(), Entry::kWrongProof);
       EXPECT_EQ(raw.read_all(), "");
     }},
    {"AFrameBeforeTheProof",
     [](int port) {
       expect_nothing_for(port, write_request({1, Verb::kSet, {"rank/1"}, "evil"}));
     }},
};

class StrangerTest : public ::testing::TestWithParam<StrangerCase> {};

TEST_P(StrangerTest, IsRefusedAndCountedWhileTheRanksMeet) {
  const Served served = serve(3);
  GetParam().act(served.port);
  std::thread during([&] { GetParam().act(served.port); });
  expect_all_to_meet(3, served.port);
  during.join();
  EXPECT_TRUE(comes_true([&] { return served.server->strangers().connections == 2; }))
      << served.server->strangers().connections;
  EXPECT_EQ(served.server->strangers().text(), "127.0.0.1 (2)");
}
INSTANTIATE_TEST_SUITE_P(Every, StrangerTest, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Server, WhatARankHasSaidCanNotBeSaidAgain) {
  const Served served = serve(2);
  std::string recorded;
  {
    Raw rank(served.port);
    recorded = rank.say_hello(1, 2);
    EXPECT_EQ(rank.welcome(), Entry::kAdmitted);
  }
  Raw again(served.port);
  again.send(kMagic);
  EXPECT_EQ(again.read(kGreetingBytes).size(), kGreetingBytes);
  again.send(recorded);
  EXPECT_EQ(again.read(kWelcomeBytes),
            std::string(1, static_cast<char>(Entry::kWrongProof)) + std::string(kProofBytes, '\0'));
  again.read_all();
  expect_all_to_meet(2, served.port);
  EXPECT_EQ(served.server->strangers().connections, 1);
}

TEST(Server, ASlowWriterIsCutOff) {
  const Served served = serve(2, milliseconds(300));
  const auto begin = std::chrono::steady_clock::now();
  const Raw slow(served.port);
  const Raw silent(served.port);
  expect_all_to_meet(2, served.port);
  const std::string magic(kMagic);
  for (std::size_t i = 0; !slow.closed(); ++i) {  // each byte in time
    if (i < magic.size()) slow.send(magic.substr(i, 1));
    std::this_thread::sleep_for(milliseconds(20));
    ASSERT_LT(std::chrono::steady_clock::now() - begin, kLong);
  }
  EXPECT_TRUE(comes_true([&] { return silent.closed(); }));
  EXPECT_EQ(served.server->strangers().connections, 2);
}

TEST(Server, AFloodFindsRoomForFewAndTheRanksMeet) {
  constexpr int kFlood = 500, kWorld = 4;
  const Served served = serve(kWorld, kLong);  // no clock closes them
  std::vector<std::unique_ptr<Raw>> flood;
  for (int i = 0; i < kFlood / 2; ++i) flood.push_back(std::make_unique<Raw>(served.port));
  std::thread more([&] {
    for (int i = 0; i < kFlood / 2; ++i) flood.push_back(std::make_unique<Raw>(served.port));
  });
  std::thread ranks([&] { expect_all_to_meet(kWorld, served.port); });
  more.join();
  ranks.join();
  const auto open = [&] {
    return std::count_if(flood.begin(), flood.end(), [](const auto& raw) { return !raw->closed(); });
  };
  EXPECT_TRUE(comes_true([&] { return open() <= kUnproved + kWorld; })) << open();
  EXPECT_EQ(served.server->strangers().text(),
            "127.0.0.1 (" + std::to_string(served.server->strangers().connections) + ")");
  EXPECT_GE(served.server->strangers().connections, kFlood - kUnproved - kWorld);
  EXPECT_LE(served.server->strangers().connections, kFlood);  // ranks that were pushed out are none
}

TEST(Server, AFloodOfOneAddressDoesNotPushOutAnother) {
  const Served served = serve(1, kLong);
  const Raw elsewhere(served.port);  // the oldest
  std::vector<std::unique_ptr<Raw>> flood;
  for (int i = 0; i < 3 * kUnproved; ++i)
    flood.push_back(std::make_unique<Raw>(served.port, "127.0.0.1", "127.0.0.3"));
  expect_to_meet(0, 1, served.port);
  EXPECT_FALSE(elsewhere.closed());
  EXPECT_EQ(served.server->strangers().text().find("127.0.0.1"), std::string::npos);
}

TEST(Server, ARankIsThereOnce) {
  const Served served = serve(2);
  auto first = std::make_unique<Raw>(served.port);
  first->say_hello(1, 2);
  ASSERT_EQ(first->welcome(), Entry::kAdmitted);
  const Connected second = Client::connect(rank_options(1, 2, served.port));
  EXPECT_EQ(second.trouble, ConnectTrouble::kRankTaken);
  first.reset();
  expect_all_to_meet(2, served.port);
  EXPECT_EQ(served.server->strangers().connections, 0);  // they know the token
}

TEST(Server, RanksOfAnotherTaskHaveNoPlace) {
  const Served served = serve(2);
  EXPECT_EQ(Client::connect(rank_options(2, 2, served.port)).trouble, ConnectTrouble::kNoSuchRank);
  EXPECT_EQ(Client::connect(rank_options(1, 3, served.port)).trouble, ConnectTrouble::kNoSuchRank);
  expect_all_to_meet(2, served.port);
}

TEST(Server, AnotherRanksEntryStaysAsItIs) {
  const Served served = serve(3);
  const Connected evil = Client::connect(rank_options(1, 3, served.port));
  ASSERT_EQ(evil.trouble, ConnectTrouble::kNone);
  EXPECT_EQ(evil.client->ask(Verb::kSet, {"rank/2"}, "evil", kLong).code, Code::kForbidden);
  const Connected good = Client::connect(rank_options(2, 3, served.port));
  EXPECT_TRUE(good.client->ask(Verb::kSet, {"rank/2"}, "good", kLong).ok());
  EXPECT_EQ(evil.client->ask(Verb::kGet, {"rank/2"}, "", kLong).value, "good");
}

TEST(Server, ARankThatBreaksTheProtocolEndsItsOwnConnectionAlone) {
  const Served served = serve(3);
  for (const std::string& bytes : {std::string("\xff\xff\xff\xff more"), std::string("\0\0\0\1\7", 5),
                                   write_request({1, static_cast<Verb>(99), {"k"}, ""})}) {
    Raw rank(served.port);
    rank.say_hello(1, 3);
    ASSERT_EQ(rank.welcome(), Entry::kAdmitted);
    rank.send(bytes);
    const auto answer = rank.answer();
    if (answer) {  // else the connection's end has overtaken it
      EXPECT_EQ(answer->code, Code::kMalformed);
    }
    EXPECT_TRUE(comes_true([&] { return rank.closed(); }));
  }
  expect_all_to_meet(3, served.port);
}

TEST(Server, ARankThatStoresTooMuchIsToldSo) {
  const Served served = serve(2);
  const Connected connected = Client::connect(rank_options(1, 2, served.port));
  const Limits& limits = connected.client->limits();
  const std::string value(limits.value_bytes, 'x');
  Code code = Code::kOk;
  for (std::size_t i = 0; code == Code::kOk && i <= limits.bytes_of_rank / value.size(); ++i)
    code = connected.client->ask(Verb::kSet, {std::to_string(i)}, value, kLong).code;
  EXPECT_EQ(code, Code::kTooMuch);
  EXPECT_TRUE(connected.client->ask(Verb::kGet, {"0"}, "", kLong).ok());
}

TEST(Server, AnswersWaitForWhoDoesNotReadThem) {
  const Served served = serve(2);
  Raw slow(served.port);
  slow.say_hello(1, 2);
  ASSERT_EQ(slow.welcome(), Entry::kAdmitted);
  constexpr std::uint32_t kAsked = 300;
  const std::string value(limits_for(2).value_bytes, 'v');
  slow.send(write_request({0, Verb::kSet, {"large"}, value}));
  for (std::uint32_t id = 1; id <= kAsked; ++id) slow.send(write_request({id, Verb::kGet, {"large"}, ""}));
  // The other one is served meanwhile.
  const Connected other = Client::connect(rank_options(0, 2, served.port));
  EXPECT_EQ(other.client->ask(Verb::kGet, {"large"}, "", kLong).value, value);
  for (std::uint32_t id = 0; id <= kAsked; ++id) {
    const auto answer = slow.answer();
    ASSERT_TRUE(answer.has_value()) << id;
    EXPECT_EQ(answer->id, id);
    EXPECT_EQ(answer->value.size(), id == 0 ? 0 : value.size());
  }
}

TEST(Server, StaysUntilTheRanksHaveGone) {
  Served served = serve(2);
  Connected other = Client::connect(rank_options(1, 2, served.port));
  std::thread stop([&] { served.server->stop(kLong); });
  EXPECT_TRUE(other.client->ask(Verb::kSet, {"key"}, "late", kLong).ok());
  other.client.reset();
  stop.join();
}

TEST(Server, StopsAtOnceWithoutLinger) {
  Served served = serve(2);
  const Connected other = Client::connect(rank_options(1, 2, served.port));
  served.server.reset();
  EXPECT_EQ(other.client->ask(Verb::kGet, {"key"}, "", kLong).ended, Ended::kLost);
  EXPECT_EQ(other.client->ask(Verb::kGet, {"key"}, "", kLong).ended, Ended::kLost);
}

TEST(Client, ATimeoutIsNotTheEnd) {
  const Served served = serve(2);
  const Connected one = Client::connect(rank_options(1, 2, served.port));
  EXPECT_EQ(one.client->ask(Verb::kGet, {"late"}, "", milliseconds(10)).ended, Ended::kTimeout);
  EXPECT_TRUE(one.client->ask(Verb::kSet, {"late"}, "value", kLong).ok());
  EXPECT_EQ(one.client->ask(Verb::kGet, {"late"}, "", kLong).value, "value");
}

TEST(Client, WaitsForAServerThatComesLater) {
  Served served = serve(1);
  const int port = served.port;
  served.server.reset();
  std::thread late([&] {
    std::this_thread::sleep_for(milliseconds(100));
    Listen listen = listen_at("127.0.0.1", port, false);
    ASSERT_EQ(listen.trouble, ListenTrouble::kNone) << listen.error.what;
    ServerOptions options;
    options.token = kTestToken;
    served.server = *Server::start(std::move(listen.listening), options);
  });
  expect_to_meet(0, 1, port);
  late.join();
}

/// Another program at the port: `answer` speaks with the one that connects.
class Impostor {
 public:
  explicit Impostor(std::function<void(const Socket& peer)> answer)
      : port(port_of(listen_.listening.sockets.front().fd())), thread_([this, answer = std::move(answer)] {
          const int listener = listen_.listening.sockets.front().fd();
          pollfd one = {listener, POLLIN, 0};
          ::poll(&one, 1, 60'000);
          answer(Socket(::accept(listener, nullptr, nullptr)));
        }) {}
  ~Impostor() { thread_.join(); }

 private:
  Listen listen_ = listen_at("127.0.0.1", 0, false);

 public:
  const int port;

 private:
  std::thread thread_;
};

TEST(Client, KnowsAnotherProgramAtOnce) {
  const Impostor other([](const Socket& peer) {
    static_cast<void>(!::send(peer.fd(), "SSH-2.0-OpenSSH_9.2\r\n", 21, MSG_NOSIGNAL));
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Client::connect(rank_options(1, 2, other.port)).trouble, ConnectTrouble::kNotOurs);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(30'000));
}

TEST(Client, DoesNotBelieveAServerThatCannotProveTheToken) {
  const Impostor other([](const Socket& peer) {
    std::string knock(kMagic.size(), '\0');
    static_cast<void>(!::recv(peer.fd(), knock.data(), knock.size(), MSG_WAITALL));
    const std::string greeting = write_greeting(std::string(kNonceBytes, 'n'));
    static_cast<void>(!::send(peer.fd(), greeting.data(), greeting.size(), MSG_NOSIGNAL));
    std::string hello(kHelloBytes, '\0');
    static_cast<void>(!::recv(peer.fd(), hello.data(), hello.size(), MSG_WAITALL));
    // Admitted, with the proof that the rank itself has sent.
    const std::string welcome = std::string(1, '\0') + hello.substr(kHelloBytes - kProofBytes);
    static_cast<void>(!::send(peer.fd(), welcome.data(), welcome.size(), MSG_NOSIGNAL));
  });
  EXPECT_EQ(Client::connect(rank_options(1, 2, other.port)).trouble, ConnectTrouble::kNotOurs);
}

TEST(Client, ANameThatDoesNotResolveIsKnownAtOnce) {
  ClientOptions options = rank_options(1, 2, 1);
  options.host = "no-such-host.invalid";
  const Connected connected = Client::connect(options);
  EXPECT_EQ(connected.trouble, ConnectTrouble::kName);
  EXPECT_THAT(connected.reason, ::testing::HasSubstr("no-such-host.invalid"));
  EXPECT_THAT(connected.reason, ::testing::HasSubstr("rendezvous.host"));
}

}  // namespace
}  // namespace sxb::rendezvous
