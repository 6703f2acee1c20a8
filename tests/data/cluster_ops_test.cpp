// The shipped dataset keeps its quality.
#include <gtest/gtest.h>

#include <set>

#include "base/text.h"
#include "data/alpaca.h"
#include "data/packed.h"

namespace sxb::data {
namespace {

std::vector<Instruction> entries() {
  return *load_alpaca(std::filesystem::path(SXB_SOURCE_DIR) / "configs/datasets/cluster-ops/data.json");
}

TEST(ClusterOps, HasEnoughEntries) { EXPECT_GE(entries().size(), 320u); }

TEST(ClusterOps, EveryEntryIsComplete) {
  int with_input = 0;
  for (const Instruction& entry : entries()) {
    with_input += !entry.input.empty();
    EXPECT_GE(entry.instruction.size(), 10u) << entry.instruction;
    EXPECT_GE(entry.output.size(), 20u) << entry.instruction;
    for (const std::string* text : {&entry.instruction, &entry.input, &entry.output}) {
      EXPECT_EQ(trim(*text), *text) << entry.instruction;
    }
  }
  EXPECT_GE(with_input, 40);
}

TEST(ClusterOps, NothingOccursTwice) {
  std::set<std::string> instructions, outputs;
  for (const Instruction& entry : entries()) {
    EXPECT_TRUE(instructions.insert(entry.instruction).second) << entry.instruction;
    EXPECT_TRUE(outputs.insert(entry.output).second) << entry.instruction;
  }
}

}  // namespace
}  // namespace sxb::data
