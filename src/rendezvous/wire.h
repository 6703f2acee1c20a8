// The bytes of the rendezvous: the mutual proof of the run's token, and the frames after it. Pure: no
// sockets, no state but what has been read so far. In words: docs/security.md. Integers are big-endian.
//
//   rank:   knock      magic                                          without it the server says nothing
//   server: greeting   magic, nonce
//   rank:   hello      magic, nonce, rank, world, tries, proof        of a fixed length
//   server: welcome    entry, proof                                   the end, unless it admits
//   rank:   request    length, id, verb, keys, value                  as often as it likes
//   server: answer     length, id, code, value                        in the order in which waits come true
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sxb::rendezvous {

// ---- Before the proof: everything has a fixed length
// -------------------------------------------------------

/// Changes with the protocol.
inline constexpr std::string_view kMagic = "SXBmeet1";
inline constexpr std::size_t kNonceBytes = 32;
inline constexpr std::size_t kProofBytes = 32;
inline constexpr std::size_t kGreetingBytes = kMagic.size() + kNonceBytes;
inline constexpr std::size_t kHelloBytes =
    kMagic.size() + kNonceBytes + 3 * sizeof(std::uint32_t) + kProofBytes;
inline constexpr std::size_t kWelcomeBytes = 1 + kProofBytes;

/// What a rank says of itself. The proof covers all of it and both nonces.
struct Hello {
  std::string nonce;  ///< kNonceBytes, of the rank's choice
  std::uint32_t rank = 0;
  std::uint32_t world = 0;
  std::uint32_t tries = 0;  ///< connections before this one that ended without a welcome
};

enum class Entry : std::uint8_t {
  kAdmitted = 0,
  kWrongProof = 1,  ///< another token; the welcome then proves nothing either
  kRankTaken = 2,   ///< this rank is there already
  kNoSuchRank = 3   ///< the rank or the number of ranks is not of this task
};

std::string write_greeting(std::string_view nonce);
/// The server's nonce; nothing unless these are kGreetingBytes of a greeting.
std::optional<std::string> parse_greeting(std::string_view bytes);

std::string write_hello(std::string_view token, std::string_view server_nonce, const Hello& hello);
/// Whether `bytes`, the first of a hello, may still become one.
bool may_be_hello(std::string_view bytes);
struct SignedHello {
  Hello hello;
  std::string proof;
};
std::optional<SignedHello> parse_hello(std::string_view bytes);
bool proves(std::string_view token, std::string_view server_nonce, const SignedHello& hello);

std::string write_welcome(std::string_view token, std::string_view server_nonce, const Hello& hello,
                          Entry entry);
/// Nothing unless the server proves the token in it, or says kWrongProof.
std::optional<Entry> parse_welcome(std::string_view token, std::string_view server_nonce, const Hello& hello,
                                   std::string_view bytes);

// ---- After it: frames
// ---------------------------------------------------------------------------------------

/// What a rank may take of the server's memory.
struct Limits {
  std::size_t key_bytes = 256;
  std::size_t keys_of_a_wait = 1024;
  std::size_t value_bytes = 0;
  std::size_t keys_of_rank = 0;   ///< that one rank sets, meetings included
  std::size_t bytes_of_rank = 0;  ///< of these keys and values, with kKeyOverheadBytes for each
  std::size_t request_bytes = 0;  ///< of a frame, without its length
  std::size_t answer_bytes = 0;
};
inline constexpr std::size_t kKeyOverheadBytes = 64;

/// For `world` ranks. The largest value is what Gloo says of a rank, 136 bytes for each other rank; the most
/// keys are those of `sxbench locate`, which sets about six a round.
Limits limits_for(int world);

enum class Verb : std::uint8_t {
  kSet = 1,      ///< one key and its value
  kWait = 2,     ///< answered when all keys are there
  kGet = 3,      ///< answered with the value when the key is there
  kMeet = 4,     ///< this rank has come to the meeting that the key names; answered when all ranks have
  kArrive = 5,   ///< the same without waiting: never answered
  kMissing = 6,  ///< answered with the ranks that have not come to that meeting
};

struct Request {
  std::uint32_t id = 0;  ///< of the rank's choice; the answer has it
  Verb verb = Verb::kSet;
  std::vector<std::string> keys;
  std::string value;
};

enum class Code : std::uint8_t {
  kOk = 0,
  kConflict = 1,   ///< the key has another value already; value: the rank that set it
  kForbidden = 2,  ///< the key belongs to another rank
  kTooMuch = 3,    ///< beyond Limits
  kMalformed = 4   ///< no request
};

struct Answer {
  std::uint32_t id = 0;
  Code code = Code::kOk;
  std::string value;
};

/// Whole frames, with their length in front.
std::string write_request(const Request& request);
std::string write_answer(const Answer& answer);
/// Of frames as Frames hands them out. Nothing if they are none, or beyond the limits.
std::optional<Request> parse_request(std::string_view frame, const Limits& limits);
std::optional<Answer> parse_answer(std::string_view frame);

/// The value of an answer to kMissing.
std::string write_ranks(const std::vector<int>& ranks);
std::vector<int> parse_ranks(std::string_view bytes);

/// Cuts what was read into frames. Holds no more than a frame and what was read with it.
class Frames {
 public:
  explicit Frames(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  void add(std::string_view bytes) { buffer_ += bytes; }
  /// The next frame without its length, valid until the next call of either; nothing if it is not there yet.
  std::optional<std::string_view> next();
  /// A frame is longer than allowed: nothing more comes out.
  bool broken() const { return broken_; }

 private:
  std::size_t most_bytes_;
  std::string buffer_;
  std::size_t taken_ = 0;  ///< bytes at the beginning of buffer_ that are done with
  bool broken_ = false;
};

}  // namespace sxb::rendezvous
