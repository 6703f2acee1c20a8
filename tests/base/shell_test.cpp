#include "base/shell.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

namespace sxb {
namespace {

std::string through_sh(const std::string& command) {
  std::string output;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  if (pipe == nullptr) return output;
  std::array<char, 256> buffer;
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), n);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

TEST(Shell, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(shell_quote("plain-word_1=a,b./:@%"), "plain-word_1=a,b./:@%");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quote(""), "''") << "an empty word is a word";
  EXPECT_EQ(shell_line({"sxbench", "run", "--name", "a b", "it's", ""}),
            "sxbench run --name 'a b' 'it'\\''s' ''");
  EXPECT_EQ(shell_line({}), "");
}

TEST(Shell, AnotherReaderHasItsOwnQuoteInside) { EXPECT_EQ(shell_quote("it's", "''"), "'it''s'"); }

TEST(Shell, AShellReadsTheWordsBack) {
  for (const char* word :
       {"a b", "it's", "$HOME", "`id`", "a\\b", "\"", "*", "!x", "~", "a;b", "#", "x\ny", "é"}) {
    EXPECT_EQ(through_sh(shell_line({"printf", "%s|", word, "end"})), std::string(word) + "|end|");
  }
}

}  // namespace
}  // namespace sxb
