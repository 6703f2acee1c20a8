#include "base/hash.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sxb {

namespace {

std::string hex_of(const XXH128_hash_t& hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

std::string hash_hex(const void* data, std::size_t size) { return hex_of(XXH3_128bits(data, size)); }

struct LineHash::State {
  XXH3_state_t xxh3;
};

LineHash::LineHash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
LineHash::~LineHash() = default;
LineHash::LineHash(LineHash&&) noexcept = default;
LineHash& LineHash::operator=(LineHash&&) noexcept = default;

void LineHash::add(std::string_view line) {
  XXH3_128bits_update(&state_->xxh3, line.data(), line.size());
  XXH3_128bits_update(&state_->xxh3, "\n", 1);
  ++lines_;
}

std::string LineHash::hex() const { return hex_of(XXH3_128bits_digest(&state_->xxh3)); }

}  // namespace sxb
