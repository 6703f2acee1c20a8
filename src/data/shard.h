// The bytes of a prepared dataset, shared by its writer (prepare.cpp) and its reader (packed.cpp):
// index.json and <name>-00000.bin ..., a 32-byte header and then rows * seq_len little-endian words.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace sxb::data {

static_assert(std::endian::native == std::endian::little, "shards are mapped as they lie on disk");

inline constexpr int kPackedSchema = 1;
inline constexpr const char* kIndexFile = "index.json";
inline constexpr std::array<char, 8> kShardMagic = {'S', 'X', 'B', 'P', 'A', 'C', 'K', '\0'};

struct ShardHeader {
  std::array<char, 8> magic = kShardMagic;
  std::uint32_t version = kPackedSchema;
  std::uint32_t seq_len = 0;
  std::uint64_t rows = 0;
  std::uint64_t reserved = 0;
};
static_assert(sizeof(ShardHeader) == 32);

}  // namespace sxb::data
