#include "rendezvous/strangers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sxb::rendezvous {
namespace {

auto find(std::vector<std::pair<std::string, std::int64_t>>& from, const std::string& address) {
  return std::find_if(from.begin(), from.end(), [&](const auto& one) { return one.first == address; });
}

}  // namespace

void Strangers::add(const std::string& address) {
  ++connections;
  if (const auto known = find(from, address); known != from.end()) {
    ++known->second;
  } else if (from.size() < kAddresses) {
    from.emplace_back(address, 1);
  }
}

void Strangers::forgive(const std::string& address, std::int64_t count) {
  const auto known = find(from, address);
  if (known == from.end()) return;
  const std::int64_t forgiven = std::clamp<std::int64_t>(count, 0, known->second);
  connections -= forgiven;
  known->second -= forgiven;
  if (known->second == 0) from.erase(known);
}

std::string Strangers::text() const {
  std::vector<std::string> parts;
  std::int64_t named = 0;
  for (const auto& [address, count] : from) {
    parts.push_back(fmt::format("{} ({})", address, count));
    named += count;
  }
  const std::string list = join(parts, ", ");
  return named == connections ? list : fmt::format("{} and elsewhere ({})", list, connections - named);
}

}  // namespace sxb::rendezvous
