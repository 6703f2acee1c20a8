// Identity of content: task ids, config hashes, checksums of dataset shards (XXH3, not secret).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sxb {

/// XXH3-128 as 32 lower-case hex digits.
std::string hash_hex(const void* data, std::size_t size);
inline std::string hash_hex(std::string_view text) { return hash_hex(text.data(), text.size()); }

/// 32 hex digits from the kernel's random source: the token of a run's rendezvous.
std::string random_token();

}  // namespace sxb
