#include "launch/os/private_dir.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace sxb::launch {

Result<PrivateDir> PrivateDir::create(const std::string& purpose) {
  std::string pattern = "/tmp/sxbench-" + purpose + "-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return Error{fmt::format("cannot make a folder for the connections: {}", std::strerror(errno)), pattern,
                 "free space in /tmp, or make it writable", ExitCode::kEnvironment};
  }
  return PrivateDir(pattern);
}

PrivateDir::~PrivateDir() {
  std::error_code ec;
  if (!path_.empty()) std::filesystem::remove_all(path_, ec);
}

}  // namespace sxb::launch
