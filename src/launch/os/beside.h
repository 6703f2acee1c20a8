// Questions that may take long, asked beside a loop that must not stand still.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <utility>

namespace sxb::launch {

/// What `ask` answers, none after `patience`. It runs in a thread that nobody waits for longer, so it owns
/// what it needs. `meanwhile` is called again and again, takes some milliseconds each time, and may say
/// false: the answer is no longer wanted.
template <typename Answer>
std::optional<Answer> ask_beside(std::function<Answer()> ask, std::chrono::milliseconds patience,
                                 const std::function<bool()>& meanwhile) {
  std::packaged_task<Answer()> task(std::move(ask));
  std::future<Answer> answer = task.get_future();
  std::thread(std::move(task)).detach();
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    if (std::chrono::steady_clock::now() >= give_up || !meanwhile()) return std::nullopt;
  }
  return answer.get();
}

}  // namespace sxb::launch
