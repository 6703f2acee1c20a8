#include "base/secret.h"

#include <fmt/format.h>
#include <sodium.h>

#include "base/result.h"

namespace sxb {
namespace {

/// Once in a process, from any thread, before anything else of the library.
void need_sodium() {
  static const bool ready = ::sodium_init() >= 0;
  if (!ready) panic(__FILE__, __LINE__, "libsodium found no random source");
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string random_bytes(std::size_t count) {
  need_sodium();
  std::string bytes(count, '\0');
  ::randombytes_buf(bytes.data(), bytes.size());
  return bytes;
}

std::string random_token() {
  std::string token;
  for (const char c : random_bytes(16)) token += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return token;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
  need_sodium();
  ::crypto_auth_hmacsha256_state state;
  ::crypto_auth_hmacsha256_init(&state, bytes_of(key), key.size());
  ::crypto_auth_hmacsha256_update(&state, bytes_of(message), message.size());
  std::string mac(crypto_auth_hmacsha256_BYTES, '\0');
  ::crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(mac.data()));
  return mac;
}

bool same_secret(std::string_view a, std::string_view b) {
  need_sodium();
  return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sxb
