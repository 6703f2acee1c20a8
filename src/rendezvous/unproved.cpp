#include "rendezvous/unproved.h"

#include <algorithm>

namespace sxb::rendezvous {

void Unproved::add(std::uint64_t number, const std::string& address, Time opened) {
  all_[number] = {address, opened};
  ++count_[address];
}

void Unproved::remove(std::uint64_t number) {
  const auto at = all_.find(number);
  const auto count = count_.find(at->second.address);
  if (--count->second == 0) count_.erase(count);
  all_.erase(at);
}

std::uint64_t Unproved::first_to_go() const {
  const auto most = std::max_element(count_.begin(), count_.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == count_.end()) return 0;
  return std::find_if(all_.begin(), all_.end(),
                      [&](const auto& one) { return one.second.address == most->first; })
      ->first;
}

}  // namespace sxb::rendezvous
