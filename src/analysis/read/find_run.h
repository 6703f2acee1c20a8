// Which run a path means where no link says it: copies, archives and object stores keep no symbolic links.
#pragma once

#include <filesystem>
#include <optional>

namespace sxb::analysis {

/// The run that find_run() takes for `results` because the link "latest" is not there, or leads nowhere: the
/// newest one below. nullopt if `results` is a run itself, has the link, or holds no run.
std::optional<std::filesystem::path> newest_without_link(const std::filesystem::path& results);

}  // namespace sxb::analysis
