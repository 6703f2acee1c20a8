// std::filesystem throws where its caller gives no std::error_code, and a disk may go away between any two
// calls: a name that is too long ended a sweep after its last size. base/folder.h has what the library cannot
// do without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "style/source_text.h"

namespace sxb::style {
namespace {

/// The arguments of the call whose "(" is at `open`: up to its ")".
std::string arguments_at(const std::string& code, std::size_t open) {
  int depth = 0;
  std::size_t at = open;
  for (; at < code.size(); ++at) {
    if (code[at] == '(') ++depth;
    if (code[at] == ')' && --depth == 0) break;
  }
  return code.substr(open + 1, at - open - 1);
}

/// "line: call" of every call that may throw.
std::vector<std::string> throwing_calls(const std::string& source) {
  static const std::regex call(
      R"(\b(fs|filesystem)::(absolute|canonical|weakly_canonical|relative|proximate|copy|copy_file|copy_symlink|)"
      R"(create_director(y|ies)|create_hard_link|create_(directory_)?symlink|current_path|temp_directory_path|)"
      R"(equivalent|exists|file_size|hard_link_count|is_(block_file|character_file|directory|empty|fifo|other|)"
      R"(regular_file|socket|symlink)|last_write_time|permissions|read_symlink|remove|remove_all|rename|)"
      R"(resize_file|space|status|symlink_status|(recursive_)?directory_iterator( \w+)?)\()");
  static const std::regex ends_with_code(R"((^|[\s,])(ec|code|error|ignored)\s*$)");
  static const std::regex in_for(R"(for \([^;]*: *(std::)?(fs|filesystem)::(recursive_)?directory_iterator)");
  const std::string code = code_of(source);
  std::vector<std::string> found;
  for (std::sregex_iterator it(code.begin(), code.end(), call), end; it != end; ++it) {
    const auto open = static_cast<std::size_t>(it->position() + it->length() - 1);
    const std::string arguments = arguments_at(code, open);
    const std::size_t line_begin = code.rfind('\n', open) + 1;  // npos + 1 = 0
    const std::string line = code.substr(line_begin, open - line_begin);
    if (std::regex_search(arguments, ends_with_code) && !std::regex_search(line, in_for)) continue;
    const auto number = std::count(code.begin(), code.begin() + it->position(), '\n') + 1;
    found.push_back(std::to_string(number) + ": " + it->str() + arguments + ")");
  }
  return found;
}

TEST(FilesystemWithoutExceptions, NoCallLeavesOutItsErrorCode) {
  for (const std::string& file : files_below(kTree, "src", source_extensions())) {
    for (const std::string& call : throwing_calls(read_text(kTree / file)))
      ADD_FAILURE() << file << ":" << call;
  }
}

TEST(FilesystemWithoutExceptions, TheCheckFindsPlantedCalls) {
  EXPECT_THAT(throwing_calls("if (fs::exists(a / f(b))) {}\nfs::remove(a, ec);\n// fs::exists(a)\n"
                             "std::filesystem::absolute(a);\nfs::rename(a, b, ignored);\nfs::path p;\n"
                             "for (const auto& e : fs::directory_iterator(a, ec)) x();\n"
                             "for (fs::directory_iterator it(a, ec), end; it != end; it.increment(ec)) x();\n"
                             "fs::create_directories(a,\n    ec);\n"),
              testing::ElementsAre("1: fs::exists(a / f(b))", "4: filesystem::absolute(a)",
                                   "7: fs::directory_iterator(a, ec)"));
}

}  // namespace
}  // namespace sxb::style
