// What pages say of a setting in passing is what its table says.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>

#include "base/files.h"
#include "base/text.h"
#include "config/cluster/cluster_settings.h"
#include "config/model/model_settings.h"

namespace sxb::config {
namespace {

/// By key and by the last part of it: pages write both `timeouts.stall_s` and `stall_s`.
std::multimap<std::string, std::string> defaults() {
  std::multimap<std::string, std::string> found;
  for (const Rows* rows :
       {static_cast<const Rows*>(&cluster_settings()), static_cast<const Rows*>(&model_settings())}) {
    for (const RowInfo& row : rows->infos()) {
      found.emplace(row.key, default_text(row));
      if (const std::size_t dot = row.key.rfind('.'); dot != std::string::npos)
        found.emplace(row.key.substr(dot + 1), default_text(row));
    }
  }
  return found;
}

/// "`key` (15)", "`key` (15 s)", "`key` (default 15)", "`key` is 15 s", "| `key` | 15 |".
TEST(Docs, ADefaultInAPageIsThatOfTheTable) {
  const std::regex said(
      R"re(`([a-z_.]+)`(?: \((?:default:? )?| is | = | \| )([0-9]+)(?: ?(?:s|GiB|MiB))?(?:[),;.]| by default| \|))re");
  const auto known = defaults();
  int checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SXB_SOURCE_DIR "/docs")) {
    if (entry.path().extension() != ".md") continue;
    const std::string text = *read_file(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), said), end; it != end; ++it) {
      const auto [first, last] = known.equal_range((*it)[1]);
      if (first == last) continue;
      ++checked;
      EXPECT_TRUE(std::any_of(first, last, [&](const auto& row) { return row.second == (*it)[2]; }))
          << entry.path() << ": " << it->str() << ", the table has " << first->second;
    }
  }
  EXPECT_GE(checked, 8) << "the pages write defaults in another way now";
}

}  // namespace
}  // namespace sxb::config
