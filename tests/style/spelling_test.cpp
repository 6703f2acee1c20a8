// What messages and pages recommend exists: flags, configuration keys and their values, environment
// variables.
#include "style/spelling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "cli/app.h"
#include "style/source_text.h"

namespace sxb::style {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Literal> literals_of_the_sources() {
  std::vector<Literal> literals;
  for (const char* folder : {"src", "include"}) {
    for (const std::string& file : files_below(kTree, folder, source_extensions())) {
      for (Literal& literal : literals_of(file, read_text(kTree / file)))
        literals.push_back(std::move(literal));
    }
  }
  return literals;
}

void add_words(const std::string& text, const std::regex& pattern, Words& words) {
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
    words.insert(at->str());
}

/// A variable is read where a literal is its name and nothing else, by a script, or by CMake.
void add_variables(const std::vector<Literal>& literals, Known& known) {
  static const std::regex variable("SXBENCH_[A-Z][A-Z_]*");
  for (const Literal& literal : literals) {
    if (std::regex_match(literal.text, variable)) known.variables.insert(literal.text);
  }
  for (const std::string& file : files_below(kTree, "scripts", {".sh", ".cmake"})) {
    add_words(read_text(kTree / file), variable, known.variables);
  }
  add_words(read_text(kTree / "CMakeLists.txt"), variable, known.variables);
}

const Known& known() {
  static const Known known = [] {
    Known all;
    ExitCode result = ExitCode::kOk;
    add_flags(*cli::make_app(result), all);
    for (const std::string& file : files_below(kTree, "configs/schema", {".json"})) {
      add_schema(json::parse(read_text(kTree / file)), all);
    }
    add_variables(literals_of_the_sources(), all);
    add_foreign(read_text(kTree / "tests/style/foreign.txt"), all);
    return all;
  }();
  return known;
}

std::vector<std::string> in_message(const std::string& text) {
  return misspelt(known(), "src/x.cpp", text, true);
}

TEST(Spelling, WhatMessagesNameExists) {
  // Generated pages and field descriptions use the names of records, which their own tests hold.
  const std::regex descriptions(R"(src/(record/(fields|kinds/.*)\.cpp|report/(.*/)?records_doc\.cpp))");
  for (const Literal& literal : literals_of_the_sources()) {
    const bool words = !std::regex_match(literal.file, descriptions);
    for (const std::string& what : misspelt(known(), literal.file, literal.text, words)) {
      ADD_FAILURE() << literal.file << ":" << literal.line << ": " << what
                    << "\n  in: " << literal.text.substr(0, 200);
    }
  }
}

TEST(Spelling, WhatThePagesNameExists) {
  std::vector<std::string> pages = files_below(kTree, "docs", {".md"});
  pages.push_back("README.md");
  int commands = 0;
  for (const std::string& page : pages) {
    if (page.rfind("docs/results/", 0) == 0) continue;  // reports as they were written
    for (const Command& command : commands_of(read_text(kTree / page))) {
      ++commands;
      for (const std::string& what : misspelt(known(), page, command.text, false)) {
        ADD_FAILURE() << page << ":" << command.line << ": " << what << "\n  in: " << command.text;
      }
    }
  }
  EXPECT_GT(commands, 100);
}

TEST(Spelling, NothingForeignIsListedInVain) {
  std::map<std::string, std::string> texts;
  for (const Literal& literal : literals_of_the_sources()) texts[literal.file] += literal.text + "\n";
  for (const auto& [file, flags] : known().foreign_flags) {
    const std::string text = file.rfind("docs/", 0) == 0 ? read_text(kTree / file) : texts[file];
    for (const std::string& flag : flags)
      EXPECT_NE(text.find(flag), std::string::npos) << file << " lacks " << flag;
  }
  for (const std::string& word : known().foreign_words) {
    EXPECT_TRUE(std::any_of(texts.begin(), texts.end(),
                            [&](const auto& file) { return file.second.find(word) != std::string::npos; }))
        << "no message uses " << word;
  }
}

// --- the checker itself, with planted errors ---------------------------------------------------

TEST(SpellingChecker, FindsAFlagThatNoVerbHas) {
  EXPECT_THAT(in_message("raise --sequence-length"), ElementsAre(HasSubstr("--sequence-length")));
  EXPECT_THAT(in_message("raise --seq-len"), IsEmpty());
}

TEST(SpellingChecker, FindsAFlagOfAnotherVerb) {
  EXPECT_THAT(in_message("sxbench burn --rounds 3"), ElementsAre("sxbench burn has no flag --rounds"));
  EXPECT_THAT(in_message("sxbench data push x --rounds 3"), ElementsAre(HasSubstr("data push has no flag")));
  EXPECT_THAT(in_message("sxbench burn --duration 5m; sxbench locate --rounds 3"), IsEmpty());
}

TEST(SpellingChecker, AllowsForeignFlagsOnlyWhereTheyAreListed) {
  Known some = known();
  add_foreign("src/a.cpp: --ntasks  # srun\n", some);
  EXPECT_THAT(misspelt(some, "src/a.cpp", "srun --ntasks=1", true), IsEmpty());
  EXPECT_THAT(misspelt(some, "src/b.cpp", "srun --ntasks=1", true), ElementsAre(HasSubstr("--ntasks")));
}

TEST(SpellingChecker, FindsAKeyThatNoConfigHas) {
  EXPECT_THAT(in_message("choose another with \"rendezvous_port\""),
              ElementsAre(HasSubstr("rendezvous_port")));
  EXPECT_THAT(in_message("set rendezvous.prot"), ElementsAre("no key rendezvous.prot"));
  EXPECT_THAT(in_message("lengthen schedule.warmup_steps"), ElementsAre("no key schedule.warmup_steps"));
  EXPECT_THAT(in_message("set rendezvous.port, see data.json and optimizer.schedule.warmup_steps"),
              IsEmpty());
}

TEST(SpellingChecker, FindsAValueThatItsKeyCannotHave) {
  EXPECT_THAT(in_message("recompute \"block\", sharding \"full\""),
              ElementsAre("\"block\" is not a value of recompute"));
  EXPECT_THAT(in_message("--set training.sharding=fully"),
              ElementsAre("\"fully\" is not a value of sharding"));
  EXPECT_THAT(in_message("{\"transport\": \"shh\"}"), ElementsAre("\"shh\" is not a value of transport"));
  EXPECT_THAT(in_message("--set training.recompute=blocks, rendezvous.family to \"any\""), IsEmpty());
}

TEST(SpellingChecker, FindsAVariableThatNothingReads) {
  EXPECT_THAT(in_message("set SXBENCH_CLUSTERS"), ElementsAre("nothing reads SXBENCH_CLUSTERS"));
  EXPECT_THAT(in_message("set SXBENCH_CLUSTER or SXBENCH_JOBS"), IsEmpty());
}

TEST(SpellingChecker, ReadsCommandsInPages) {
  const std::vector<Command> commands = commands_of(
      "Text with `sxbench run --a` and `--b`, but `other --c`.\n\n    sxbench nccl --d \\\n        --e\n    "
      "ls --f\n");
  std::vector<std::string> texts;
  for (const Command& command : commands) texts.push_back(command.text);
  EXPECT_THAT(texts, ElementsAre("sxbench run --a", "--b", "sxbench nccl --d --e"));
}

TEST(SourceText, LiteralsAreJoinedAndCommentsAreNot) {
  const std::vector<Literal> literals =
      literals_of("x.cpp",
                  "#include \"a.h\"\n// \"comment\"\nf(\"one \"  // why\n  \"t\\\"wo\", "
                  "1'000, '\"', R\"x(raw \"(y))x\");\n");
  ASSERT_EQ(literals.size(), 2u);
  EXPECT_EQ(literals[0].text, "one t\"wo");
  EXPECT_EQ(literals[0].line, 3);
  EXPECT_EQ(literals[1].text, "raw \"(y)");
}

}  // namespace
}  // namespace sxb::style
