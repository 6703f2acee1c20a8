// LD_PRELOAD: once the file $SXB_CLOCK_JUMP exists, this process sees a wall clock an hour ahead, as
// after somebody set it. The monotonic clock is left alone.
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

extern "C" __attribute__((visibility("default"))) int clock_gettime(clockid_t id,
                                                                    struct timespec* now) noexcept {
  using Function = int (*)(clockid_t, struct timespec*);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int code = real(id, now);
  const char* file = std::getenv("SXB_CLOCK_JUMP");
  if (code == 0 && id == CLOCK_REALTIME && file != nullptr && ::access(file, F_OK) == 0) now->tv_sec += 3600;
  return code;
}
