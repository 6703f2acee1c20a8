// JSON is read and written in one place, base's json.cpp: it bounds depth and size, names the place of an
// error, and writes strings that are not UTF-8. A call of the library's own functions elsewhere does neither.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "style/source_text.h"

namespace sxb::style {
namespace {

/// "line: text" of every call in the source.
std::vector<std::string> library_calls(const std::string& source) {
  static const std::regex call(R"((\.|->)dump\(|\b(Json|json)::(parse|accept|sax_parse)\()");
  return lines_with(source, call);
}

TEST(JsonInOnePlace, NoOtherFileCallsTheLibrary) {
  for (const std::string& file : files_below(kTree, "src", source_extensions())) {
    if (file == "src/base/json.cpp") continue;
    for (const std::string& call : library_calls(read_text(kTree / file))) {
      ADD_FAILURE() << file << ":" << call;
    }
  }
}

TEST(JsonInOnePlace, TheCheckFindsPlantedCalls) {
  EXPECT_THAT(
      library_calls("a = Json::parse(text);\nb = x->dump();\n// c.dump()\nd = \".dump(\";\ne.dump_it();\n"),
      testing::ElementsAre("1: a = Json::parse(text);", "2: b = x->dump();"));
}

}  // namespace
}  // namespace sxb::style
