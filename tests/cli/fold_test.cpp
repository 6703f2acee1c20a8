#include "cli/ui/fold.h"

#include <gmock/gmock.h>

namespace sxb::cli {
namespace {

record::Node facts(const std::string& kernel, int gpus) {
  record::Node node;
  node.hostname = "any";
  node.kernel = kernel;
  node.cpus = 4;
  node.cpu_model = "EPYC";
  node.memory_bytes = 17'179'869'184 + 1'000'000 * gpus;
  node.driver = "580";
  node.nics.emplace_back().name = "lo";
  for (int i = 0; i < gpus; ++i) {
    record::NodeGpu& gpu = node.gpus.emplace_back();
    gpu.name = "H200";
    gpu.uuid = std::to_string(i);
    gpu.power_limit_w = 700;
    gpu.ecc = true;
  }
  return node;
}

TEST(FoldFacts, SaysOnceWhatAllHave) {
  EXPECT_EQ(fold_facts({{"n01", facts("6.1", 8)}, {"n02", facts("6.1", 8)}, {"n03", facts("6.1", 8)}}),
            "n[01-03]  (3 nodes)\n"
            "  kernel  6.1\n"
            "  CPU     4 x EPYC\n"
            "  memory  16 GiB\n"
            "  driver  580\n"
            "  GPUs    8 x H200, 700 W, ECC on\n");
}

TEST(FoldFacts, NamesTheOddOnes) {
  record::Node odd = facts("6.1", 7);
  record::NodeNic& nic = odd.nics.emplace_back();
  nic.name = "eth0";
  nic.state = "down";
  nic.mtu = 1500;
  nic.speed_mbps = 400000;
  const std::string text = fold_facts({{"n1", facts("6.0", 8)}, {"n2", odd}, {"n3", facts("6.1", 8)}});
  EXPECT_EQ(text,
            "n[1-3]  (3 nodes)\n"
            "  kernel  6.1  <- n[2-3]\n"
            "          6.0  <- n1\n"
            "  CPU     4 x EPYC\n"
            "  memory  16 GiB\n"
            "  driver  580\n"
            "  GPUs    8 x H200, 700 W, ECC on  <- n[1,3]\n"
            "          7 x H200, 700 W, ECC on  <- n2\n"
            "  eth0    missing  <- n[1,3]\n"
            "          down, 400000 Mb/s, MTU 1500  <- n2\n");
}

}  // namespace
}  // namespace sxb::cli
