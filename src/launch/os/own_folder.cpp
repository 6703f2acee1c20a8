#include "launch/os/own_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/files.h"

namespace sxb::launch {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

/// Of a call that failed, with errno.
Error own_folder_error(const std::string& what, const std::filesystem::path& path) {
  return {fmt::format("{}: {}", what, std::strerror(errno)), path.string(),
          "free space there, or make the place writable", ExitCode::kEnvironment};
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<OwnFolder> OwnFolder::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return own_folder_error("not a folder of this user", path);
  OwnFolder folder(path, fd);
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return own_folder_error("cannot look at the folder", path);
  if (status.st_uid == ::geteuid() && (status.st_mode & kOthers) == 0) return folder;
  return Error{status.st_uid == ::geteuid()
                   ? "other users may enter the folder"
                   : fmt::format("the folder belongs to another user (uid {})", status.st_uid),
               path.string(), "remove it, or have its owner remove it", ExitCode::kEnvironment};
}

Result<OwnFolder> OwnFolder::make(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return own_folder_error("cannot make the folder", path);
  return open(path);
}

OwnFolder::~OwnFolder() {
  if (fd_ >= 0) ::close(fd_);
}

Status OwnFolder::write(const std::string& name, std::string_view content) const {
  remove(name);
  const Descriptor file(
      ::openat(fd_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.get() < 0) return own_folder_error("cannot write a file", path_ / name);
  while (!content.empty()) {
    const ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return own_folder_error("cannot write a file", path_ / name);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return ok_status();
}

Result<std::string> OwnFolder::read(const std::string& name) const {
  const Descriptor file(::openat(fd_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.get() < 0) return own_folder_error("cannot read a file", path_ / name);
  std::string content;
  char buffer[4096];
  while (true) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return own_folder_error("cannot read a file", path_ / name);
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

void OwnFolder::remove(const std::string& name) const { ::unlinkat(fd_, name.c_str(), 0); }

std::vector<OwnFolder::Entry> OwnFolder::list() const {
  std::vector<Entry> entries;
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  const std::unique_ptr<DIR, Close> directory(
      ::fdopendir(::openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  const std::time_t now = std::time(nullptr);
  while (directory != nullptr) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    struct stat status = {};
    if (name == "." || name == ".." || ::fstatat(fd_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    entries.push_back({name, now - status.st_mtime});
  }
  return entries;
}

bool OwnFolder::still_there() const { return names_open_file(path_, fd_); }

/// A lock of the folder itself: the kernel gives it back with the last process that has the descriptor.
OwnFolder::Claim OwnFolder::claim() const {
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? Claim::kTaken : Claim::kUnknown;
  return still_there() ? Claim::kOurs : Claim::kTaken;
}

void OwnFolder::remove_all() const {
  for (const Entry& entry : list()) remove(entry.name);
  if (still_there()) ::rmdir(path_.c_str());
}

}  // namespace sxb::launch
