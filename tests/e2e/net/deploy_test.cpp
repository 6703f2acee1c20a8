// sxbench deploy and sxbench data push against real sshd and rsync.
#include "base/build_info.h"
#include "e2e/faults.h"
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Deploying : public OnNetwork {
 protected:
  /// Nodes see the head's disk: each gets a folder of its own in the place of the tree and of the dataset.
  void boot_with_disks(int nodes) {
    if (::access("/usr/bin/rsync", X_OK) != 0)
      GTEST_SKIP() << "rsync is not installed (scripts/setup.sh --tests)";
    ASSERT_NO_FATAL_FAILURE(boot(nodes));
    if (IsSkipped()) return;
    fs::create_directories(tree() / "bin");
    fs::create_directories(tree() / "share/sxbench");
    fs::copy_file(SXB_BINARY, tree() / "bin/sxbench");
    fs::copy(SXB_SOURCE_DIR "/configs/clusters", tree() / "share/sxbench/configs");
    fs::create_directories(data());
    for (int i = 1; i <= nodes; ++i) {
      for (const fs::path& place : {tree(), data()}) give_disk(NetCluster::name(i), place, "256m");
    }
  }

  void give_disk(const std::string& node, const fs::path& place, const std::string& size) {
    ASSERT_EQ(
        net_->shell(fmt::format("on {} mount -t tmpfs -o size={} tmpfs '{}'", node, size, place.string())), 0)
        << net_->output();
  }

  Ended call(const fs::path& program, const std::vector<std::string>& arguments) {
    launch::ProcessSet processes;
    launch::ProcessSpec spec;
    spec.argv = prefix_;
    spec.argv.push_back(program.string());
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env = env_;
    EXPECT_TRUE(processes.start(spec).ok());
    return collect(processes, [](const std::string&) {});
  }

  Ended deploy(const Json& cluster, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"deploy", "--cluster", write_cluster(cluster)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return call(tree() / "bin/sxbench", arguments);
  }

  void prepare_data() {
    const Ended prepared = sxbench(
        {"data", "prepare", "--dataset", "cluster-ops", "--seq-len", "64", "--out", source().string()});
    ASSERT_EQ(prepared.status.text(), "exit code 0") << prepared.err;
  }

  Ended push(const Json& cluster, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"data",
                                          "push",
                                          source().string(),
                                          "--to",
                                          (data() / "set").string(),
                                          "--cluster",
                                          write_cluster(cluster)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return sxbench(arguments);
  }

  bool a_node_logged_in_to_another() {
    return net_->shell(
               "grep -Eq 'Accepted publickey for root from (198[.]18[.]0[.]|fd77::)[1-4] ' "
               "$dir/node00*.sshd.log") == 0;
  }

  fs::path tree() const { return dir_ / "a tree"; }
  fs::path source() const { return dir_ / "prepared"; }
  fs::path data() const { return dir_ / "raid; x"; }
};

TEST_F(Deploying, FourNodesGetTheTreeFromEachOtherAndTheSecondTimeNothing) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(4));
  if (IsSkipped()) return;
  const Ended first = deploy(net_->config("ssh", 1));
  EXPECT_EQ(first.status.text(), "exit code 0") << first.err;
  EXPECT_THAT(first.out, HasSubstr("node[001-004]  (4 nodes)\n  build  " + build_id() + "\n"));
  EXPECT_THAT(first.out, Not(HasSubstr("it was there")));
  EXPECT_EQ(net_->shell(fmt::format("on node004 test -x '{}'", (tree() / "bin/sxbench").string())), 0);
  EXPECT_TRUE(a_node_logged_in_to_another());
  const Ended second = deploy(net_->config("ssh", 1));
  EXPECT_EQ(second.status.text(), "exit code 0") << second.err;
  EXPECT_THAT(second.out, HasSubstr("  sent   nothing: it was there\n"));
}

TEST_F(Deploying, ANodeThatIsDownIsNamedAndTheOthersHaveIt) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(4));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("power_off node003"), 0) << net_->output();
  Json json = net_->config("ssh", 1);
  json["timeouts"] = {{"connect_s", 2}};
  const Ended run = deploy(json);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.out, HasSubstr(build_id() + "  <- node[001-002,004]\n"));
  EXPECT_THAT(run.out, HasSubstr("FAILED: no ssh connection: "));
  EXPECT_THAT(run.err, HasSubstr("  --> node003\n"));
}

TEST_F(Deploying, ANodeWhoseLoginHangsIsNamedAndTheOthersHaveIt) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(4));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("reconfigure node003 'ForceCommand exec sleep 300'"), 0) << net_->output();
  Json json = net_->config("ssh", 1);
  json["timeouts"] = {{"connect_s", 3}, {"agent_silence_s", 4}};
  const Ended run = deploy(json);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, HasSubstr("waiting for node003\n")) << "while it was waited for";
  EXPECT_THAT(run.err, HasSubstr("it has not answered for 10 s\n  --> node003\n"));
  tell("a login of deploy hangs", run.seconds, 10 + 6.0 * pace(),
       "2 x timeouts.connect_s + timeouts.agent_silence_s", "it has not answered for 10 s");
  EXPECT_THAT(run.out, HasSubstr(build_id() + "  <- node[001-002,004]\n"));
  EXPECT_LT(run.seconds, 40 * pace());
}

TEST_F(Deploying, ANodeThatHangsWhileItIsServedStarvesNobody) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(4));
  if (IsSkipped()) return;
  // The first to be served: all others would be its children and theirs.
  ASSERT_EQ(
      net_->shell("reconfigure node001 'ForceCommand case $SSH_ORIGINAL_COMMAND in *rsync\\ --server*) exec "
                  "sleep 300 ;; *) sh -c \"$SSH_ORIGINAL_COMMAND\" ;; esac'"),
      0)
      << net_->output();
  Json json = net_->config("ssh", 1);
  json["timeouts"] = {{"connect_s", 3}, {"agent_silence_s", 6}};
  const Ended run = deploy(json);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, HasSubstr("waiting for node001\n"));
  EXPECT_THAT(run.err, HasSubstr("  --> node001\n"));
  EXPECT_THAT(run.out, HasSubstr(build_id() + "  <- node[002-004]\n"));
  EXPECT_LT(run.seconds, 50 * pace());
}

TEST_F(Deploying, NodesThatMayNotLogInToEachOtherAreServedByTheHead) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(4));
  if (IsSkipped()) return;
  for (int i = 1; i <= 4; ++i) {
    ASSERT_EQ(
        net_->shell(fmt::format("on {} mount --bind /dev/null /etc/ssh/ssh_config", NetCluster::name(i))), 0);
  }
  const Ended run = deploy(net_->config("ssh", 1));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err << run.out;
  EXPECT_FALSE(a_node_logged_in_to_another());
}

TEST_F(Deploying, AnotherBuildThatLooksTheSameIsFoundAndChecksumReplacesIt) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(2));
  if (IsSkipped()) return;
  ASSERT_EQ(deploy(net_->config("ssh", 1)).status.text(), "exit code 0");
  const std::string version = std::string(sxb::version()) + "+", other = "9" + version.substr(1);
  const std::string program = (tree() / "bin/sxbench").string();
  ASSERT_EQ(net_->shell(fmt::format("on node002 sh -c 'cp -p \"$0\" /run/old && sed -i s/{}/{}/g \"$0\" && "
                                    "touch -r /run/old \"$0\"; rm /run/old' '{}'",
                                    version, other, program)),
            0)
      << net_->output();
  const Ended differs = deploy(net_->config("ssh", 1));
  EXPECT_EQ(differs.status.text(), "exit code 4") << differs.out;
  EXPECT_THAT(differs.err, HasSubstr("error: it has build " + other));
  EXPECT_THAT(differs.err, HasSubstr("  --> node002\n"));
  EXPECT_THAT(differs.err, HasSubstr("--checksum"));
  const Ended replaced = deploy(net_->config("ssh", 1), {"--checksum"});
  EXPECT_EQ(replaced.status.text(), "exit code 0") << replaced.err;
  EXPECT_THAT(replaced.out, HasSubstr("1 file, "));
}

TEST_F(Deploying, AFullDiskIsNamed) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(3));
  if (IsSkipped()) return;
  give_disk("node003", tree(), "64k");
  const Ended run = deploy(net_->config("ssh", 1));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.out;
  EXPECT_THAT(run.err, HasSubstr("No space left on device"));
  EXPECT_THAT(run.err, HasSubstr("  --> node003\n"));
  EXPECT_THAT(run.out, HasSubstr("<- node[001-002]\n"));
}

TEST_F(Deploying, ANodeWithoutRsyncSaysWhatToInstall) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("on node002 mount --bind /dev/null /usr/bin/rsync"), 0);
  const Ended run = deploy(net_->config("ssh", 1));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.out;
  EXPECT_THAT(run.err,
              HasSubstr("rsync is not installed\n  --> node002\nhelp: on node002: apt-get install rsync"));
}

TEST_F(Deploying, ADatasetIsVerifiedAndADamagedOneDetected) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(3));
  if (IsSkipped()) return;
  prepare_data();
  const Ended first = push(net_->config("ssh", 1));
  EXPECT_EQ(first.status.text(), "exit code 0") << first.err << first.out;
  EXPECT_THAT(first.out, HasSubstr("  checksums  verified, dataset "));
  // Same size and time: rsync does not see it.
  ASSERT_EQ(net_->shell(fmt::format("on node002 sh -c 'f=$(echo \"$0\"/*.bin); touch -r \"$f\" /run/when; "
                                    "printf XXXX | dd of=\"$f\" bs=1 seek=200 conv=notrunc status=none; "
                                    "touch -r /run/when \"$f\"; rm /run/when' '{}'",
                                    (data() / "set").string())),
            0)
      << net_->output();
  const Ended damaged = push(net_->config("ssh", 1));
  EXPECT_EQ(damaged.status.text(), "exit code 4") << damaged.out;
  EXPECT_THAT(damaged.err, HasSubstr("the file is damaged ("));
  EXPECT_THAT(damaged.err, HasSubstr("  --> node002\n"));
  EXPECT_THAT(damaged.out, HasSubstr("<- node[001,003]\n"));
  EXPECT_EQ(push(net_->config("ssh", 1), {"--checksum"}).status.text(), "exit code 0");
}

TEST_F(Deploying, ANetworkFileSystemIsRefusedUnlessAllowed) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(2));
  if (IsSkipped()) return;
  prepare_data();
  // NFS cannot be mounted everywhere: node002's stat says what it says of NFS.
  const fs::path fake = dir_ / "stat";
  std::ofstream(fake) << "#!/bin/sh\necho 6969\n";
  fs::permissions(fake, fs::perms::owner_all);
  ASSERT_EQ(net_->shell(fmt::format("on node002 mount --bind {} \"$(command -v stat)\"", fake.string())), 0);
  const Ended refused = push(net_->config("ssh", 1));
  EXPECT_EQ(refused.status.text(), "exit code 4") << refused.out;
  EXPECT_THAT(refused.err, HasSubstr("is on a network file system (NFS)\n  --> node002\n"));
  EXPECT_NE(net_->shell(fmt::format("on node002 test -e '{}'", (data() / "set").string())), 0);
  EXPECT_EQ(push(net_->config("ssh", 1), {"--allow-network-fs"}).status.text(), "exit code 0");
}

TEST_F(Deploying, ADryRunPrintsTheTreeAndStartsNothing) {
  ASSERT_NO_FATAL_FAILURE(boot_with_disks(2));
  if (IsSkipped()) return;
  const Ended run = deploy(net_->config("ssh", 1), {"--dry-run", "--nodes", "2"});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("# round 1\nhead: rsync "));
  EXPECT_THAT(run.out, HasSubstr("node001:"));
  EXPECT_NE(net_->shell(fmt::format("on node001 test -e '{}'", (tree() / "bin").string())), 0);
}

TEST_F(EndToEnd, DeployingToThisMachineOrBySlurmSaysWhatToDo) {
  const std::string file = cluster(2, 1);
  const Ended local = sxbench({"deploy", "--cluster", file});
  EXPECT_EQ(local.status.text(), "exit code 0") << local.err;
  EXPECT_THAT(local.out, HasSubstr("every node of this cluster is this machine"));
  const Ended slurm = sxbench({"deploy", "--cluster", file, "--transport", "slurm"});
  EXPECT_EQ(slurm.status.text(), "exit code 2") << slurm.out;
  EXPECT_THAT(slurm.err, HasSubstr("--transport ssh"));
}

TEST_F(EndToEnd, ABuildTreeIsNotDeployed) {
  const Ended run = sxbench({"deploy", "--cluster", cluster(2, 1), "--transport", "ssh"});
  EXPECT_EQ(run.status.text(), "exit code 2") << run.out;
  EXPECT_THAT(run.err, HasSubstr("this sxbench is not installed"));
  EXPECT_THAT(run.err, HasSubstr("cmake --install"));
}

}  // namespace
}  // namespace sxb::e2e
