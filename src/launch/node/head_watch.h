// The agent's ear to its head: standard input, which closes when the head or the way to it is gone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "launch/os/pause_watch.h"

namespace sxb::launch {

/// The head is gone when stdin closes, or when it has sent lines and then sends none for `silence_ns`:
/// behind a network that is cut, stdin stays open for minutes. Where the head cannot send, `cut_off` tells
/// in its place, asked every half second: true for `silence_ns` on end means the same.
/// Reads standard input in a thread of its own, so that an agent notices the end of its head also
/// while it prepares a dataset or waits for a write. If the agent has not ended `force_ns` after
/// that, the process ends at once, and the kernel ends its ranks (ProcessSpec::die_with_parent).
class HeadWatch {
 public:
  /// `heard`: the head has sent a line already.
  HeadWatch(std::int64_t silence_ns, std::int64_t force_ns, std::function<bool()> cut_off = {},
            bool heard = false);
  ~HeadWatch();
  HeadWatch(const HeadWatch&) = delete;
  HeadWatch& operator=(const HeadWatch&) = delete;
  bool gone() const { return gone_; }

 private:
  void watch(std::int64_t silence_ns, std::int64_t force_ns, bool heard);
  bool is_cut_off(std::int64_t silence_ns);

  const std::function<bool()> cut_off_;
  PauseWatch pauses_;
  std::int64_t answered_ns_;  ///< when it last was not cut off
  const int stop_fd_;         ///< readable once the watch shall end
  std::atomic<bool> gone_ = false;
  std::thread thread_;
};

}  // namespace sxb::launch
