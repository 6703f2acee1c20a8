// Names, paths and values of a config are data: nothing in them is executed, and everything arrives as it is.
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

/// Values that a shell, ssh or pdsh would do something with; each would leave the file `trap` behind.
std::vector<std::string> hostile(const std::string& trap) {
  return {"it's \"quoted\"",
          "$(touch " + trap + ")",
          "`touch " + trap + "`",
          "; touch " + trap + " #",
          "a\ntouch " + trap + "\n",
          "-oProxyCommand=touch " + trap,
          "%h %u %n %%",
          "| touch " + trap,
          "' ; touch " + trap + " ; '",
          "${HOME} $HOME ~ *",
          "\\\\ \\' \\n",
          "&& touch " + trap};
}

class HostileValues : public OnNetwork, public ::testing::WithParamInterface<const char*> {};

TEST_P(HostileValues, ReachTheRanksUnchanged) {
  const bool slurm = std::string(GetParam()) == "slurm";
  ASSERT_NO_FATAL_FAILURE(boot(2, slurm));
  if (IsSkipped()) return;
  const std::string trap = (dir_ / "trap").string();
  Json config = net_->config(GetParam(), 1);
  int number = 0;
  for (const std::string& value : hostile(trap)) {
    const std::string name = fmt::format("NCCL_TEST_{}", number++);
    config["env"][name] = value;
  }
  config["env"]["SXB_FAKE_ECHO"] = "NCCL_TEST_";
  const Ended run = sxbench(run_arguments(write_cluster(config), "check"));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_FALSE(fs::exists(trap));
  const auto devices = records(record::kind::kDevice);
  ASSERT_EQ(devices.size(), 2u);
  using Variables = std::map<std::string, std::string>;
  config["env"].erase("SXB_FAKE_ECHO");
  for (const auto& device : devices) {
    EXPECT_EQ(Json::parse(device.data["name"].get<std::string>()).get<Variables>(),
              config["env"].get<Variables>());
  }
}

TEST_P(HostileValues, AProgramPathIsAPath) {
  const bool slurm = std::string(GetParam()) == "slurm";
  ASSERT_NO_FATAL_FAILURE(boot(2, slurm));
  if (IsSkipped()) return;
  const std::string trap = (dir_ / "trap").string();
  // The folder's name alone holds what a shell would run; "/" ends it, so the trap is relative.
  const fs::path strange = dir_ / "it's $(touch trap) `touch trap` %h; touch trap \" #";
  fs::create_directories(strange);
  fs::create_symlink(SXB_BINARY, strange / "sxbench");
  Json config = net_->config(GetParam(), 1);
  config["paths"] = {{"program", (strange / "sxbench").string()}};
  const Ended run = sxbench(run_arguments(write_cluster(config), "check"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(net_->shell("[ ! -e ~root/trap ] && [ ! -e trap ]"), 0);
}

INSTANTIATE_TEST_SUITE_P(Over, HostileValues, ::testing::Values("ssh", "pdsh", "slurm"),
                         [](const auto& transport) { return std::string(transport.param); });

TEST_F(OnNetwork, NamesThatAreCommandsAreRefusedBeforeAnythingStarts) {
  ASSERT_NO_FATAL_FAILURE(boot(1));
  if (IsSkipped()) return;
  const std::string trap = (dir_ / "trap").string();
  for (const std::string& value : hostile(trap)) {
    for (const char* key : {"name", "host", "ssh_user", "ssh_jump"}) {
      Json config = net_->config("ssh", 1);
      config["nodes"] = Json::array({{{"name", "node001"}}, "node002"});
      config["nodes"][0][key] = value;
      const Ended run = sxbench(run_arguments(write_cluster(config), "check"));
      EXPECT_EQ(run.status.text(), "exit code 2") << key << " = " << value << "\n" << run.err;
      EXPECT_THAT(run.err, HasSubstr(fmt::format("/nodes/0/{}", key)));
      EXPECT_FALSE(fs::exists(results()));
    }
  }
  EXPECT_FALSE(fs::exists(trap));
}

}  // namespace
}  // namespace sxb::e2e
