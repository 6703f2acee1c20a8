// Waits for what cannot be ended (a name service, a disk, the preparation of a dataset) only as long as
// somebody wants its result.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <utility>

namespace sxb::launch {

/// What `work` returns or throws, in a thread of its own; nothing once `unwanted`: then nobody waits for the
/// thread, which must own all that it uses and goes on until it or this process ends.
template <typename T>
std::optional<T> unless_unwanted(std::function<T()> work, const std::function<bool()>& unwanted) {
  std::packaged_task<T()> task(std::move(work));
  std::future<T> result = task.get_future();
  std::thread(std::move(task)).detach();
  while (result.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (unwanted()) return std::nullopt;
  }
  return result.get();
}

/// What `ask` answers, none after `patience`. `meanwhile` is called again and again, as the loop that asks
/// must not stand still; it may say false: the answer is no longer wanted.
template <typename Answer>
std::optional<Answer> ask_beside(std::function<Answer()> ask, std::chrono::milliseconds patience,
                                 const std::function<bool()>& meanwhile) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  return unless_unwanted<Answer>(std::move(ask),
                                 [&] { return std::chrono::steady_clock::now() >= give_up || !meanwhile(); });
}

}  // namespace sxb::launch
