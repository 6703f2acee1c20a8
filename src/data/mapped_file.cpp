#include "data/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sxb::data {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // A pipe without a writer would keep open() from ending.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Error{fmt::format("cannot open the file: {}", std::strerror(errno)), path.string(), ""};
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
    ::close(fd);
    return Error{S_ISREG(info.st_mode) ? "the file is empty" : "this is not a regular file", path.string(),
                 ""};
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  const int code = errno;
  ::close(fd);
  if (data == MAP_FAILED) {
    return Error{fmt::format("cannot map the file: {}", std::strerror(code)), path.string(), "",
                 ExitCode::kEnvironment};
  }
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace sxb::data
