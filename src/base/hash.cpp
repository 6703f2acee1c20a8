#include "base/hash.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdint>

#include "base/result.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sxb {

std::string hash_hex(const void* data, std::size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(data, size);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string random_token() {
  std::uint64_t words[2];
  if (::getrandom(words, sizeof words, 0) != sizeof words) panic(__FILE__, __LINE__, "getrandom failed");
  return fmt::format("{:016x}{:016x}", words[0], words[1]);
}

}  // namespace sxb
