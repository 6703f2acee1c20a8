// Text for the user leaves in one place, src/cli/ui/terminal.cpp, which lets nothing through that a terminal
// obeys, and below it base/output.h, which does not throw where nothing can be written. A call that prints
// elsewhere may show a control sequence of a hostile node, or end the run when its reader goes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "style/source_text.h"

namespace sxb::style {
namespace {

/// "line: text" of every call in the source that prints.
std::vector<std::string> printing_calls(const std::string& source) {
  static const std::regex call(
      R"(\bfmt::(v?print|println)\(|\bstd::(v?f?printf|f?puts|fwrite|cout|cerr|clog)\b|\b(f?printf|f?puts|fwrite)\(|\bwrite_std(out|err)\()");
  return lines_with(source, call);
}

TEST(OutputInOnePlace, NoOtherFileOfTheCommandPrints) {
  const std::set<std::string> known = {"src/cli/ui/terminal.cpp",  // the place
                                       "src/base/output.cpp",      // below it
                                       "src/base/output.h",
                                       "src/base/result.cpp",         // a defect of sxbench
                                       "src/base/process_start.cpp",  // without memory
                                       "src/launch/node/agent.cpp",   // what the head reads, not a person
                                       "src/launch/node/node_key.cpp",
                                       "src/launch/node/rank.cpp",
                                       "src/data/tokenizer.cpp"};  // mutes a library
  for (const char* module : {"src/cli", "src/report", "src/analysis", "src/plan", "src/config", "src/launch",
                             "src/base", "src/data", "src/metrics", "src/record", "src/stats"}) {
    for (const std::string& file : files_below(kTree, module, source_extensions())) {
      if (known.count(file) > 0) continue;
      for (const std::string& call : printing_calls(read_text(kTree / file)))
        ADD_FAILURE() << file << ":" << call;
    }
  }
}

TEST(OutputInOnePlace, TheCheckFindsPlantedCalls) {
  EXPECT_THAT(
      printing_calls("fmt::print(stderr, x);\nprint_out(x);\n// fmt::print(x)\nstd::cerr << x;\nputs(x);\n"
                     "std::fputs(x, stderr);\nblueprint(x);\nfmt::format(x);\nwrite_stderr(x);\n"),
      testing::ElementsAre("1: fmt::print(stderr, x);", "4: std::cerr << x;", "5: puts(x);",
                           "6: std::fputs(x, stderr);", "9: write_stderr(x);"));
}

}  // namespace
}  // namespace sxb::style
