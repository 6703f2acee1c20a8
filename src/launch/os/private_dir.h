// A folder of this process alone, gone with its owner.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "base/result.h"

namespace sxb::launch {

/// mkdtemp below /tmp whatever TMPDIR says: sockets in it must keep to the 108 bytes of a socket's path.
class PrivateDir {
 public:
  static Result<PrivateDir> create(const std::string& purpose);
  ~PrivateDir();
  PrivateDir(PrivateDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  PrivateDir& operator=(PrivateDir&&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit PrivateDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace sxb::launch
