// A folder of this process alone, gone with its owner.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "launch/os/own_folder.h"

namespace sxb::launch {

/// Below /tmp whatever TMPDIR says: sockets in it must keep to the 108 bytes of a socket's path.
class PrivateDir {
 public:
  /// Also removes those that processes of this user left behind when they were killed.
  static Result<PrivateDir> create(const std::string& purpose);
  ~PrivateDir();
  PrivateDir(PrivateDir&& other) = default;
  PrivateDir& operator=(PrivateDir&&) = delete;
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  explicit PrivateDir(OwnFolder folder) : folder_(std::move(folder)) {}
  OwnFolder folder_;
};

/// The folders of `parent` whose names begin so, of this user, and in use by nobody.
void remove_unclaimed_folders(const std::filesystem::path& parent, const std::string& prefix);

}  // namespace sxb::launch
