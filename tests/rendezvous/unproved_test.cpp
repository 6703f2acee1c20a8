#include "rendezvous/unproved.h"

#include <gtest/gtest.h>

namespace sxb::rendezvous {
namespace {

TEST(Unproved, TheOldestOfTheAddressThatHasMostGoesFirst) {
  Unproved unproved;
  EXPECT_EQ(unproved.first_to_go(), 0U);
  unproved.add(2, "a", {});
  unproved.add(3, "b", {});
  unproved.add(4, "b", {});
  EXPECT_EQ(unproved.first_to_go(), 3U);
  unproved.add(5, "a", {});
  unproved.add(6, "a", {});
  EXPECT_EQ(unproved.first_to_go(), 2U);
  unproved.remove(2);
  unproved.remove(5);
  EXPECT_EQ(unproved.first_to_go(), 3U);
  EXPECT_FALSE(unproved.contains(5));
  EXPECT_EQ(unproved.size(), 3U);
  for (const std::uint64_t number : {3, 4, 6}) unproved.remove(number);
  EXPECT_EQ(unproved.first_to_go(), 0U);
}

}  // namespace
}  // namespace sxb::rendezvous
