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

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

constexpr std::size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kKeyBytes == crypto_scalarmult_BYTES && kKeyBytes == crypto_scalarmult_SCALARBYTES);
/// seal() begins with the number of readers.
constexpr std::size_t kCountBytes = 4;

/// What hides the key of a text from all but one reader: BLAKE2b of the secret that only writer and reader
/// can compute. Used for one text, because the writer's pair is.
std::string pad_of(const std::string& shared, const std::string& writer, const std::string& reader,
                   std::string_view purpose) {
  const std::string input = shared + writer + reader + std::string(purpose);
  std::string pad(kKeyBytes, '\0');
  ::crypto_generichash(bytes_of(pad), pad.size(), bytes_of(input), input.size(), nullptr, 0);
  return pad;
}

std::string exclusive_or(std::string_view a, std::string_view b) {
  std::string result(a);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<char>(result[i] ^ b[i]);
  return result;
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

std::string encrypt(std::string_view key, std::string_view text, std::string_view purpose) {
  if (key.size() != kKeyBytes) panic(__FILE__, __LINE__, "a key has 32 bytes");
  std::string encrypted = random_bytes(kNonceBytes);
  const std::string nonce = encrypted;
  encrypted.resize(kNonceBytes + text.size() + kTagBytes);
  ::crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(encrypted) + kNonceBytes, nullptr, bytes_of(text),
                                               text.size(), bytes_of(purpose), purpose.size(), nullptr,
                                               bytes_of(nonce), bytes_of(key));
  return encrypted;
}

std::optional<std::string> decrypt(std::string_view key, std::string_view encrypted,
                                   std::string_view purpose) {
  need_sodium();
  if (key.size() != kKeyBytes || encrypted.size() < kNonceBytes + kTagBytes) return std::nullopt;
  const std::string_view nonce = encrypted.substr(0, kNonceBytes), rest = encrypted.substr(kNonceBytes);
  std::string text(rest.size() - kTagBytes, '\0');
  const int code = ::crypto_aead_xchacha20poly1305_ietf_decrypt(
      bytes_of(text), nullptr, nullptr, bytes_of(rest), rest.size(), bytes_of(purpose), purpose.size(),
      bytes_of(nonce), bytes_of(key));
  if (code != 0) return std::nullopt;
  return text;
}

KeyPair make_key_pair() { return *pair_of(random_bytes(kKeyBytes)); }

std::optional<KeyPair> pair_of(std::string_view secret_key) {
  need_sodium();
  if (secret_key.size() != kKeyBytes) return std::nullopt;
  KeyPair pair = {std::string(kKeyBytes, '\0'), std::string(secret_key)};
  ::crypto_scalarmult_base(bytes_of(pair.public_key), bytes_of(secret_key));
  return pair;
}

std::optional<std::string> shared_secret(std::string_view secret_key, std::string_view public_key) {
  need_sodium();
  if (secret_key.size() != kKeyBytes || public_key.size() != kKeyBytes) return std::nullopt;
  std::string shared(kKeyBytes, '\0');
  if (::crypto_scalarmult(bytes_of(shared), bytes_of(secret_key), bytes_of(public_key)) != 0)
    return std::nullopt;
  return shared;
}

std::string seal(std::string_view text, const std::vector<std::string>& readers, std::string_view purpose) {
  const KeyPair writer = make_key_pair();
  const std::string key = random_bytes(kKeyBytes);
  std::string sealed;
  for (std::size_t i = 0; i < kCountBytes; ++i)
    sealed += static_cast<char>((readers.size() >> (8 * i)) & 0xff);
  sealed += writer.public_key;
  for (const std::string& reader : readers) {
    const auto shared = shared_secret(writer.secret_key, reader);
    // What is no key gets nothing, rather than what everybody could compute.
    sealed += shared ? exclusive_or(key, pad_of(*shared, writer.public_key, reader, purpose))
                     : random_bytes(kKeyBytes);
  }
  return sealed + encrypt(key, text, purpose);
}

std::optional<std::string> unseal(std::string_view sealed, const KeyPair& reader, std::string_view purpose) {
  std::size_t count = 0;
  if (sealed.size() < kCountBytes + kKeyBytes) return std::nullopt;
  for (std::size_t i = 0; i < kCountBytes; ++i)
    count |= static_cast<std::size_t>(static_cast<unsigned char>(sealed[i])) << (8 * i);
  const std::string writer(sealed.substr(kCountBytes, kKeyBytes));
  sealed.remove_prefix(kCountBytes + kKeyBytes);
  if (count > sealed.size() / kKeyBytes) return std::nullopt;
  const auto shared = shared_secret(reader.secret_key, writer);
  if (!shared) return std::nullopt;
  const std::string pad = pad_of(*shared, writer, reader.public_key, purpose);
  const std::string_view encrypted = sealed.substr(count * kKeyBytes);
  // Which of them is the reader's own only the tag tells: a thousand tries take milliseconds.
  for (std::size_t i = 0; i < count; ++i) {
    auto text = decrypt(exclusive_or(sealed.substr(i * kKeyBytes, kKeyBytes), pad), encrypted, purpose);
    if (text) return text;
  }
  return std::nullopt;
}

}  // namespace sxb
