// A folder of this user alone in a place where everybody may write, as /tmp: what others prepared there is
// refused, and what is in it is reached through its descriptor, so that nothing can be put in its place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sxb::launch {

class OwnFolder {
 public:
  /// Errors: it is not there, a symbolic link, another user's, or others may enter it.
  static Result<OwnFolder> open(const std::filesystem::path& path);
  /// The same after making it, for this user alone, unless it is there. Its parent must be there.
  static Result<OwnFolder> make(const std::filesystem::path& path);
  ~OwnFolder();
  OwnFolder(OwnFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), fd_(std::exchange(other.fd_, -1)) {}
  OwnFolder& operator=(OwnFolder&&) = delete;
  const std::filesystem::path& path() const { return path_; }

  /// `name` has no "/". A new file that only this user can read, in the place of one that is there.
  Status write(const std::string& name, std::string_view content) const;
  Result<std::string> read(const std::string& name) const;
  void remove(const std::string& name) const;

  struct Entry {
    std::string name;
    std::int64_t age_s = 0;  ///< since it was written
  };
  std::vector<Entry> list() const;

  enum class Claim { kOurs, kTaken, kUnknown };
  /// Marks it as in use until this object or this process ends, however that happens. kTaken: another process
  /// has, or it is no longer where it was; kUnknown: a file system without locks.
  Claim claim() const;
  /// Removes it with the files in it; a folder in it, which would not be sxbench's, keeps it there.
  void remove_all() const;

 private:
  OwnFolder(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  bool still_there() const;
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace sxb::launch
