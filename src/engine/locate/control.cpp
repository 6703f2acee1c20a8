#include "engine/locate/control.h"

#include <algorithm>

#include "base/text.h"
#include "engine/base/error.h"

namespace sxb::engine::locate {
namespace {

/// Longer than any search: a rank that rests waits for the others, and if rank 0 is gone the wait ends
/// anyway.
constexpr std::chrono::hours kAsLongAsItTakes{24};

std::vector<char> bytes_of(const Json& json) {
  const std::string text = dump(json);
  return {text.begin(), text.end()};
}

Json parse(const std::vector<char>& bytes) {
  auto json = try_parse_json({bytes.data(), bytes.size()});
  if (!json)
    throw EngineError("a rank of the search has sent what is no JSON", "engine_error",
                      "this is a defect of sxbench");
  return *std::move(json);
}

std::string key_of(const std::string& topic, int rank) {
  return "locate/" + topic + "/" + std::to_string(rank);
}

}  // namespace

void Control::say(const std::string& topic, const Json& what) {
  rendezvous_.set("locate/" + topic, bytes_of(what));
}

Json Control::hear(const std::string& topic) {
  const std::string key = "locate/" + topic;
  rendezvous_.wait({key}, kAsLongAsItTakes);
  return parse(rendezvous_.get(key));
}

void Control::answer(const std::string& topic, const Json& what) {
  rendezvous_.set(key_of(topic, rank()), bytes_of(what));
}

std::map<int, Json> Control::collect(const std::string& topic, const std::vector<int>& ranks) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + timeout_;
  std::map<int, Json> answers;
  std::vector<std::string> silent;
  for (const int rank : ranks) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    try {
      rendezvous_.wait({key_of(topic, rank)}, std::max(left, std::chrono::milliseconds(1)));
      answers[rank] = parse(rendezvous_.get(key_of(topic, rank)));
    } catch (const EngineError&) {
      silent.push_back(rendezvous_.peer_name(rank));
    }
  }
  if (silent.empty()) return answers;
  throw EngineError(
      "no answer within " + std::to_string(timeout_.count() / 1000) + " s from " + join(silent, ", "),
      "no_answer",
      "that node is overloaded or cut off from the first one: see its log, then leave it out with "
      "--exclude");
}

}  // namespace sxb::engine::locate
