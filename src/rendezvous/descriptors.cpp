#include "rendezvous/descriptors.h"

#include <fmt/format.h>
#include <sys/resource.h>

namespace sxb::rendezvous {

Status need_descriptors(long count) {
  constexpr long kOthers = 256;  // the rank's own: libraries, devices, logs, peers of NCCL on its node
  const auto need = static_cast<rlim_t>(count + kOthers);
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) return ok_status();
  const rlim_t most = limit.rlim_max;
  limit.rlim_cur = need;
  if (need <= most && ::setrlimit(RLIMIT_NOFILE, &limit) == 0) return ok_status();
  return Error{fmt::format("rank 0 may open {} files, and needs {}: a connection for each rank", most, need),
               "", "raise the hard limit of open files (ulimit -Hn) for logins to the first node",
               ExitCode::kEnvironment};
}

}  // namespace sxb::rendezvous
