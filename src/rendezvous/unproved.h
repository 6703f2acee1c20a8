// The connections that have not proved the token yet, by age and by address. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace sxb::rendezvous {

class Unproved {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct One {
    std::string address;
    Time opened;
  };

  /// `number` rises from one connection to the next.
  void add(std::uint64_t number, const std::string& address, Time opened);
  /// Of one that is there.
  void remove(std::uint64_t number);

  bool contains(std::uint64_t number) const { return all_.contains(number); }
  std::size_t size() const { return all_.size(); }
  /// The oldest first.
  const std::map<std::uint64_t, One>& all() const { return all_; }
  /// Who makes room for others: the oldest of the address that has most of them. 0 if there is none.
  std::uint64_t first_to_go() const;

 private:
  std::map<std::uint64_t, One> all_;
  std::unordered_map<std::string, int> count_;  ///< by address
};

}  // namespace sxb::rendezvous
