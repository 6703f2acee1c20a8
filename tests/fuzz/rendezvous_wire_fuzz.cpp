// Everything that either side of the rendezvous reads, and the store behind it, without sockets.
#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/driver.h"
#include "rendezvous/store.h"
#include "rendezvous/wire.h"

namespace sxb::rendezvous {
namespace {

constexpr int kWorld = 3;
constexpr std::string_view kToken = "a token that is in no input";

void before_the_proof(std::string_view bytes) {
  const std::string nonce(kNonceBytes, 'n');
  if (const auto greeting = parse_greeting(bytes)) SXB_FUZZ_CHECK(write_greeting(*greeting) == bytes);
  if (const auto hello = parse_hello(bytes)) {
    SXB_FUZZ_CHECK(may_be_hello(bytes));
    SXB_FUZZ_CHECK(!proves(kToken, nonce, *hello));
  }
  const auto entry = parse_welcome(kToken, nonce, {std::string(kNonceBytes, 'c'), 1, kWorld, 0}, bytes);
  SXB_FUZZ_CHECK(!entry || *entry == Entry::kWrongProof);
}

/// In pieces as a network would deliver them: their size is the first byte's.
template <typename Take>
void each_frame(std::string_view bytes, std::size_t most, const Take& take) {
  Frames frames(most);
  const std::size_t piece = bytes.empty() ? 1 : 1 + static_cast<unsigned char>(bytes.front());
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    frames.add(bytes.substr(at, piece));
    while (const auto frame = frames.next()) {
      SXB_FUZZ_CHECK(frame->size() <= most);
      take(*frame);
    }
  }
}

/// As the server does with what ranks send; the id says from which.
void requests(std::string_view bytes) {
  const Limits limits = limits_for(kWorld);
  std::size_t asked = 0, answered = 0;
  Store store(kWorld, [&](int rank, const Answer& answer) {
    SXB_FUZZ_CHECK(rank >= 0 && rank < kWorld);
    ++answered;
    const std::string frame = write_answer(answer);
    SXB_FUZZ_CHECK(frame.size() - 4 <= limits.answer_bytes);
    const auto parsed = parse_answer(std::string_view(frame).substr(4));
    SXB_FUZZ_CHECK(parsed && parsed->id == answer.id && parsed->code == answer.code &&
                   parsed->value == answer.value);
  });
  each_frame(bytes, limits.request_bytes, [&](std::string_view frame) {
    const auto request = parse_request(frame, limits);
    if (!request) return;
    SXB_FUZZ_CHECK(std::string_view(write_request(*request)).substr(4) == frame);
    ++asked;
    const int rank = static_cast<int>(request->id % kWorld);
    store.handle(rank, *request);
    if (request->id % 7 == 0) store.gone(rank);
  });
  SXB_FUZZ_CHECK(answered <= asked);
}

void answers(std::string_view bytes) {
  each_frame(bytes, limits_for(kWorld).answer_bytes, [](std::string_view frame) {
    const auto answer = parse_answer(frame);
    if (!answer) return;
    SXB_FUZZ_CHECK(std::string_view(write_answer(*answer)).substr(4) == frame);
    for (const int rank : parse_ranks(answer->value)) static_cast<void>(rank);
  });
}

}  // namespace
}  // namespace sxb::rendezvous

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb::rendezvous;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  before_the_proof(bytes);
  requests(bytes);
  answers(bytes);
  return 0;
}
