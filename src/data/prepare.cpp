#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/files.h"
#include "base/hash.h"
#include "base/secret.h"
#include "data/alpaca.h"
#include "data/pack.h"
#include "data/shard.h"
#include "data/tokenizer.h"

namespace sxb::data {
namespace fs = std::filesystem;
namespace {

// Tokenised as one text and masked by the token count of the prompt alone, as Stanford Alpaca's
// trainer does it: the response keeps the tokens that it has right after "### Response:".
Result<std::vector<Document>> tokenise(const std::vector<Instruction>& entries, const Tokenizer& tokenizer) {
  std::vector<Document> documents;
  documents.reserve(entries.size());
  for (const Instruction& entry : entries) {
    const std::string prompt = alpaca_prompt(entry);
    SXB_ASSIGN_OR_RETURN(const std::vector<int> prompt_ids, tokenizer.encode(prompt));
    SXB_ASSIGN_OR_RETURN(const std::vector<int> ids, tokenizer.encode(prompt + entry.output));
    documents.push_back(make_document(ids, prompt_ids.size(), tokenizer.bos(), tokenizer.eos()));
  }
  return documents;
}

Result<Json> write_shards(const Packed& packed, const PrepareOptions& options, const fs::path& folder) {
  Json shards = Json::array();
  for (std::int64_t first = 0; first < packed.counts.rows; first += options.rows_per_shard) {
    const std::int64_t rows = std::min(options.rows_per_shard, packed.counts.rows - first);
    ShardHeader header;
    header.seq_len = static_cast<std::uint32_t>(options.seq_len);
    header.rows = static_cast<std::uint64_t>(rows);
    const std::size_t payload = static_cast<std::size_t>(rows * options.seq_len) * sizeof(std::uint32_t);
    std::string bytes(sizeof header + payload, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, packed.words.data() + first * options.seq_len, payload);
    const std::string file = fmt::format("{}-{:05}.bin", options.name, shards.size());
    SXB_RETURN_IF_ERROR(write_file_atomic(folder / file, bytes));
    shards.push_back(
        {{"file", file}, {"rows", rows}, {"bytes", bytes.size()}, {"checksum", hash_hex(bytes)}});
  }
  return shards;
}

Error replace_error(const char* what, const fs::path& folder) {
  return Error{fmt::format("{}: {}", what, std::strerror(errno)), folder.string(), "",
               ExitCode::kEnvironment};
}

// A reader sees the old folder or the new one. Two writers may meet (several nodes that share a disk):
// the last one wins, and both have written the same bytes.
Status replace_folder(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  fs::remove(to, ignored);  // an empty folder only
  if (::rename(from.c_str(), to.c_str()) == 0) return ok_status();
  if (errno != ENOTEMPTY && errno != EEXIST) return replace_error("cannot create the folder", to);
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(from, ignored);
    return ok_status();
  }
  // Some file systems cannot exchange: the old folder steps aside for a moment.
  const fs::path aside = from.string() + ".old";
  if (::rename(to.c_str(), aside.c_str()) != 0) return replace_error("cannot replace the folder", to);
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const Error error = replace_error("cannot replace the folder", to);
    fs::rename(aside, to, ignored);
    return error;
  }
  fs::remove_all(aside, ignored);
  return ok_status();
}

Status check_out(const fs::path& out) {
  std::error_code ec;
  if (out.empty()) return Error{"no folder to write to", "", "give it with --out DIR"};
  if (!fs::exists(out, ec) || fs::exists(out / kIndexFile, ec)) return ok_status();
  if (fs::is_directory(out, ec) && fs::is_empty(out, ec)) return ok_status();
  return Error{"this exists and is not a prepared dataset; it is not replaced", out.string(),
               "give a new folder with --out"};
}

Status check_options(const PrepareOptions& options) {
  if (options.seq_len < 2 || options.seq_len > (1 << 24)) {
    return Error{fmt::format("the sequence length {} is not usable", options.seq_len), "--seq-len",
                 "give a length from 2 to 16777216, usually 2048"};
  }
  if (options.rows_per_shard < 1) panic(__FILE__, __LINE__, "rows_per_shard must be positive");
  const bool plain = std::all_of(options.name.begin(), options.name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (options.name.empty() || !plain) {
    return Error{fmt::format("\"{}\" cannot name a dataset", options.name), "--name",
                 "use letters, digits, '-', '_' and '.'"};
  }
  return check_out(options.out);
}

}  // namespace

Result<PrepareSummary> prepare(const PrepareOptions& requested) {
  PrepareOptions options = requested;
  // A trailing slash would put the temporary folder inside the folder that it is to replace.
  if (!options.out.empty() && !options.out.has_filename()) options.out = options.out.parent_path();
  SXB_RETURN_IF_ERROR(check_options(options));
  SXB_ASSIGN_OR_RETURN(const auto entries, load_alpaca(options.dataset));
  SXB_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::open(options.tokenizer));
  SXB_ASSIGN_OR_RETURN(auto documents, tokenise(entries, tokenizer));
  const Packed packed = pack(std::move(documents), options.seq_len, tokenizer.unknown());
  const PrepareSummary& counts = packed.counts;
  if (counts.loss_tokens == 0) {
    return Error{fmt::format("no response fits into {} tokens: nothing to train on", options.seq_len),
                 options.dataset.string(), "raise --seq-len"};
  }

  const fs::path temporary = options.out.string() + ".tmp-" + random_token().substr(0, 8);
  const auto write = [&]() -> Result<PrepareSummary> {
    SXB_ASSIGN_OR_RETURN(Json shards, write_shards(packed, options, temporary));
    Json index = {{"schema", kPackedSchema},
                  {"name", options.name},
                  {"prompt", "alpaca"},
                  {"seq_len", options.seq_len},
                  {"vocab", tokenizer.vocab()},
                  {"bos", tokenizer.bos()},
                  {"eos", tokenizer.eos()},
                  {"tokenizer_hash", tokenizer.hash()},
                  {"counts",
                   {{"documents", counts.documents},
                    {"truncated", counts.truncated},
                    {"rows", counts.rows},
                    {"tokens", counts.tokens},
                    {"loss_tokens", counts.loss_tokens},
                    {"padding", counts.padding}}},
                  {"shards", std::move(shards)}};
    // Only where there are any: a dataset without them keeps the hash that earlier builds gave it.
    if (counts.left_out > 0) index["counts"]["left_out"] = counts.left_out;
    if (counts.unknown > 0) index["counts"]["unknown"] = counts.unknown;
    SXB_RETURN_IF_ERROR(write_file_atomic(temporary / kIndexFile, pretty_json(index)));
    SXB_RETURN_IF_ERROR(replace_folder(temporary, options.out));
    PrepareSummary summary = counts;
    summary.hash = hash_hex(canonical_json(index));
    return summary;
  };
  auto summary = write();
  std::error_code ignored;
  if (!summary.ok()) fs::remove_all(temporary, ignored);
  return summary;
}

}  // namespace sxb::data
