// Files: whole-file reads, writes that survive a crash, and where sxbench keeps its own things.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sxb {

Result<std::string> read_file(const std::filesystem::path& path);

/// Writes to a temporary file beside `path`, fsyncs and renames: a reader sees the old or the new
/// content, never a part. Creates missing parent folders. Who may read it is what the process's umask leaves
/// of 0666.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content);

/// The same for content that is too large to be held: `produce` calls what it is given for each piece.
using Append = std::function<void(std::string_view piece)>;
Status write_file_atomic(const std::filesystem::path& path,
                         const std::function<void(const Append& append)>& produce);

/// Whether `path` itself, not what a link there points to, is the file that `fd` has open: it may have been
/// removed, moved or replaced.
bool names_open_file(const std::filesystem::path& path, int fd);

/// Points the symbolic link `link` at `target` in one step (temporary link + rename).
Status swap_symlink(const std::filesystem::path& link, const std::filesystem::path& target);

/// The folder of the running executable (resolved), e.g. PREFIX/bin.
std::filesystem::path executable_dir();

/// The shipped configs: $SXBENCH_CONFIGS, PREFIX/share/sxbench/configs of an installed tree, or
/// configs/ of the source tree a developer's build came from.
std::filesystem::path shipped_configs_dir();

/// $SXBENCH_CACHE, else $XDG_CACHE_HOME/sxbench, else ~/.cache/sxbench. ~ is $HOME, or where that is unset,
/// "/" or cannot be written to, what the password database says; where that is none either, the place is
/// private_cache_dir(). Makes nothing.
std::filesystem::path cache_dir();

/// The place of a cache without a home: sxbench-<uid> below $TMPDIR or /tmp, which others may write to.
std::filesystem::path private_cache_dir();

/// cache_dir(), to write into. private_cache_dir() is made (0700) or refused: see make_private_dir().
Result<std::filesystem::path> usable_cache_dir();

/// Makes `path` (0700), or finds it as this user has made it. An error if it is a link or no folder, belongs
/// to somebody else or may be written to by others: what lies in it may not be what sxbench wrote.
Status make_private_dir(const std::filesystem::path& path);

/// $XDG_CONFIG_HOME/sxbench, else ~/.config/sxbench; without a home a place where there is nothing. Unlike a
/// cache it may be where one cannot write.
std::filesystem::path user_config_dir();

}  // namespace sxb
