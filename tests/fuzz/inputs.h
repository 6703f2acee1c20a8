// What several targets need: the input as text, as a file, as lines, and what holds of every error.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fuzz/driver.h"

namespace sxb::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Calls `take` with each line, without its newline.
template <typename Take>
void each_line(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// So that what a sum is made of is really read.
inline void use(std::size_t sum) {
  static volatile std::size_t kept;
  kept = sum;
  static_cast<void>(kept);
}

/// Every error says what is wrong, and is one of the input: code 2, or 4 where a node sent it.
inline void check_errors(const Errors& errors) {
  SXB_FUZZ_CHECK(!errors.empty());
  for (const Error& error : errors) {
    SXB_FUZZ_CHECK(!error.what.empty());
    SXB_FUZZ_CHECK(error.code == ExitCode::kUsage || error.code == ExitCode::kEnvironment);
  }
}

/// A file in memory, for readers that take a path.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) { SXB_FUZZ_CHECK(fd_ >= 0); }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& put(std::string_view bytes) {
    SXB_FUZZ_CHECK(::ftruncate(fd_, 0) == 0);
    SXB_FUZZ_CHECK(::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return path_;
  }

 private:
  int fd_;
  std::string path_ = "/proc/self/fd/" + std::to_string(fd_);
};

/// A folder of files, gone with the process unless that ends in a finding. In memory where there is such a
/// place: ext4 writes a file to the disk that is truncated and written again.
class Folder {
 public:
  Folder() {
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory = ::access(memory.c_str(), W_OK) == 0;
    const std::filesystem::path below = in_memory ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (below / "sxb-fuzz-XXXXXX").string();
    SXB_FUZZ_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void put(const std::string& name, std::string_view bytes) const {
    const int fd = ::open((path_ / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    SXB_FUZZ_CHECK(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace sxb::fuzz
