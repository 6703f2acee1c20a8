// Independent pieces of work on the processors of this machine.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace sxb {

/// Calls `body(i)` once for each i below `count`, on as many threads as there are processors; returns when
/// all have returned. Who runs which i is not defined: bodies write to places of their own, and callers join
/// these in the order of i, so that results do not depend on the threads.
template <typename Body>
void for_each_index(std::size_t count, const Body& body) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) body(i);
  };
  const std::size_t width = std::min<std::size_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < width; ++i) others.emplace_back(work);
  work();
}

}  // namespace sxb
