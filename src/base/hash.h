// Identity of content: task ids, config hashes, checksums of dataset shards (XXH3, not secret).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sxb {

/// XXH3-128 as 32 lower-case hex digits.
std::string hash_hex(const void* data, std::size_t size);
inline std::string hash_hex(std::string_view text) { return hash_hex(text.data(), text.size()); }

/// A hash over whole lines as they come: two sides that saw the same lines in the same order have the same
/// one.
class LineHash {
 public:
  LineHash();
  ~LineHash();
  LineHash(LineHash&&) noexcept;
  LineHash& operator=(LineHash&&) noexcept;

  void add(std::string_view line);
  std::int64_t lines() const { return lines_; }
  /// XXH3-128 over the lines, each with a newline, as hash_hex() writes it.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::int64_t lines_ = 0;
};

}  // namespace sxb
