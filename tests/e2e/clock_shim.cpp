// LD_PRELOAD: once the file $SXB_CLOCK_JUMP exists, this process sees a wall clock an hour ahead, as
// after somebody set it. The monotonic clock is left alone. With $SXB_NO_LOCKS it has no locks of files below
// that folder, as on NFS without lockd.
#include <dlfcn.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" __attribute__((visibility("default"))) int clock_gettime(clockid_t id,
                                                                    struct timespec* now) noexcept {
  using Function = int (*)(clockid_t, struct timespec*);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int code = real(id, now);
  const char* file = std::getenv("SXB_CLOCK_JUMP");
  if (code == 0 && id == CLOCK_REALTIME && file != nullptr && ::access(file, F_OK) == 0) now->tv_sec += 3600;
  return code;
}

extern "C" __attribute__((visibility("default"))) int flock(int fd, int operation) noexcept {
  using Function = int (*)(int, int);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "flock"));
  const char* folder = std::getenv("SXB_NO_LOCKS");
  if (folder == nullptr) return real(fd, operation);
  char path[PATH_MAX] = "";
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), path, sizeof path - 1) > 0 &&
      std::strncmp(path, folder, std::strlen(folder)) == 0) {
    errno = ENOLCK;
    return -1;
  }
  return real(fd, operation);
}
