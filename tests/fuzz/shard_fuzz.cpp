// Prepared datasets: index.json up to the first zero byte of the input, then the shard that it names.
#include <cstdint>

#include "base/hash.h"
#include "base/json.h"
#include "data/packed.h"
#include "fuzz/inputs.h"

namespace sxb::data {
namespace {

constexpr const char* kShard = "x-00000.bin";

/// With the true checksum, which nothing else that is mutated would have.
std::string with_checksum(std::string_view index, std::string_view shard) {
  auto json = try_parse_json(index);
  if (!json || !json->is_object() || !json->contains("shards")) return std::string(index);
  Json& shards = (*json)["shards"];
  if (!shards.is_array() || shards.empty() || !shards[0].is_object()) return std::string(index);
  if (shards[0].contains("checksum") && shards[0]["checksum"].is_string())
    shards[0]["checksum"] = hash_hex(shard);
  return dump(*json);
}

void read_all(const PackedDataset& dataset) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < dataset.rows(); ++i) {
    for (const std::uint32_t word : dataset.row(i)) {
      SXB_FUZZ_CHECK((word & kTokenMask) < dataset.vocab());
      sum += word;
    }
  }
  fuzz::use(sum);
}

}  // namespace
}  // namespace sxb::data

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  static const fuzz::Folder folder;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view shard = input.substr(std::min(end + 1, input.size()));
  folder.put(data::kShard, shard);
  folder.put("index.json", data::with_checksum(input.substr(0, end), shard));
  const auto dataset = data::PackedDataset::open(folder.path());
  if (dataset.ok()) {
    data::read_all(*dataset);
  } else {
    fuzz::check_errors(dataset.errors());
  }
  return 0;
}
