#include "data/packed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "data/mapped_file.h"
#include "data/shard.h"

namespace sxb::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPrepareAgain =
    "prepare it again: sxbench data prepare --dataset X --tokenizer Y --out DIR";

struct ShardEntry {
  std::string file, checksum;
  std::int64_t rows = 0, bytes = 0;
};

struct Index {
  std::string name, tokenizer_hash;
  std::int64_t seq_len = 0, vocab = 0, bos = -1, eos = -1;
  PrepareSummary counts;
  std::vector<ShardEntry> shards;
};

Error dataset_error(std::string what, const fs::path& where) {
  return Error{std::move(what), where.string(), kPrepareAgain};
}

Result<Index> read_index(const fs::path& file) {
  if (!fs::exists(file)) return dataset_error("this is not a prepared dataset: it has no index.json", file);
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(file));
  const Json schema = json.is_object() ? json.value("schema", Json()) : Json();
  if (schema != kPackedSchema) {
    return dataset_error(
        fmt::format("the dataset has schema {}, this sxbench reads {}", dump(schema), kPackedSchema), file);
  }
  Index index;
  try {
    json.at("name").get_to(index.name);
    json.at("seq_len").get_to(index.seq_len);
    json.at("vocab").get_to(index.vocab);
    json.at("tokenizer_hash").get_to(index.tokenizer_hash);
    index.bos = json.value("bos", index.bos);
    index.eos = json.value("eos", index.eos);
    const Json& counts = json.at("counts");
    counts.at("documents").get_to(index.counts.documents);
    counts.at("truncated").get_to(index.counts.truncated);
    counts.at("rows").get_to(index.counts.rows);
    counts.at("tokens").get_to(index.counts.tokens);
    counts.at("loss_tokens").get_to(index.counts.loss_tokens);
    counts.at("padding").get_to(index.counts.padding);
    for (const Json& shard : json.at("shards")) {
      index.shards.push_back({shard.at("file").get<std::string>(), shard.at("checksum").get<std::string>(),
                              shard.at("rows").get<std::int64_t>(), shard.at("bytes").get<std::int64_t>()});
    }
  } catch (const nlohmann::json::exception& e) {
    return dataset_error(fmt::format("index.json is damaged: {}", e.what()), file);
  }
  if (index.seq_len <= 0 || index.vocab <= 0 || index.vocab > std::int64_t{kTokenMask} + 1) {
    return dataset_error(
        fmt::format("index.json is damaged: seq_len {}, vocab {}", index.seq_len, index.vocab), file);
  }
  std::int64_t rows = 0;
  for (const ShardEntry& shard : index.shards) rows += shard.rows;
  if (rows != index.counts.rows) {
    return dataset_error(
        fmt::format("index.json is damaged: {} rows, but the shards hold {}", index.counts.rows, rows), file);
  }
  if (rows == 0) return dataset_error("the dataset is empty", file);
  index.counts.hash = hash_hex(canonical_json(json));
  return index;
}

// Sizes first: a truncated file must be called so, not "wrong checksum".
Status check_shard(std::span<const std::byte> bytes, const ShardEntry& entry, const Index& index,
                   const fs::path& file) {
  const std::int64_t expected =
      static_cast<std::int64_t>(sizeof(ShardHeader)) + entry.rows * index.seq_len * std::int64_t{4};
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size != expected || entry.bytes != expected) {
    return dataset_error(
        fmt::format("the shard has {} bytes, {} rows of {} tokens need {}: {}", size, entry.rows,
                    index.seq_len, expected, size < expected ? "it is truncated" : "it is damaged"),
        file);
  }
  ShardHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kShardMagic || header.version != kPackedSchema || header.seq_len != index.seq_len ||
      header.rows != static_cast<std::uint64_t>(entry.rows)) {
    return dataset_error("the header of the shard does not match index.json", file);
  }
  if (hash_hex(bytes.data(), bytes.size()) != entry.checksum) {
    return dataset_error("the checksum of the shard does not match index.json: the file is damaged", file);
  }
  return ok_status();
}

// A checksum cannot say that the index claims too small a vocabulary; an id beyond it would read
// outside the embedding on the GPU.
Status check_vocab(std::span<const std::uint32_t> words, std::int64_t vocab, const fs::path& file) {
  std::uint32_t highest = 0;
  for (const std::uint32_t word : words) highest = std::max(highest, word & kTokenMask);
  if (highest < vocab) return ok_status();
  return dataset_error(fmt::format("token id {} is not below the vocabulary of {}", highest, vocab), file);
}

}  // namespace

struct PackedDataset::Impl {
  struct Shard {
    MappedFile file;
    const std::uint32_t* words;
    std::int64_t first_row;
  };
  Index index;
  std::vector<Shard> shards;
};

PackedDataset::PackedDataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedDataset::PackedDataset(PackedDataset&&) noexcept = default;
PackedDataset& PackedDataset::operator=(PackedDataset&&) noexcept = default;
PackedDataset::~PackedDataset() = default;

Result<PackedDataset> PackedDataset::open(const fs::path& dir) {
  auto impl = std::make_unique<Impl>();
  SXB_ASSIGN_OR_RETURN(impl->index, read_index(dir / kIndexFile));
  const Index& index = impl->index;
  std::int64_t first_row = 0;
  for (const ShardEntry& entry : index.shards) {
    const fs::path path = dir / entry.file;
    if (!fs::exists(path)) return dataset_error("a shard named in index.json is missing", path);
    if (entry.rows <= 0 || entry.rows > (std::int64_t{1} << 56) / index.seq_len) {
      return dataset_error(fmt::format("index.json is damaged: a shard of {} rows", entry.rows), path);
    }
    SXB_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
    const auto bytes = file.bytes();
    SXB_RETURN_IF_ERROR(check_shard(bytes, entry, index, path));
    const auto* words = reinterpret_cast<const std::uint32_t*>(bytes.data() + sizeof(ShardHeader));
    SXB_RETURN_IF_ERROR(
        check_vocab({words, static_cast<std::size_t>(entry.rows * index.seq_len)}, index.vocab, path));
    impl->shards.push_back({std::move(file), words, first_row});
    first_row += entry.rows;
  }
  return PackedDataset(std::move(impl));
}

std::int64_t PackedDataset::rows() const { return impl_->index.counts.rows; }
std::int64_t PackedDataset::seq_len() const { return impl_->index.seq_len; }
std::int64_t PackedDataset::vocab() const { return impl_->index.vocab; }
std::int64_t PackedDataset::bos() const { return impl_->index.bos; }
std::int64_t PackedDataset::eos() const { return impl_->index.eos; }
std::int64_t PackedDataset::documents() const { return impl_->index.counts.documents; }
const PrepareSummary& PackedDataset::counts() const { return impl_->index.counts; }
const std::string& PackedDataset::name() const { return impl_->index.name; }
const std::string& PackedDataset::hash() const { return impl_->index.counts.hash; }

const std::string& PackedDataset::tokenizer_hash() const { return impl_->index.tokenizer_hash; }

std::span<const std::uint32_t> PackedDataset::row(std::int64_t i) const {
  if (i < 0 || i >= rows()) panic(__FILE__, __LINE__, "PackedDataset::row: out of range");
  const auto after =
      std::upper_bound(impl_->shards.begin(), impl_->shards.end(), i,
                       [](std::int64_t row, const Impl::Shard& s) { return row < s.first_row; });
  const Impl::Shard& shard = *(after - 1);
  return {shard.words + (i - shard.first_row) * seq_len(), static_cast<std::size_t>(seq_len())};
}

}  // namespace sxb::data
