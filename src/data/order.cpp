// The order of rows as a pure function of (position, rows, seed): no list to build, to store or to
// broadcast, and the same on every node, so a resumed run continues exactly.
#include <bit>

#include "base/splitmix64.h"
#include "data/packed.h"

namespace sxb::data {
namespace {

// A balanced Feistel network on 2*half_bits bits: a bijection whatever the round function is.
std::uint64_t feistel(std::uint64_t value, int half_bits, std::uint64_t key) {
  constexpr std::uint64_t kRounds = 6;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  std::uint64_t left = value >> half_bits;
  std::uint64_t right = value & mask;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t next = left ^ (splitmix64(right ^ splitmix64(key + round)) & mask);
    left = right;
    right = next;
  }
  return left << half_bits | right;
}

}  // namespace

std::int64_t row_at(std::int64_t position, std::int64_t rows, std::uint64_t seed) {
  if (position < 0 || rows <= 0) panic(__FILE__, __LINE__, "row_at: needs position >= 0 and rows > 0");
  const auto n = static_cast<std::uint64_t>(rows);
  const auto epoch = static_cast<std::uint64_t>(position / rows);
  const std::uint64_t key = splitmix64(splitmix64(seed) ^ epoch);
  const int half_bits = (static_cast<int>(std::bit_width(n - 1)) + 1) / 2;
  if (half_bits == 0) return 0;
  // Cycle walking: the network permutes a power of four >= rows; following it until it falls below
  // rows again is a permutation of [0, rows), four steps on average at most.
  auto value = static_cast<std::uint64_t>(position % rows);
  do {
    value = feistel(value, half_bits, key);
  } while (value >= n);
  return static_cast<std::int64_t>(value);
}

}  // namespace sxb::data
