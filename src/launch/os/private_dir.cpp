#include "launch/os/private_dir.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <vector>

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;

/// With "pid" in their names: those of builds that did not claim theirs have none, and may be in use.
constexpr const char* kPrivateDirPrefix = "sxbench-pid";

Error no_private_dir(const std::string& path) {
  return {fmt::format("cannot make a folder for the connections: {}", std::strerror(errno)), path,
          "free space in /tmp, or make it writable", ExitCode::kEnvironment};
}

}  // namespace

Result<PrivateDir> PrivateDir::create(const std::string& purpose) {
  remove_unclaimed_folders("/tmp", kPrivateDirPrefix);
  constexpr int kTries = 5;  // another process may take one for left behind before it is claimed
  for (int i = 0; i < kTries; ++i) {
    std::string path = fmt::format("/tmp/{}{}-{}-XXXXXX", kPrivateDirPrefix, ::getpid(), purpose);
    if (::mkdtemp(path.data()) == nullptr) return no_private_dir(path);
    Result<OwnFolder> folder = OwnFolder::open(path);
    if (folder.ok() && folder->claim() != OwnFolder::Claim::kTaken)
      return PrivateDir(std::move(folder).value());
  }
  errno = EBUSY;
  return no_private_dir("/tmp");
}

PrivateDir::~PrivateDir() {
  if (!folder_.path().empty()) folder_.remove_all();
}

void remove_unclaimed_folders(const fs::path& parent, const std::string& prefix) {
  std::vector<fs::path> found;
  std::error_code ec;
  for (fs::directory_iterator it(parent, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().filename().string().starts_with(prefix)) found.push_back(it->path());
  }
  for (const fs::path& path : found) {
    const Result<OwnFolder> folder = OwnFolder::open(path);
    if (folder.ok() && folder->claim() == OwnFolder::Claim::kOurs) folder->remove_all();
  }
}

}  // namespace sxb::launch
