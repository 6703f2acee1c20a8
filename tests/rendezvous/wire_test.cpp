#include "rendezvous/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb::rendezvous {
namespace {

using ::testing::ElementsAre;

const std::string kServerNonce(kNonceBytes, 's');
const Hello kSomeHello{std::string(kNonceBytes, 'c'), 3, 8, 2};
constexpr const char* kToken = "token";

TEST(Wire, AHelloSaysWhoAndProvesTheToken) {
  const std::string bytes = write_hello(kToken, kServerNonce, kSomeHello);
  EXPECT_EQ(bytes.size(), kHelloBytes);
  const auto parsed = parse_hello(bytes);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->hello.nonce, kSomeHello.nonce);
  EXPECT_EQ(parsed->hello.rank, 3U);
  EXPECT_EQ(parsed->hello.world, 8U);
  EXPECT_EQ(parsed->hello.tries, 2U);
  EXPECT_TRUE(proves(kToken, kServerNonce, *parsed));
  EXPECT_EQ(bytes.find(kToken), std::string::npos);
}

TEST(Wire, NoByteOfAHelloCanBeAnother) {
  const std::string good = write_hello(kToken, kServerNonce, kSomeHello);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const auto parsed = parse_hello(bad);
    EXPECT_TRUE(!parsed || !proves(kToken, kServerNonce, *parsed)) << "byte " << i;
  }
}

TEST(Wire, AHelloIsForOneConnectionAndOneToken) {
  const auto hello = parse_hello(write_hello(kToken, kServerNonce, kSomeHello));
  EXPECT_FALSE(proves(kToken, std::string(kNonceBytes, 't'), *hello));
  EXPECT_FALSE(proves("another", kServerNonce, *hello));
  EXPECT_FALSE(proves("", kServerNonce, *hello));
}

TEST(Wire, WhatIsNoHelloIsSeenAtItsFirstByte) {
  const std::string good = write_hello(kToken, kServerNonce, kSomeHello);
  for (std::size_t size = 0; size <= good.size(); ++size) EXPECT_TRUE(may_be_hello(good.substr(0, size)));
  EXPECT_FALSE(may_be_hello("G"));
  EXPECT_FALSE(may_be_hello(good + "x"));
  EXPECT_FALSE(parse_hello(good.substr(1)).has_value());
  EXPECT_FALSE(parse_hello(good + "x").has_value());
}

TEST(Wire, TheServerProvesTheTokenInEveryWelcomeButThatOfAStranger) {
  for (const Entry entry : {Entry::kAdmitted, Entry::kRankTaken, Entry::kNoSuchRank}) {
    const std::string bytes = write_welcome(kToken, kServerNonce, kSomeHello, entry);
    EXPECT_EQ(parse_welcome(kToken, kServerNonce, kSomeHello, bytes), entry);
    EXPECT_EQ(parse_welcome("another", kServerNonce, kSomeHello, bytes), std::nullopt);
    std::string other = bytes;
    other[0] = static_cast<char>(other[0] == 0 ? Entry::kRankTaken : Entry::kAdmitted);
    EXPECT_EQ(parse_welcome(kToken, kServerNonce, kSomeHello, other), std::nullopt);
  }
  const std::string refused = write_welcome(kToken, kServerNonce, kSomeHello, Entry::kWrongProof);
  EXPECT_EQ(refused.substr(1), std::string(kProofBytes, '\0'));
  EXPECT_EQ(parse_welcome(kToken, kServerNonce, kSomeHello, refused), Entry::kWrongProof);
}

TEST(Wire, ARanksProofIsNoneOfTheServer) {
  const std::string hello = write_hello(kToken, kServerNonce, kSomeHello);
  const std::string reflected = std::string(1, '\0') + hello.substr(kHelloBytes - kProofBytes);
  EXPECT_EQ(parse_welcome(kToken, kServerNonce, kSomeHello, reflected), std::nullopt);
}

TEST(Wire, RequestsAndAnswersComeBackAsTheyWere) {
  const Limits limits = limits_for(4);
  Frames frames(limits.request_bytes);
  frames.add(write_request({7, Verb::kSet, {"rank/1"}, std::string("a\0b", 3)}));
  frames.add(write_request({8, Verb::kWait, {"x", "", "y"}, ""}));
  const auto set = parse_request(*frames.next(), limits);
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(set->id, 7U);
  EXPECT_EQ(set->verb, Verb::kSet);
  EXPECT_THAT(set->keys, ElementsAre("rank/1"));
  EXPECT_EQ(set->value, std::string("a\0b", 3));
  const auto wait = parse_request(*frames.next(), limits);
  ASSERT_TRUE(wait.has_value());
  EXPECT_THAT(wait->keys, ElementsAre("x", "", "y"));
  EXPECT_FALSE(frames.next().has_value());

  frames.add(write_answer({9, Code::kConflict, "1"}));
  const auto answer = parse_answer(*frames.next());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->id, 9U);
  EXPECT_EQ(answer->code, Code::kConflict);
  EXPECT_EQ(answer->value, "1");
  EXPECT_THAT(parse_ranks(write_ranks({0, 5, 70000})), ElementsAre(0, 5, 70000));
}

TEST(Wire, RequestsBeyondTheLimitsAreNone) {
  const Limits limits = limits_for(4);
  const auto parse = [&](const Request& request) {
    return parse_request(write_request(request).substr(4), limits).has_value();
  };
  EXPECT_TRUE(
      parse({1, Verb::kSet, {std::string(limits.key_bytes, 'k')}, std::string(limits.value_bytes, 'v')}));
  EXPECT_FALSE(parse({1, Verb::kSet, {std::string(limits.key_bytes + 1, 'k')}, ""}));
  EXPECT_FALSE(parse({1, Verb::kSet, {"k"}, std::string(limits.value_bytes + 1, 'v')}));
  EXPECT_FALSE(parse({1, Verb::kSet, {}, ""}));
  EXPECT_FALSE(parse({1, Verb::kGet, {"a", "b"}, ""}));
  EXPECT_FALSE(parse({1, Verb::kMeet, {"a"}, "value"}));
  EXPECT_TRUE(parse({1, Verb::kWait, std::vector<std::string>(limits.keys_of_a_wait, "k"), ""}));
  EXPECT_FALSE(parse({1, Verb::kWait, std::vector<std::string>(limits.keys_of_a_wait + 1, "k"), ""}));
  EXPECT_FALSE(parse({1, static_cast<Verb>(0), {"k"}, ""}));
  EXPECT_FALSE(parse({1, static_cast<Verb>(7), {"k"}, ""}));
  const std::string whole = write_request({1, Verb::kSet, {"key"}, ""}).substr(4);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_request(whole.substr(0, size), limits).has_value()) << size;
  EXPECT_FALSE(parse_answer(std::string("\0\0\0\1\7", 5)).has_value());
  EXPECT_FALSE(parse_answer("\0\0").has_value());
}

TEST(Wire, GloosAddressesFitTheLargestTask) {
  constexpr std::size_t kGlooAddress = 136;
  for (const int world : {2, 512, 8192, 65536})
    EXPECT_GE(limits_for(world).value_bytes, kGlooAddress * static_cast<std::size_t>(world));
}

TEST(Frames, ComeOutWhateverThePieces) {
  const std::string all = write_answer({1, Code::kOk, "one"}) + write_answer({2, Code::kOk, ""}) +
                          write_answer({3, Code::kOk, std::string(300, 'x')});
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    Frames frames(400);
    std::vector<std::uint32_t> ids;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      frames.add(std::string_view(all).substr(at, piece));
      while (const auto frame = frames.next()) ids.push_back(parse_answer(*frame)->id);
    }
    EXPECT_THAT(ids, ElementsAre(1, 2, 3)) << piece;
  }
}

TEST(Frames, NothingComesAfterOneThatIsTooLong) {
  Frames frames(10);
  frames.add(std::string("\0\0\0\x0a", 4) + std::string(10, 'x'));
  EXPECT_TRUE(frames.next().has_value());
  frames.add(std::string("\0\0\0\x0b", 4));
  EXPECT_FALSE(frames.next().has_value());
  EXPECT_TRUE(frames.broken());
  frames.add(write_answer({1, Code::kOk, ""}));
  EXPECT_FALSE(frames.next().has_value());
}

}  // namespace
}  // namespace sxb::rendezvous
