// NCCL's own log, read by the program: which network it uses, and what its tuner chose. NCCL has no
// call that tells either.
#pragma once

#include <string>

#include "engine/comm/communicator.h"

namespace sxb::engine::comm {

/// What ranks of this process are connected by.
struct Transports {
  /// Of the connections to other nodes: "IB", "Socket", or the plugin's name; "" if there is none.
  std::string net;
  bool gpu_direct = false;     ///< every one of them moves data between NIC and GPU memory (GDRDMA)
  bool shared_memory = false;  ///< some GPUs of this node reach each other only through host memory
  /// Kind of the path between the GPUs of this node: "NVL", "PIX", "PXB", "PHB", "SYS"; "" = not told.
  std::string intra_node;
};

/// From a log with NCCL_DEBUG_SUBSYS=INIT,NET,P2P,SHM,GRAPH of start and first use.
Transports parse_transports(const std::string& log);
/// From a log with NCCL_DEBUG_SUBSYS=TUNING: the first choice in it.
Choice parse_choice(const std::string& log);

/// Turns NCCL's log to a file of its own while it lives. Does nothing where the user has asked NCCL for
/// more than warnings, or for a file: his log stays as he wants it. NCCL's warnings are passed on to
/// stderr. One at a time in a process.
class NcclLog {
 public:
  /// `subsystems`: as NCCL_DEBUG_SUBSYS.
  explicit NcclLog(const char* subsystems);
  ~NcclLog();
  NcclLog(const NcclLog&) = delete;
  NcclLog& operator=(const NcclLog&) = delete;

  /// What NCCL has written up to now; "" where the log is the user's.
  std::string text() const;

 private:
  std::string path_;  ///< empty: the log is the user's
};

}  // namespace sxb::engine::comm
