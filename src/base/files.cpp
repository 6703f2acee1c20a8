#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <vector>

#include "base/input_file.h"
#include "base/secret.h"
#include "base/temporary_file.h"

namespace sxb {
namespace fs = std::filesystem;
namespace {

Error system_error(const std::string& what, const fs::path& path) {
  const int code = errno;
  std::string help;
  if (code == ENOSPC) help = "free space on that file system";
  if (code == EFBIG) help = "raise the limit on the size of files (ulimit -f)";
  if (code == EACCES || code == EPERM || code == EROFS) help = "choose a folder that you may write to";
  return Error{fmt::format("{}: {}", what, std::strerror(code)), path.string(), help, ExitCode::kEnvironment};
}

fs::path from_env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? fs::path(value) : fs::path();
}

/// The home folder in the password database; empty if this user is not in it, as in many containers.
fs::path home_of_user() {
  std::vector<char> buffer(16 * 1024);
  passwd entry = {};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return {};
  return entry.pw_dir != nullptr ? fs::path(entry.pw_dir) : fs::path();
}

/// True if `path` can be written to, or made.
bool is_writable(fs::path path) {
  std::error_code ec;
  while (!fs::exists(path, ec) && path.has_relative_path()) path = path.parent_path();
  return fs::is_directory(path, ec) && ::access(path.c_str(), W_OK | X_OK) == 0;
}

/// `below` of the first home that is one, and that `fits`; empty if none does.
template <typename Fits>
fs::path in_home(const char* below, Fits fits) {
  for (const fs::path& home : {from_env("HOME"), home_of_user()}) {
    if (home.is_absolute() && home.has_relative_path() && fits(home / below)) return home / below;
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const fs::path& path) {
  return read_input(path, std::numeric_limits<std::int64_t>::max());
}

fs::path temporary_name(const fs::path& path) {
  return path.string() + ".tmp-" + random_token().substr(0, 8);
}

Result<TemporaryFile> open_temporary(const fs::path& path) {
  for (;;) {
    TemporaryFile file{temporary_name(path), -1};
    // mkstemp() would make it readable for its owner alone, and the umask cannot be asked without a race.
    file.fd = ::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file.fd >= 0) return file;
    if (errno != EEXIST) return system_error("cannot create the file", file.path);
  }
}

Status write_file_atomic(const fs::path& path, std::string_view content) {
  return write_file_atomic(path, [&](const Append& append) { append(content); });
}

Status write_file_atomic(const fs::path& path, const std::function<void(const Append&)>& produce) {
  std::error_code ec;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), ec);
  SXB_ASSIGN_OR_RETURN(const TemporaryFile file, open_temporary(path));
  const auto& [temporary, fd] = file;
  Status written = ok_status();
  produce([&](std::string_view piece) {
    while (written.ok() && !piece.empty()) {
      const ssize_t n = ::write(file.fd, piece.data(), piece.size());
      if (n >= 0) {
        piece.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno != EINTR) {
        written = system_error("cannot write the file", file.path);
      }
    }
  });
  const bool synced = written.ok() && ::fsync(fd) == 0;
  if (written.ok() && !synced) written = system_error("cannot write the file", path);
  ::close(fd);
  if (synced && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = system_error("cannot write the file", path);
  }
  if (!written.ok()) ::unlink(temporary.c_str());
  return written;
}

bool names_open_file(const fs::path& path, int fd) {
  struct stat open = {}, named = {};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

Status swap_symlink(const fs::path& link, const fs::path& target) {
  const fs::path temporary = temporary_name(link);
  if (::symlink(target.c_str(), temporary.c_str()) != 0) return system_error("cannot create the link", link);
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    const Error error = system_error("cannot replace the link", link);
    ::unlink(temporary.c_str());
    return error;
  }
  return ok_status();
}

fs::path executable_dir() {
  std::error_code ec;
  fs::path self = fs::read_symlink("/proc/self/exe", ec);
  if (ec) {  // /proc is hidden: the name that it was executed by
    const auto* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    self = fs::weakly_canonical(name != nullptr ? name : "sxbench", ec);
  }
  return ec ? fs::path("/") : self.parent_path();
}

fs::path shipped_configs_dir() {
  if (fs::path dir = expand_home(from_env("SXBENCH_CONFIGS").string()); !dir.empty()) return dir;
  std::error_code ec;
  fs::path installed = executable_dir().parent_path() / "share" / "sxbench" / "configs";
  if (fs::is_directory(installed, ec)) return installed;
  // A build tree lies somewhere inside the source tree: climb until configs/ is beside us.
  for (fs::path dir = executable_dir(); dir != dir.root_path(); dir = dir.parent_path()) {
    if (fs::is_directory(dir / "configs" / "models", ec)) return dir / "configs";
  }
  return SXBENCH_SOURCE_DIR "/configs";
}

fs::path cache_dir() {
  if (fs::path dir = expand_home(from_env("SXBENCH_CACHE").string()); !dir.empty()) return dir;
  if (fs::path dir = from_env("XDG_CACHE_HOME"); !dir.empty()) return dir / "sxbench";
  if (fs::path dir = in_home(".cache/sxbench", is_writable); !dir.empty()) return dir;
  return private_cache_dir();
}

fs::path private_cache_dir() {
  fs::path below = from_env("TMPDIR");
  if (!below.is_absolute()) below = "/tmp";
  return below / fmt::format("sxbench-{}", ::geteuid());
}

Result<fs::path> usable_cache_dir() {
  fs::path dir = cache_dir();
  if (dir == private_cache_dir()) SXB_RETURN_IF_ERROR(make_private_dir(dir));
  return dir;
}

Status make_private_dir(const fs::path& path) {
  const std::string help = "set HOME, or SXBENCH_CACHE to a folder of your own; or remove what is there";
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{fmt::format("cannot make a folder for the cache: {}", std::strerror(errno)), path.string(),
                 help, ExitCode::kEnvironment};
  }
  // Of the path itself, not of what a link points to.
  struct stat found = {};
  const char* wrong = ::lstat(path.c_str(), &found) != 0 ? "cannot be looked at"
                      : S_ISLNK(found.st_mode)           ? "is a link"
                      : !S_ISDIR(found.st_mode)          ? "is no folder"
                      : found.st_uid != ::geteuid()      ? "belongs to another user"
                      : (found.st_mode & 022) != 0       ? "may be written to by other users"
                                                         : nullptr;
  if (wrong == nullptr) return ok_status();
  return Error{fmt::format("the folder for the cache {}, so what is in it cannot be trusted", wrong),
               path.string(), help, ExitCode::kEnvironment};
}

fs::path user_config_dir() {
  if (fs::path dir = from_env("XDG_CONFIG_HOME"); !dir.empty()) return dir / "sxbench";
  const fs::path dir = in_home(".config/sxbench", [](const fs::path&) { return true; });
  return dir.empty() ? fs::path("/dev/null/sxbench") : dir;
}

std::string expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  fs::path home = from_env("HOME");
  if (home.empty()) home = home_of_user();
  if (home.empty()) return path;
  return path.size() == 1 ? home.string() : (home / path.substr(2)).string();
}

}  // namespace sxb
