#include "rendezvous/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rendezvous/descriptors.h"
#include "rendezvous/testing.h"

namespace sxb::rendezvous {
namespace {

using ::testing::HasSubstr;

TEST(ListenAt, OneAddressAndNoOther) {
  const Served served = serve(1);
  EXPECT_TRUE(Raw(served.port, "127.0.0.1").connected());
  EXPECT_FALSE(Raw(served.port, "127.0.0.2").connected());  // of this machine as well
}

TEST(ListenAt, AddressesOfBothFamilies) {
  const Listen listen = listen_at("::1", 0, false);
  if (listen.trouble == ListenTrouble::kNotLocal) GTEST_SKIP() << "this machine has no IPv6 loopback";
  ASSERT_EQ(listen.trouble, ListenTrouble::kNone) << listen.error.what;
  EXPECT_EQ(listen.listening.addresses.front().text(), "::1");
  EXPECT_FALSE(Raw(port_of(listen.listening.sockets.front().fd()), "127.0.0.1").connected());
}

TEST(ListenAt, AnAddressOfAnotherMachineIsNamed) {
  const Listen listen = listen_at("203.0.113.9", 29500, true);  // for documentation: nobody has it
  ASSERT_EQ(listen.trouble, ListenTrouble::kNotLocal);
  EXPECT_THAT(listen.error.what, HasSubstr("rendezvous.host"));
  EXPECT_THAT(listen.error.what, HasSubstr("203.0.113.9"));
  EXPECT_THAT(listen.error.help, HasSubstr("rendezvous.interface"));
}

TEST(ListenAt, ANameThatDoesNotResolveIsNamed) {
  const Listen listen = listen_at("no-such-host.invalid", 29500, true);
  ASSERT_EQ(listen.trouble, ListenTrouble::kName);
  EXPECT_THAT(listen.error.what, HasSubstr("rendezvous.host"));
  EXPECT_THAT(listen.error.what, HasSubstr("\"no-such-host.invalid\", which does not resolve"));
  EXPECT_THAT(listen.error.help, HasSubstr("rendezvous.host"));
}

TEST(ListenAt, APortThatIsTakenIsNamed) {
  const Served served = serve(1);
  const Listen second = listen_at("127.0.0.1", served.port, false);
  ASSERT_EQ(second.trouble, ListenTrouble::kPort);
  EXPECT_EQ(second.error.where, "127.0.0.1");
  EXPECT_THAT(second.error.help, HasSubstr("rendezvous.port"));
}

TEST(ListenAt, ANameThatIsLoopbackHereAloneLeadsToAllAddresses) {
  const std::vector<Address> own = resolve("127.0.1.1", 0).value();  // as /etc/hosts often says
  const Listen alone = listen_at("node1", own, 0, false);
  EXPECT_FALSE(alone.listening.everywhere);
  EXPECT_EQ(alone.listening.addresses.front().text(), "127.0.1.1");
  const Listen spread = listen_at("node1", own, 0, true);
  ASSERT_EQ(spread.trouble, ListenTrouble::kNone) << spread.error.what;
  EXPECT_TRUE(spread.listening.everywhere);
  EXPECT_EQ(spread.listening.addresses.front().text(), "0.0.0.0");
  EXPECT_TRUE(Raw(port_of(spread.listening.sockets.front().fd()), "127.0.0.2").connected());
}

TEST(ListenAt, AllAddressesOfTheNameThatAreOfThisMachine) {
  std::vector<Address> found = resolve("203.0.113.9", 0).value();
  for (const char* own : {"127.0.0.5", "127.0.0.6", "127.0.0.5"})
    found.push_back(resolve(own, 0).value().front());
  const Listen listen = listen_at("node1", found, 0, false);
  ASSERT_EQ(listen.trouble, ListenTrouble::kNone) << listen.error.what;
  ASSERT_EQ(listen.listening.addresses.size(), 2U);
  EXPECT_EQ(listen.listening.addresses.front().text(), "127.0.0.5");
  EXPECT_EQ(listen.listening.addresses.back().text(), "127.0.0.6");
}

TEST(ListenAt, LoopbackByItsOwnNameOrAddressIsMeant) {
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Listen listen = listen_at(host, 0, true);
    ASSERT_EQ(listen.trouble, ListenTrouble::kNone) << listen.error.what;
    EXPECT_FALSE(listen.listening.everywhere) << host;
    EXPECT_TRUE(listen.listening.addresses.front().is_loopback());
  }
}

TEST(Endpoint, IsReadable) {
  EXPECT_EQ(endpoint("node1", 29500), "node1:29500");
  EXPECT_EQ(endpoint("fd00::2", 29500), "[fd00::2]:29500");
}

TEST(Descriptors, MoreThanTheHardLimitAreRefused) {
  EXPECT_TRUE(need_descriptors(1).ok());
  const Status status = need_descriptors(1L << 40);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, HasSubstr("a connection for each rank"));
  EXPECT_THAT(status.error().help, HasSubstr("ulimit -Hn"));
}

}  // namespace
}  // namespace sxb::rendezvous
