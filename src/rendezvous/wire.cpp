#include "rendezvous/wire.h"

#include <algorithm>

#include "base/secret.h"

namespace sxb::rendezvous {
namespace {

/// Different for both directions, so that neither side's proof is one of the other.
constexpr std::string_view kRankLabel = "sxbench rendezvous 1, rank";
constexpr std::string_view kServerLabel = "sxbench rendezvous 1, server";

void put(std::string& to, std::uint32_t value, int bytes = 4) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) to += static_cast<char>((value >> shift) & 0xFF);
}

/// Takes values off the front of `bytes`; fails once and for all when there are too few.
class Take {
 public:
  explicit Take(std::string_view bytes) : rest_(bytes) {}

  std::string_view text(std::size_t count) {
    if (count > rest_.size()) failed_ = true;
    if (failed_) return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint32_t number(std::size_t bytes = 4) {
    std::uint32_t value = 0;
    for (const char byte : text(bytes)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::string_view rest() { return text(rest_.size()); }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

/// What both proofs cover: every part has a fixed length.
std::string claims(std::string_view label, std::string_view server_nonce, const Hello& hello) {
  std::string text(label);
  text += server_nonce;
  text += hello.nonce;
  put(text, hello.rank);
  put(text, hello.world);
  put(text, hello.tries);
  return text;
}

std::string proof_of_rank(std::string_view token, std::string_view server_nonce, const Hello& hello) {
  return hmac_sha256(token, claims(kRankLabel, server_nonce, hello));
}

std::string proof_of_server(std::string_view token, std::string_view server_nonce, const Hello& hello,
                            Entry entry) {
  return hmac_sha256(token, claims(kServerLabel, server_nonce, hello) + static_cast<char>(entry));
}

}  // namespace

std::string write_greeting(std::string_view nonce) { return std::string(kMagic) += nonce; }

std::optional<std::string> parse_greeting(std::string_view bytes) {
  if (bytes.size() != kGreetingBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  return std::string(bytes.substr(kMagic.size()));
}

std::string write_hello(std::string_view token, std::string_view server_nonce, const Hello& hello) {
  std::string bytes(kMagic);
  bytes += hello.nonce;
  put(bytes, hello.rank);
  put(bytes, hello.world);
  put(bytes, hello.tries);
  return bytes += proof_of_rank(token, server_nonce, hello);
}

bool may_be_hello(std::string_view bytes) {
  const std::size_t known = std::min(bytes.size(), kMagic.size());
  return bytes.size() <= kHelloBytes && bytes.substr(0, known) == kMagic.substr(0, known);
}

std::optional<SignedHello> parse_hello(std::string_view bytes) {
  if (bytes.size() != kHelloBytes || !may_be_hello(bytes)) return std::nullopt;
  Take take(bytes.substr(kMagic.size()));
  SignedHello parsed;
  parsed.hello.nonce = take.text(kNonceBytes);
  parsed.hello.rank = take.number();
  parsed.hello.world = take.number();
  parsed.hello.tries = take.number();
  parsed.proof = take.text(kProofBytes);
  return parsed;
}

bool proves(std::string_view token, std::string_view server_nonce, const SignedHello& hello) {
  return same_secret(hello.proof, proof_of_rank(token, server_nonce, hello.hello));
}

std::string write_welcome(std::string_view token, std::string_view server_nonce, const Hello& hello,
                          Entry entry) {
  std::string bytes(1, static_cast<char>(entry));
  // Who has not proved the token gets nothing that was made with it.
  return bytes += entry == Entry::kWrongProof ? std::string(kProofBytes, '\0')
                                              : proof_of_server(token, server_nonce, hello, entry);
}

std::optional<Entry> parse_welcome(std::string_view token, std::string_view server_nonce, const Hello& hello,
                                   std::string_view bytes) {
  if (bytes.size() != kWelcomeBytes) return std::nullopt;
  const auto code = static_cast<std::uint8_t>(bytes.front());
  if (code > static_cast<std::uint8_t>(Entry::kNoSuchRank)) return std::nullopt;
  const Entry entry = static_cast<Entry>(code);
  if (entry == Entry::kWrongProof) return entry;
  if (!same_secret(bytes.substr(1), proof_of_server(token, server_nonce, hello, entry))) return std::nullopt;
  return entry;
}

Limits limits_for(int world) {
  const auto ranks = static_cast<std::size_t>(world);
  Limits limits;
  limits.value_bytes = (64 << 10) + 256 * ranks;
  limits.keys_of_rank = 1 << 16;
  limits.bytes_of_rank = (16 << 20) + (2 << 10) * ranks;
  constexpr std::size_t kHead = 4 + 1 + 2;  // id, verb or code, count of keys
  limits.request_bytes = kHead + limits.key_bytes + 2 + limits.value_bytes;
  limits.answer_bytes = kHead + limits.value_bytes;
  return limits;
}

std::string write_request(const Request& request) {
  std::string body;
  put(body, request.id);
  put(body, static_cast<std::uint32_t>(request.verb), 1);
  put(body, static_cast<std::uint32_t>(request.keys.size()), 2);
  for (const std::string& key : request.keys) {
    put(body, static_cast<std::uint32_t>(key.size()), 2);
    body += key;
  }
  body += request.value;
  std::string frame;
  put(frame, static_cast<std::uint32_t>(body.size()));
  return frame += body;
}

std::optional<Request> parse_request(std::string_view frame, const Limits& limits) {
  Take take(frame);
  Request request;
  request.id = take.number();
  const std::uint32_t verb = take.number(1);
  const std::size_t count = take.number(2);
  if (verb < static_cast<std::uint32_t>(Verb::kSet) || verb > static_cast<std::uint32_t>(Verb::kMissing))
    return std::nullopt;
  request.verb = static_cast<Verb>(verb);
  if (count < 1 || count > (request.verb == Verb::kWait ? limits.keys_of_a_wait : 1)) return std::nullopt;
  for (std::size_t i = 0; i < count && !take.failed(); ++i) {
    const std::size_t size = take.number(2);
    if (size > limits.key_bytes) return std::nullopt;
    request.keys.emplace_back(take.text(size));
  }
  request.value = take.rest();
  if (take.failed() || request.value.size() > limits.value_bytes) return std::nullopt;
  if (request.verb != Verb::kSet && !request.value.empty()) return std::nullopt;
  return request;
}

std::string write_answer(const Answer& answer) {
  std::string frame;
  put(frame, static_cast<std::uint32_t>(4 + 1 + answer.value.size()));
  put(frame, answer.id);
  put(frame, static_cast<std::uint32_t>(answer.code), 1);
  return frame += answer.value;
}

std::optional<Answer> parse_answer(std::string_view frame) {
  Take take(frame);
  Answer answer;
  answer.id = take.number();
  const std::uint32_t code = take.number(1);
  answer.value = take.rest();
  if (take.failed() || code > static_cast<std::uint32_t>(Code::kMalformed)) return std::nullopt;
  answer.code = static_cast<Code>(code);
  return answer;
}

std::string write_ranks(const std::vector<int>& ranks) {
  std::string bytes;
  for (const int rank : ranks) put(bytes, static_cast<std::uint32_t>(rank));
  return bytes;
}

std::vector<int> parse_ranks(std::string_view bytes) {
  Take take(bytes);
  std::vector<int> ranks;
  for (std::size_t i = 0; i < bytes.size() / 4; ++i) ranks.push_back(static_cast<int>(take.number()));
  return ranks;
}

std::optional<std::string_view> Frames::next() {
  buffer_.erase(0, taken_);
  taken_ = 0;
  constexpr std::size_t kLengthBytes = 4;
  if (broken_ || buffer_.size() < kLengthBytes) return std::nullopt;
  const std::size_t length = Take(buffer_).number();
  broken_ = length > most_bytes_;
  if (broken_ || buffer_.size() < kLengthBytes + length) return std::nullopt;
  taken_ = kLengthBytes + length;
  return std::string_view(buffer_).substr(kLengthBytes, length);
}

}  // namespace sxb::rendezvous
