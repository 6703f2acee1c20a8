#include "rendezvous/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

namespace sxb::rendezvous {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A store, and what it has answered.
class StoreTest : public ::testing::Test {
 protected:
  using Said = std::tuple<int, std::uint32_t, Code, std::string>;  // rank, id, code, value

  explicit StoreTest(int world = 3)
      : store_(world, [this](int rank, const Answer& answer) {
          said_.emplace_back(rank, answer.id, answer.code, answer.value);
        }) {}

  /// What is said because of this request.
  std::vector<Said> ask(int rank, Verb verb, std::vector<std::string> keys, std::string value = "") {
    said_.clear();
    store_.handle(rank, {++id_, verb, std::move(keys), std::move(value)});
    return said_;
  }
  Code code(int rank, const std::string& key, std::string value) {
    return std::get<2>(ask(rank, Verb::kSet, {key}, std::move(value)).at(0));
  }

  std::vector<Said> said_;
  std::uint32_t id_ = 0;
  Store store_;
};

TEST_F(StoreTest, AKeyIsWrittenOnce) {
  EXPECT_THAT(ask(1, Verb::kSet, {"key"}, "one"), ElementsAre(Said(1, 1, Code::kOk, "")));
  EXPECT_THAT(ask(2, Verb::kSet, {"key"}, "two"), ElementsAre(Said(2, 2, Code::kConflict, "1")));
  EXPECT_THAT(ask(2, Verb::kSet, {"key"}, "one"), ElementsAre(Said(2, 3, Code::kOk, "")));
  EXPECT_THAT(ask(0, Verb::kGet, {"key"}), ElementsAre(Said(0, 4, Code::kOk, "one")));
}

TEST_F(StoreTest, ARankSpeaksForItselfAlone) {
  EXPECT_EQ(code(1, "rank/1", "me"), Code::kOk);
  for (const char* key :
       {"rank/0", "rank/2", "rank/0/said", "rank/10", "rank/01", "rank/1 ", "rank/", "rank/x"})
    EXPECT_EQ(code(1, key, "evil"), Code::kForbidden) << key;
  EXPECT_EQ(code(1, "rank/1/said", "me"), Code::kOk);
  EXPECT_EQ(code(0, "rank/2", "evil"), Code::kForbidden);
  EXPECT_EQ(code(2, "rank/2", "me"), Code::kOk);
}

TEST_F(StoreTest, AWaitIsAnsweredWhenAllItsKeysAreThere) {
  ask(0, Verb::kSet, {"a"}, "A");
  EXPECT_THAT(ask(1, Verb::kWait, {"a", "b", "c", "b"}), IsEmpty());
  EXPECT_THAT(ask(2, Verb::kGet, {"b"}), IsEmpty());
  EXPECT_THAT(ask(0, Verb::kSet, {"b"}, "B"),
              ElementsAre(Said(0, 4, Code::kOk, ""), Said(2, 3, Code::kOk, "B")));
  EXPECT_THAT(ask(0, Verb::kSet, {"c"}, "C"),
              ElementsAre(Said(0, 5, Code::kOk, ""), Said(1, 2, Code::kOk, "")));
  EXPECT_THAT(ask(1, Verb::kWait, {"a", "b"}), ElementsAre(Said(1, 6, Code::kOk, "")));
}

TEST_F(StoreTest, ANewRequestEndsTheWaitBefore) {
  EXPECT_THAT(ask(1, Verb::kGet, {"a"}), IsEmpty());
  EXPECT_THAT(ask(1, Verb::kGet, {"b"}), IsEmpty());
  EXPECT_THAT(ask(0, Verb::kSet, {"a"}, "A"), ElementsAre(Said(0, 3, Code::kOk, "")));
  EXPECT_THAT(ask(0, Verb::kSet, {"b"}, "B"),
              ElementsAre(Said(0, 4, Code::kOk, ""), Said(1, 2, Code::kOk, "B")));
}

TEST_F(StoreTest, NobodyAnswersWhoIsGone) {
  ask(1, Verb::kWait, {"a", "b"});
  ask(2, Verb::kMeet, {"m"});
  store_.gone(1);
  store_.gone(2);
  store_.gone(2);
  ask(0, Verb::kSet, {"a"}, "");
  EXPECT_THAT(ask(0, Verb::kSet, {"b"}, ""), ElementsAre(Said(0, 4, Code::kOk, "")));
  ask(1, Verb::kArrive, {"m"});
  EXPECT_THAT(ask(0, Verb::kMeet, {"m"}), ElementsAre(Said(0, 6, Code::kOk, "")));  // 2 had come
}

TEST_F(StoreTest, AMeetingIsOfAllRanks) {
  EXPECT_THAT(ask(1, Verb::kMeet, {"m"}), IsEmpty());
  EXPECT_THAT(ask(1, Verb::kMeet, {"m"}), IsEmpty());  // counts once
  EXPECT_THAT(ask(2, Verb::kMissing, {"m"}), ElementsAre(Said(2, 3, Code::kOk, write_ranks({0, 2}))));
  EXPECT_THAT(ask(2, Verb::kMissing, {"n"}), ElementsAre(Said(2, 4, Code::kOk, write_ranks({0, 1, 2}))));
  EXPECT_THAT(ask(2, Verb::kArrive, {"m"}), IsEmpty());
  EXPECT_THAT(ask(0, Verb::kMeet, {"m"}), ElementsAre(Said(0, 6, Code::kOk, ""), Said(1, 2, Code::kOk, "")));
  EXPECT_THAT(ask(2, Verb::kMeet, {"m"}), ElementsAre(Said(2, 7, Code::kOk, "")));
}

TEST_F(StoreTest, ARankHasAQuotaOfKeys) {
  const std::size_t most = limits_for(3).keys_of_rank;
  for (std::size_t i = 0; i < most; ++i) ASSERT_EQ(code(1, std::to_string(i), ""), Code::kOk) << i;
  EXPECT_EQ(code(1, "one more", ""), Code::kTooMuch);
  EXPECT_EQ(std::get<2>(ask(1, Verb::kMeet, {"meeting"}).at(0)), Code::kTooMuch);
  EXPECT_EQ(code(1, "0", ""), Code::kOk);  // it is there
  EXPECT_EQ(code(2, "of another rank", ""), Code::kOk);
}

TEST_F(StoreTest, ARankHasAQuotaOfBytes) {
  const Limits limits = limits_for(3);
  const std::string value(limits.value_bytes, 'x');
  std::size_t stored = 0;
  while (stored < 1000 && code(1, std::to_string(stored), value) == Code::kOk) ++stored;
  EXPECT_LE(stored * value.size(), limits.bytes_of_rank);
  EXPECT_GT((stored + 2) * value.size(), limits.bytes_of_rank);
  EXPECT_EQ(code(2, "of another rank", value), Code::kOk);
  for (std::size_t i = 0; i <= stored; ++i)
    EXPECT_EQ(code(0, "of rank 0: " + std::to_string(i), value), Code::kOk);
}

TEST_F(StoreTest, MeetingsThatNobodyJoinsAreCountedToo) {
  const std::size_t most = limits_for(3).keys_of_rank;
  for (std::size_t i = 0; i < most; ++i) ASSERT_THAT(ask(2, Verb::kArrive, {std::to_string(i)}), IsEmpty());
  EXPECT_EQ(code(2, "key", ""), Code::kTooMuch);
}

}  // namespace
}  // namespace sxb::rendezvous
