#include "cli/ui/fold.h"

#include <gmock/gmock.h>

namespace sxb::cli {
namespace {

Json facts(const std::string& kernel, int gpus) {
  Json json = {{"hostname", "any"},
               {"kernel", kernel},
               {"cpus", 4},
               {"cpu_model", "EPYC"},
               {"memory_bytes", 17'179'869'184 + 1'000'000 * gpus},
               {"driver", "580"},
               {"gpus", Json::array()},
               {"nics", Json::array({{{"name", "lo"}, {"mtu", 65536}}})}};
  for (int i = 0; i < gpus; ++i) {
    json["gpus"].push_back(
        {{"name", "H200"}, {"uuid", std::to_string(i)}, {"power_limit_w", 700.0}, {"ecc", true}});
  }
  return json;
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
  Json odd = facts("6.1", 7);
  odd["nics"].push_back({{"name", "eth0"}, {"state", "down"}, {"mtu", 1500}, {"speed_mbps", 400000}});
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
