#include "rendezvous/store.h"

#include <algorithm>
#include <utility>

namespace sxb::rendezvous {

Store::Store(int world, Reply reply)
    : world_(world),
      limits_(limits_for(world)),
      reply_(std::move(reply)),
      used_(static_cast<std::size_t>(world)) {}

void Store::handle(int rank, const Request& request) {
  withdraw(rank);
  switch (request.verb) {
    case Verb::kSet:
      return set(rank, request);
    case Verb::kWait:
    case Verb::kGet:
      return wait(rank, request);
    case Verb::kMeet:
    case Verb::kArrive:
      return meet(rank, request);
    case Verb::kMissing:
      return missing(rank, request);
  }
}

void Store::gone(int rank) { withdraw(rank); }

void Store::answer(int rank, const Request& request, Code code, std::string value) {
  if (request.verb != Verb::kArrive) reply_(rank, {request.id, code, std::move(value)});
}

void Store::set(int rank, const Request& request) {
  const std::string& key = request.keys.front();
  const std::string own = "rank/" + std::to_string(rank);
  if (key.starts_with("rank/") && key != own && !key.starts_with(own + "/"))
    return answer(rank, request, Code::kForbidden);
  if (const auto known = values_.find(key); known != values_.end()) {
    const bool same = known->second.bytes == request.value;
    return answer(rank, request, same ? Code::kOk : Code::kConflict,
                  same ? "" : std::to_string(known->second.writer));
  }
  if (!charge(rank, key.size() + request.value.size())) return answer(rank, request, Code::kTooMuch);
  values_[key] = {rank, request.value};
  answer(rank, request, Code::kOk);
  const auto found = waiting_for_key_.find(key);
  if (found == waiting_for_key_.end()) return;
  const std::vector<int> ranks = std::move(found->second);
  waiting_for_key_.erase(found);
  for (const int waiter : ranks) {
    const auto at = waiting_.find(waiter);
    if (--at->second.missing > 0) continue;
    const Request asked = std::move(at->second.request);
    waiting_.erase(at);
    answer(waiter, asked, Code::kOk, asked.verb == Verb::kGet ? request.value : "");
  }
}

void Store::wait(int rank, const Request& request) {
  Waiting waiting{request, 0};
  for (const std::string& key : request.keys) {
    if (values_.contains(key)) continue;
    ++waiting.missing;
    waiting_for_key_[key].push_back(rank);
  }
  if (waiting.missing > 0) {
    waiting_[rank] = std::move(waiting);
    return;
  }
  answer(rank, request, Code::kOk, request.verb == Verb::kGet ? values_.at(request.keys.front()).bytes : "");
}

void Store::meet(int rank, const Request& request) {
  const std::string& name = request.keys.front();
  const bool first = !meetings_.contains(name);
  const auto at = static_cast<std::size_t>(rank);
  if (first || !meetings_[name].came[at]) {
    const std::size_t bitmap = first ? used_.size() / 8 : 0;
    if (!charge(rank, name.size() + bitmap)) return answer(rank, request, Code::kTooMuch);
  }
  Meeting& meeting = meetings_[name];
  if (first) meeting = {std::vector<bool>(used_.size()), world_, {}};
  if (!meeting.came[at]) {
    meeting.came[at] = true;
    --meeting.missing;
  }
  if (meeting.missing > 0) {
    if (request.verb == Verb::kArrive) return;
    meeting.waiting.push_back(rank);
    waiting_[rank] = {request, 0};
    return;
  }
  answer(rank, request, Code::kOk);
  for (const int waiter : std::exchange(meeting.waiting, {})) {
    const Request asked = std::move(waiting_.at(waiter).request);
    waiting_.erase(waiter);
    answer(waiter, asked, Code::kOk);
  }
}

void Store::missing(int rank, const Request& request) {
  const auto meeting = meetings_.find(request.keys.front());
  std::vector<int> ranks;
  for (int r = 0; r < world_; ++r) {
    if (meeting == meetings_.end() || !meeting->second.came[static_cast<std::size_t>(r)]) ranks.push_back(r);
  }
  answer(rank, request, Code::kOk, write_ranks(ranks));
}

bool Store::charge(int rank, std::size_t bytes) {
  if (rank == 0) return true;
  Used& used = used_[static_cast<std::size_t>(rank)];
  const std::size_t all = used.bytes + bytes + kKeyOverheadBytes;
  if (used.keys >= limits_.keys_of_rank || all > limits_.bytes_of_rank) return false;
  ++used.keys;
  used.bytes = all;
  return true;
}

void Store::withdraw(int rank) {
  const auto found = waiting_.find(rank);
  if (found == waiting_.end()) return;
  const Request request = std::move(found->second.request);
  waiting_.erase(found);
  if (request.verb == Verb::kMeet) {
    std::erase(meetings_.at(request.keys.front()).waiting, rank);
    return;
  }
  for (const std::string& key : request.keys) {
    const auto at = waiting_for_key_.find(key);
    if (at == waiting_for_key_.end()) continue;
    std::erase(at->second, rank);
    if (at->second.empty()) waiting_for_key_.erase(at);
  }
}

}  // namespace sxb::rendezvous
