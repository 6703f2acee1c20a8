// Independent pieces of work on the processors of this machine.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace sxb {

/// Calls `body(i)` once for each i below `count`, on as many threads as there are processors; returns when
/// all have returned. Who runs which i is not defined: bodies write to places of their own, and callers join
/// these in the order of i, so that results do not depend on the threads. The first exception of a body is
/// thrown again here; what has not begun by then is left out.
template <typename Body>
void for_each_index(std::size_t count, const Body& body) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr thrown;
  std::once_flag once;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      std::call_once(once, [&] { thrown = std::current_exception(); });
      next = count;
    }
  };
  const std::size_t width = std::min<std::size_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  {
    std::vector<std::jthread> others;
    try {
      for (std::size_t i = 1; i < width; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
      // A limit on threads: those that there are do the work.
    }
    work();
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace sxb
