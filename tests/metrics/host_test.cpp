#include "metrics/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "fake_library.h"
#include "metrics/nic.h"
#include "metrics/sampler.h"
#include "record/typed.h"

namespace sxb::metrics {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A copy of tests/fixtures/sys-basic that a test may change.
class HostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("sxb-metrics-" + std::to_string(getpid()));
    fs::remove_all(base_);
    fs::copy(std::string(SXB_TEST_DATA) + "/sys-basic", base_, fs::copy_options::recursive);
    roots_ = Roots{base_ / "proc", base_ / "sys", base_ / "etc", "no-such-nvml.so"};
  }
  void TearDown() override { fs::remove_all(base_); }

  void write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(write_file_atomic(base_ / path, text).ok());
  }
  /// What the kernel knows of; the GPUs have tests of their own.
  Sources open_host_and_network() const {
    SamplerOptions options;
    options.roots = roots_;
    Sources all;
    for (const OpenSources open : {open_host, open_nics, open_rdma_ports}) {
      Sources found = open(options);
      for (auto& source : found.present) all.present.push_back(std::move(source));
      all.missing.insert(all.missing.end(), found.missing.begin(), found.missing.end());
    }
    return all;
  }
  /// One tick over `sources`, as the sampler does it.
  static Reading tick(Sources& sources) {
    Reading reading;
    std::erase_if(sources.present, [&](const auto& source) { return !source->read(reading); });
    return reading;
  }
  static Json only(const Reading& reading, const std::string& source) {
    Json found;
    for (const StampedSample& sample : reading.samples) {
      if (sample.fields.source == source) found = data_of(sample);
    }
    return found;
  }
  static std::vector<std::string> names(const std::vector<Missing>& missing) {
    std::vector<std::string> list;
    for (const Missing& one : missing) list.push_back(one.name);
    return list;
  }

  fs::path base_;
  Roots roots_;
};

TEST_F(HostTest, CpuShareIsOfTheTimeSinceTheLastTick) {
  Sources sources = open_host_and_network();
  const Json first = only(tick(sources), "host");
  EXPECT_FALSE(first.contains("cpu_pct")) << "one reading of a counter gives no share";
  EXPECT_EQ(first["mem_used_bytes"], 500000LL * 1024);
  // +100 jiffies: 60 user, 10 system, 20 idle, 10 iowait; guest time must not count twice.
  write("proc/stat", "cpu  1060 0 510 8020 510 0 0 0 30 0\n");
  EXPECT_DOUBLE_EQ(only(tick(sources), "host")["cpu_pct"].get<double>(), 70.0);
  EXPECT_FALSE(only(tick(sources), "host").contains("cpu_pct")) << "no jiffy has passed";
  write("proc/stat", "cpu  1060 0 510 8120 510 0 0 0 30 0\n");
  EXPECT_DOUBLE_EQ(only(tick(sources), "host")["cpu_pct"].get<double>(), 0.0);
}

TEST_F(HostTest, InterfacesHaveTheKernelsCounters) {
  Sources sources = open_host_and_network();
  std::vector<std::string> seen;
  for (const StampedSample& stamped : tick(sources).samples) {
    const Json sample = data_of(stamped);
    if (sample["source"] != "nic") continue;
    seen.push_back(sample["name"]);
    if (sample["name"] != "eth0") continue;
    EXPECT_EQ(sample["rx_bytes"], 5000000000LL);
    EXPECT_EQ(sample["tx_bytes"], 6000000000LL);
    EXPECT_EQ(sample["rx_packets"], 4000);
    EXPECT_EQ(sample["tx_packets"], 5000);
    EXPECT_EQ(sample["rx_errors"], 3);
    EXPECT_EQ(sample["tx_errors"], 1);
    EXPECT_EQ(sample["rx_dropped"], 2);
    EXPECT_EQ(sample["tx_dropped"], 4);
  }
  EXPECT_THAT(seen, ElementsAre("lo", "eth0"));
}

TEST_F(HostTest, RdmaCountersAreWordsOfFourBytes) {
  Sources sources = open_host_and_network();
  const Reading reading = tick(sources);
  const Json sample = only(reading, "rdma");
  EXPECT_EQ(sample["name"], "mlx5_0/1");
  EXPECT_EQ(sample["tx_bytes"], 1000000000LL);
  EXPECT_EQ(sample["rx_bytes"], 500000000LL);
  // mlx5_1 has no port_rcv_data.
  EXPECT_THAT(names(reading.missing), ElementsAre("rdma:mlx5_1/1"));
  EXPECT_THAT(names(tick(sources).missing), ElementsAre()) << "reported once";
}

TEST_F(HostTest, NoRdmaAdapterIsMissing) {
  fs::remove_all(base_ / "sys/class/infiniband");
  EXPECT_THAT(names(open_host_and_network().missing), ElementsAre("rdma"));
}

TEST_F(HostTest, AnInterfaceThatGoesIsReportedOnce) {
  Sources sources = open_host_and_network();
  tick(sources);
  write("proc/net/dev", "h\nh\n lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
  const Reading reading = tick(sources);
  EXPECT_THAT(names(reading.missing), ElementsAre("nic:eth0"));
  EXPECT_EQ(only(reading, "nic")["name"], "lo");
  EXPECT_THAT(names(tick(sources).missing), ElementsAre());
}

TEST_F(HostTest, UnreadableFilesEndTheirSource) {
  Sources sources = open_host_and_network();
  fs::remove(base_ / "proc/stat");
  fs::remove(base_ / "proc/net/dev");
  const Reading reading = tick(sources);
  EXPECT_THAT(names(reading.missing), Contains("host"));
  EXPECT_THAT(names(reading.missing), Contains("nic"));
  EXPECT_TRUE(only(reading, "host").is_null());
  EXPECT_THAT(reading.missing.front().reason, HasSubstr("/stat"));
  EXPECT_THAT(names(tick(sources).missing), ElementsAre());
}

TEST_F(HostTest, FactsOfInterfacesLeaveOutWhatIsUnknown) {
  record::Node node;
  node.nics = network_interfaces(roots_);
  EXPECT_EQ(record::write(node)["nics"], *try_parse_json(R"([
    {"name":"docker0","mtu":1500,"state":"up"},
    {"name":"eth0","speed_mbps":25000,"mtu":1500,"state":"up"},
    {"name":"eth1","mtu":9000,"state":"down","pcie_generation":4,"pcie_lanes":8},
    {"name":"lo","mtu":65536,"state":"unknown"}])"));
}

}  // namespace
}  // namespace sxb::metrics
