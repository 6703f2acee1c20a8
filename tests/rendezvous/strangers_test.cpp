#include "rendezvous/strangers.h"

#include <gtest/gtest.h>

namespace sxb::rendezvous {
namespace {

TEST(Strangers, AreCountedByAddress) {
  Strangers strangers;
  for (const char* address : {"10.0.0.7", "10.0.0.9", "10.0.0.7"}) strangers.add(address);
  EXPECT_EQ(strangers.connections, 3);
  EXPECT_EQ(strangers.text(), "10.0.0.7 (2), 10.0.0.9 (1)");
}

TEST(Strangers, OfManyAddressesTheFirstAreNamed) {
  Strangers strangers;
  for (int i = 0; i < 1000; ++i) strangers.add("10.0.0." + std::to_string(i));
  EXPECT_EQ(strangers.connections, 1000);
  EXPECT_EQ(strangers.from.size(), Strangers::kAddresses);
  EXPECT_NE(strangers.text().find("10.0.0.15 (1) and elsewhere (984)"), std::string::npos)
      << strangers.text();
}

TEST(Strangers, ARankThatHadToTryAgainIsNone) {
  Strangers strangers;
  for (int i = 0; i < 3; ++i) strangers.add("10.0.0.7");
  strangers.add("10.0.0.9");
  strangers.forgive("10.0.0.7", 2);
  EXPECT_EQ(strangers.text(), "10.0.0.7 (1), 10.0.0.9 (1)");
  strangers.forgive("10.0.0.7", 4'000'000'000);
  strangers.forgive("10.0.0.1", 1);
  EXPECT_EQ(strangers.connections, 1);
  EXPECT_EQ(strangers.text(), "10.0.0.9 (1)");
}

}  // namespace
}  // namespace sxb::rendezvous
