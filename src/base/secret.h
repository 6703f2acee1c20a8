// Secrets: random bytes, proof of a shared secret without telling it, comparison in constant time. By
// libsodium. Not for identity of content: that is base/hash.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sxb {

/// Bytes from the kernel's random source.
std::string random_bytes(std::size_t count);

/// 32 hex digits from it: the token of a run's rendezvous.
std::string random_token();

/// HMAC-SHA-256 (RFC 2104, FIPS 180-4): 32 bytes. The key may have any length.
std::string hmac_sha256(std::string_view key, std::string_view message);

/// Takes as long whatever the bytes are; only the lengths may be learnt from the time.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace sxb
