// Secrets: random bytes, proof of a shared secret without telling it, comparison in constant time, texts that
// only chosen readers can read. By libsodium. Not for identity of content: that is base/hash.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sxb {

/// Bytes from the kernel's random source.
std::string random_bytes(std::size_t count);

/// 32 hex digits from it: the token of a run's rendezvous.
std::string random_token();

/// HMAC-SHA-256 (RFC 2104, FIPS 180-4): 32 bytes. The key may have any length.
std::string hmac_sha256(std::string_view key, std::string_view message);

/// Takes as long whatever the bytes are; only the lengths may be learnt from the time.
bool same_secret(std::string_view a, std::string_view b);

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): `text` encrypted with a key of 32 bytes and bound to
/// `purpose`. 24 random bytes, then as many as `text` has, then a tag of 16.
std::string encrypt(std::string_view key, std::string_view text, std::string_view purpose);

/// What encrypt() was given; none if key or purpose is another one, or a single bit is.
std::optional<std::string> decrypt(std::string_view key, std::string_view encrypted,
                                   std::string_view purpose);

/// An X25519 key (RFC 7748), 32 bytes each half. The public one may be known to everybody.
struct KeyPair {
  std::string public_key, secret_key;
};
KeyPair make_key_pair();

/// The pair of a secret half; none if it has not 32 bytes.
std::optional<KeyPair> pair_of(std::string_view secret_key);

/// The secret that one half of each of two pairs gives, whichever halves they are. None for what is no key:
/// another length, or one of the few public halves with which everybody gets the same.
std::optional<std::string> shared_secret(std::string_view secret_key, std::string_view public_key);

/// `text` once, for whoever holds the secret half of one of the keys `readers`: 32 bytes for each of them and
/// 76 more. It does not tell who they are, nor who made it.
std::string seal(std::string_view text, const std::vector<std::string>& readers, std::string_view purpose);

/// The text of seal(); none if `reader` is not among its readers, or anything of it was changed.
std::optional<std::string> unseal(std::string_view sealed, const KeyPair& reader, std::string_view purpose);

}  // namespace sxb
