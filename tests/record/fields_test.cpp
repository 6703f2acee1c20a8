// The field table is the single source of CSV headers, Markdown columns and docs/records.md.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "record/record.h"

namespace sxb::record {
namespace {

TEST(Fields, EveryFieldIsNamedOnce) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const Field& field : fields()) {
    EXPECT_TRUE(seen.emplace(field.kind, field.name).second) << field.kind << "." << field.name;
  }
}

TEST(Fields, EveryFieldIsDescribedInASentence) {
  for (const Field& field : fields()) {
    const std::string description = field.description;
    EXPECT_GT(description.size(), 3U) << field.kind << "." << field.name;
    EXPECT_EQ(description.back(), '.') << field.kind << "." << field.name;
  }
}

TEST(Fields, NamesAreSnakeCaseJsonKeys) {
  for (const Field& field : fields()) {
    for (const char c : std::string(field.name)) {
      EXPECT_TRUE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == 'B')  // B: _gBps
          << field.kind << "." << field.name;
    }
  }
}

TEST(Fields, UnitsAgreeWithHintsAndNames) {
  const std::map<Hint, std::string> unit_of_hint = {
      {Hint::kBytes, "B"}, {Hint::kMilliseconds, "ms"}, {Hint::kSeconds, "s"}, {Hint::kNanoseconds, "ns"}};
  const std::map<std::string, std::string> unit_of_suffix = {{"_bytes", "B"}, {"_ns", "ns"}, {"_s", "s"}};
  for (const Field& field : fields()) {
    const std::string where = std::string(field.kind) + "." + field.name;
    const auto expected = unit_of_hint.find(field.hint);
    EXPECT_TRUE(expected == unit_of_hint.end() || expected->second == field.unit) << where;
    for (const auto& [suffix, unit] : unit_of_suffix) {
      const bool is_rate = std::string(field.name).ends_with("_per_s");
      EXPECT_TRUE(is_rate || !std::string(field.name).ends_with(suffix) || unit == field.unit) << where;
    }
  }
}

TEST(Fields, FindByKindAndName) {
  const Field* loss = find_field(kind::kStep, "loss");
  ASSERT_NE(loss, nullptr);
  EXPECT_STREQ(loss->name, "loss");
  EXPECT_EQ(find_field(kind::kStep, "hostname"), nullptr);
  EXPECT_EQ(find_field("nonsense", "loss"), nullptr);
}

}  // namespace
}  // namespace sxb::record
