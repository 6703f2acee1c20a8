// Where the ranks of a task meet, when the first node has to be asked for it.
#include <gmock/gmock.h>

#include <functional>
#include <optional>
#include <utility>

#include "launch/head/rendezvous_host.h"

namespace sxb::launch {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A node that answers what it is asked with the lines that a test makes of the question's mark.
class AnsweringTransport final : public Transport {
 public:
  using Answer = std::function<std::vector<std::string>(const std::string& mark)>;
  AnsweringTransport(Answer answer, int exit_code) : answer_(std::move(answer)), exit_code_(exit_code) {}

  Result<int> start(const config::Node&, const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>&, const std::string&) override {
    asked_ = argv;
    started_ = false;
    return 1;
  }
  void poll(int, const Handler& handler) override {
    if (!std::exchange(started_, true)) {
      handler({TransportEvent::Kind::kStarted, 1, false, "", {}, {}});
      for (const std::string& line : answer_(asked_.back())) {
        handler({TransportEvent::Kind::kLine, 1, false, line, {}, {}});
      }
    }
    if (lost_) handler({TransportEvent::Kind::kLost, 1, false, "", {}, *lost_});
    if (exit_code_ >= 0 || stopped_)
      handler({TransportEvent::Kind::kExit, 1, false, "", ExitStatus{exit_code_, 0}, {}});
  }
  void stop(int, int) override { stopped_ = true; }

  void lose(Loss loss) { lost_ = std::move(loss); }
  const std::vector<std::string>& asked() const { return asked_; }

 private:
  Answer answer_;
  int exit_code_;  ///< -1: it does not end by itself
  bool started_ = false, stopped_ = false;
  std::optional<Loss> lost_;
  std::vector<std::string> asked_;
};

config::Cluster two_nodes(const std::string& first_host) {
  config::Cluster cluster;
  cluster.transport = config::TransportKind::kSsh;
  cluster.timeouts.connect_s = 1;
  cluster.nodes.resize(2);
  cluster.nodes[0].name = "n1";
  cluster.nodes[0].host = first_host;
  cluster.nodes[1].name = "n2";
  cluster.nodes[1].host = "192.0.2.2";
  return cluster;
}

Result<std::string> ask(config::Cluster cluster, AnsweringTransport& node) {
  return rendezvous_host(cluster, cluster.nodes[0], "/opt/sxbench", node);
}

Result<std::string> ask_on_interface(const AnsweringTransport::Answer& answer, int exit_code = 0) {
  AnsweringTransport node(answer, exit_code);
  config::Cluster cluster = two_nodes("n1");
  cluster.rendezvous.interface = "bond0";
  return ask(cluster, node);
}

TEST(RendezvousHost, IsFoundInWhatALoginPrints) {
  for (const char* noise : {"", "Welcome", "\x1b]0;n1\x07", "10.9.9.9 ", "two\twords "}) {
    const auto address = ask_on_interface([&](const std::string& mark) {
      return std::vector<std::string>{"Last login: today", noise + mark + " 10.0.0.1", "bye 10.0.0.3"};
    });
    ASSERT_TRUE(address.ok()) << noise << format_errors(address.errors());
    EXPECT_EQ(*address, "10.0.0.1") << noise;
  }
}

TEST(RendezvousHost, OneThatIsNoAddressIsNeverUsed) {
  for (const char* told : {"Welcome", "", "10.0.0.1 and more", "10.0.0.999", "bond0"}) {
    const auto address = ask_on_interface(
        [&](const std::string& mark) { return std::vector<std::string>{mark + " " + told}; });
    ASSERT_FALSE(address.ok()) << told;
    EXPECT_THAT(address.error().what, HasSubstr(std::string("\"") + told + "\"")) << told;
    EXPECT_THAT(address.error().help, HasSubstr("rendezvous.host"));
    EXPECT_EQ(address.error().code, ExitCode::kEnvironment);
  }
}

TEST(RendezvousHost, WhatTheLoginPrintsIsShownWhereNothingElseComes) {
  const auto silent =
      ask_on_interface([](const std::string&) { return std::vector<std::string>{"127.0.0.1"}; });
  ASSERT_FALSE(silent.ok()) << "without the mark it is no answer";
  EXPECT_THAT(silent.error().what, HasSubstr("no sxbench answered on node n1: 127.0.0.1"));
  // Until 2 x timeouts.connect_s.
  const auto hangs =
      ask_on_interface([](const std::string&) { return std::vector<std::string>{"Password:"}; }, -1);
  ASSERT_FALSE(hangs.ok());
  EXPECT_THAT(hangs.error().what,
              HasSubstr("node n1 did not tell its address within 2 s; its login prints: Password:"));
}

TEST(RendezvousHost, OfANameThatOnlySshKnowsTheNodeIsAsked) {
  AnsweringTransport node(
      [](const std::string& mark) { return std::vector<std::string>{mark + " 10.0.0.1"}; }, 0);
  const auto address = ask(two_nodes("h1.invalid"), node);
  ASSERT_TRUE(address.ok()) << format_errors(address.errors());
  EXPECT_EQ(*address, "10.0.0.1");
  ASSERT_EQ(node.asked().size(), 6U);
  EXPECT_EQ(node.asked()[3], kAnyInterface);

  AnsweringTransport lost([](const std::string&) { return std::vector<std::string>{"it has no address"}; },
                          4);
  const auto nothing = ask(two_nodes("h1.invalid"), lost);
  ASSERT_FALSE(nothing.ok());
  EXPECT_THAT(nothing.error().what, AllOf(HasSubstr("h1.invalid does not resolve on this machine"),
                                          HasSubstr("it has no address")));
  EXPECT_THAT(nothing.error().help, AllOf(HasSubstr("rendezvous.host"), HasSubstr("rendezvous.interface")));
}

/// Its agent will not start either, and is not the only one perhaps: that pass names all.
TEST(RendezvousHost, ANodeThatIsNotThereKeepsItsNameUntilItsAgentIsStarted) {
  AnsweringTransport off([](const std::string&) { return std::vector<std::string>(); }, -1);
  off.lose({Loss::Class::kUnreachable, "no ssh connection: No route to host", "try"});
  EXPECT_EQ(ask(two_nodes("h1.invalid"), off).value(), "h1.invalid");
  AnsweringTransport broken([](const std::string&) { return std::vector<std::string>(); }, -1);
  broken.lose({Loss::Class::kOther, "cannot start ssh: no memory", "free some"});
  const auto address = ask(two_nodes("h1.invalid"), broken);
  ASSERT_FALSE(address.ok());
  EXPECT_THAT(address.error().what, HasSubstr("cannot start ssh"));
}

TEST(RendezvousHost, OfANameThatResolvesNobodyIsAsked) {
  AnsweringTransport node([](const std::string&) { return std::vector<std::string>(); }, 0);
  EXPECT_EQ(ask(two_nodes("192.0.2.1"), node).value(), "192.0.2.1");
  EXPECT_TRUE(node.asked().empty());
}

TEST(InterfaceAddress, IsThatOfTheInterface) {
  EXPECT_EQ(interface_address("lo", config::AddressFamily::kIpv4).value(), "127.0.0.1");
  const auto none = interface_address("lol", config::AddressFamily::kIpv4);
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().what, HasSubstr("there is no interface lol"));
  EXPECT_THAT(none.error().help, HasSubstr("lo"));
}

/// SSH_CONNECTION may come along from elsewhere, as through srun: what is no address of this machine is none.
TEST(InterfaceAddress, TowardOthersItIsOneOfThisMachineAndNotLoopback) {
  const auto any = interface_address(kAnyInterface, config::AddressFamily::kAny);
  for (const char* login :
       {"203.0.113.7 40000 203.0.113.9 22", "127.0.0.1 40000 127.0.0.1 22", "x", "", "a b c d"}) {
    const auto told = interface_address(kAnyInterface, config::AddressFamily::kAny, login);
    ASSERT_EQ(told.ok(), any.ok()) << login;
    if (told.ok()) {
      EXPECT_EQ(*told, *any) << login;
    } else {
      EXPECT_THAT(told.error().what, HasSubstr("no address but loopback"));
    }
  }
  if (!any.ok()) return;
  EXPECT_THAT(*any, Not(::testing::StartsWith("127.")));
  EXPECT_EQ(interface_address(kAnyInterface, config::AddressFamily::kAny,
                              ("203.0.113.7 40000 " + *any + " 22").c_str())
                .value(),
            *any);
}

}  // namespace
}  // namespace sxb::launch
