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

constexpr std::int64_t kMostWords = std::int64_t{1} << 56;
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

/// Members by name, and the first of them that is missing or of another type.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  void read(const char* key, std::string& out) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_string()) return fail(key);
    out = value->get<std::string>();
  }
  void read(const char* key, std::int64_t& out) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number_integer()) return fail(key);
    out = value->get<std::int64_t>();
  }
  /// An object or a list; an empty one if it is neither.
  const Json& inner(const char* key) {
    static const Json kNone;
    const Json* value = find(key);
    if (value != nullptr && value->is_structured()) return *value;
    fail(key);
    return kNone;
  }
  bool has(const char* key) const { return find(key) != nullptr; }
  const std::string& wrong() const { return wrong_; }

 private:
  const Json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  void fail(const char* key) {
    if (wrong_.empty()) wrong_ = key;
  }

  const Json& object_;
  std::string wrong_;
};

/// Fills `index`; the name of what is wrong, "" if nothing is.
std::string read_members(const Json& json, Index& index) {
  Members members(json);
  members.read("name", index.name);
  members.read("seq_len", index.seq_len);
  members.read("vocab", index.vocab);
  members.read("tokenizer_hash", index.tokenizer_hash);
  Members counts(members.inner("counts"));
  counts.read("documents", index.counts.documents);
  counts.read("truncated", index.counts.truncated);
  counts.read("rows", index.counts.rows);
  counts.read("tokens", index.counts.tokens);
  counts.read("loss_tokens", index.counts.loss_tokens);
  counts.read("padding", index.counts.padding);
  if (counts.has("left_out")) counts.read("left_out", index.counts.left_out);
  if (counts.has("unknown")) counts.read("unknown", index.counts.unknown);
  if (members.has("bos")) members.read("bos", index.bos);
  if (members.has("eos")) members.read("eos", index.eos);
  if (!members.wrong().empty()) return members.wrong();
  if (!counts.wrong().empty()) return "counts/" + counts.wrong();
  for (const Json& item : members.inner("shards")) {
    ShardEntry entry;
    Members shard(item);
    shard.read("file", entry.file);
    shard.read("checksum", entry.checksum);
    shard.read("rows", entry.rows);
    shard.read("bytes", entry.bytes);
    if (!shard.wrong().empty()) return fmt::format("shards/{}/{}", index.shards.size(), shard.wrong());
    index.shards.push_back(std::move(entry));
  }
  return members.wrong();
}

Result<Index> read_index(const fs::path& file) {
  std::error_code ec;
  if (!fs::exists(file, ec))
    return dataset_error("this is not a prepared dataset: it has no index.json", file);
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(file));
  const Json schema = json.is_object() ? json.value("schema", Json()) : Json();
  if (schema != kPackedSchema) {
    return dataset_error(
        fmt::format("the dataset has schema {}, this sxbench reads {}", dump(schema), kPackedSchema), file);
  }
  Index index;
  if (const std::string wrong = read_members(json, index); !wrong.empty())
    return dataset_error(fmt::format("index.json is damaged: \"{}\" is missing or of another type", wrong),
                         file);
  if (index.seq_len <= 0 || index.vocab <= 0 || index.vocab > std::int64_t{kTokenMask} + 1) {
    return dataset_error(
        fmt::format("index.json is damaged: seq_len {}, vocab {}", index.seq_len, index.vocab), file);
  }
  std::int64_t rows = 0;
  for (const ShardEntry& shard : index.shards) {
    if (shard.rows <= 0 || shard.rows > kMostWords / index.seq_len) {
      return dataset_error(fmt::format("index.json is damaged: a shard of {} rows", shard.rows), file);
    }
    if (shard.file.empty() || fs::path(shard.file).filename() != shard.file) {
      return dataset_error(
          fmt::format("index.json is damaged: a shard \"{}\", which is not a plain file name", shard.file),
          file);
    }
    rows = std::min(rows + shard.rows, kMostWords);
  }
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

std::int64_t count_rows_without_loss(const std::uint32_t* words, std::int64_t rows, std::int64_t seq_len) {
  std::int64_t count = 0;
  for (std::int64_t row = 0; row < rows; ++row, words += seq_len) {
    count += std::none_of(words, words + seq_len, [](std::uint32_t word) { return (word & kLossBit) != 0; });
  }
  return count;
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
  std::int64_t rows_without_loss = 0;
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
    std::error_code ec;
    if (!fs::exists(path, ec)) return dataset_error("a shard named in index.json is missing", path);
    SXB_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
    const auto bytes = file.bytes();
    SXB_RETURN_IF_ERROR(check_shard(bytes, entry, index, path));
    const auto* words = reinterpret_cast<const std::uint32_t*>(bytes.data() + sizeof(ShardHeader));
    SXB_RETURN_IF_ERROR(
        check_vocab({words, static_cast<std::size_t>(entry.rows * index.seq_len)}, index.vocab, path));
    impl->rows_without_loss += count_rows_without_loss(words, entry.rows, index.seq_len);
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
std::int64_t PackedDataset::rows_without_loss() const { return impl_->rows_without_loss; }
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
