#include "analysis/read/find_run.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <system_error>
#include <tuple>

#include "analysis/read/dataset.h"

namespace sxb::analysis {
namespace fs = std::filesystem;
namespace {

bool holds_run(const fs::path& folder) {
  std::error_code ec;
  return fs::exists(folder / "records.jsonl", ec);
}

/// "20261121T071340Z-...": as sxbench names runs.
bool begins_with_date(const std::string& name) {
  constexpr std::string_view kDate = "00000000T000000Z-";
  return name.size() >= kDate.size() &&
         std::equal(kDate.begin(), kDate.end(), name.begin(), [](char as, char is) {
           return as == '0' ? std::isdigit(static_cast<unsigned char>(is)) != 0 : as == is;
         });
}

/// Newer is larger. Copies have other times than the runs, so names count first.
auto age_of(const fs::path& run) {
  const std::string name = run.filename().string();
  const bool dated = begins_with_date(name);
  std::error_code ec;
  return std::tuple(dated, dated ? name : "", fs::last_write_time(run / "records.jsonl", ec), name);
}

}  // namespace

std::optional<fs::path> newest_without_link(const fs::path& results) {
  std::error_code ec;
  const fs::path link = results / "latest";
  if (holds_run(results) || (fs::is_symlink(link, ec) && holds_run(link))) return std::nullopt;
  std::optional<fs::path> newest;
  for (fs::directory_iterator it(results, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code ignored;
    if (it->is_symlink(ignored) || !holds_run(it->path())) continue;
    if (!newest || age_of(*newest) < age_of(it->path())) newest = it->path();
  }
  return newest;
}

Result<fs::path> find_run(const fs::path& path) {
  if (holds_run(path)) return path;
  if (const auto newest = newest_without_link(path)) return *newest;
  if (holds_run(path / "latest")) return path / "latest";
  std::error_code ec;
  if (!fs::exists(path, ec)) {
    return Error{"no such folder", path.string(), "give a run folder, or the results folder that holds it"};
  }
  return Error{"no run found: there is no records.jsonl here, and none in a folder below", path.string(),
               "give a run folder such as results/20261121T071340Z-name-1a2b3c, or a results folder; "
               "`sxbench run` makes one"};
}

}  // namespace sxb::analysis
