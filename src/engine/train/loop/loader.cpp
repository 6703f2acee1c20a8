#include "engine/train/loop/loader.h"

#include <algorithm>
#include <stdexcept>

#include "base/splitmix64.h"

namespace sxb::engine::train {

BatchBuilder::BatchBuilder(std::int64_t rows, std::int64_t seq_len) {
  batch_.rows = rows;
  batch_.seq_len = seq_len;
  const std::size_t T = static_cast<std::size_t>(rows * seq_len);
  batch_.token.resize(T);
  batch_.target.assign(T, -1);
  batch_.position.resize(T);
}

void BatchBuilder::close_document(std::int64_t end, bool padding) {
  const std::int64_t length = end - batch_.start.back();
  batch_.max_document = std::max(batch_.max_document, length);
  if (padding) return;
  batch_.tokens += length;
  batch_.documents += 1;
  batch_.sum_len_sq += static_cast<double>(length) * static_cast<double>(length);
}

void BatchBuilder::add_row(const std::uint32_t* words) {
  const std::int64_t S = batch_.seq_len;
  const std::int64_t row_start = next_row_++ * S;
  bool padding = (words[0] & data::kPaddingBit) != 0;
  batch_.start.push_back(static_cast<std::int32_t>(row_start));
  for (std::int64_t t = 0; t < S; ++t) {
    const std::uint32_t word = words[t];
    const bool is_padding = (word & data::kPaddingBit) != 0;
    const bool starts = t > 0 && ((word & data::kDocumentStartBit) != 0 || is_padding != padding);
    if (starts) {
      close_document(row_start + t, padding);
      batch_.start.push_back(static_cast<std::int32_t>(row_start + t));
      batch_.whole_rows = false;
      padding = is_padding;
    }
    const std::size_t i = static_cast<std::size_t>(row_start + t);
    batch_.token[i] = static_cast<std::int32_t>(word & data::kTokenMask);
    batch_.position[i] = static_cast<std::int32_t>(row_start + t - batch_.start.back());
    // Position t predicts word t+1 only inside one document.
    if (t > 0 && !starts && (word & data::kLossBit) != 0) {
      batch_.target[i - 1] = batch_.token[i];
      batch_.loss_tokens += 1;
    }
  }
  close_document(row_start + S, padding);
}

HostBatch BatchBuilder::finish() {
  batch_.start.push_back(static_cast<std::int32_t>(batch_.T()));
  return std::move(batch_);
}

Loader::Loader(const data::PackedDataset* dataset, const LoaderOptions& options)
    : dataset_(dataset), options_(options), thread_([this] { run(); }) {}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Loader::any_loss_tokens(std::int64_t first, std::int64_t count) const {
  for (std::int64_t micro_step = first; micro_step < first + count; ++micro_step) {
    for (int rank = 0; rank < options_.world; ++rank) {
      if (build_for(rank, micro_step).loss_tokens > 0) return true;
    }
  }
  return false;
}

HostBatch Loader::build_for(int rank, std::int64_t micro_step) const {
  BatchBuilder builder(options_.micro_batch, options_.seq_len);
  const std::int64_t first = (micro_step * options_.world + rank) * options_.micro_batch;
  std::vector<std::uint32_t> synthetic(dataset_ == nullptr ? static_cast<std::size_t>(options_.seq_len) : 0);
  for (std::int64_t b = 0; b < options_.micro_batch; ++b) {
    if (dataset_ != nullptr) {
      builder.add_row(dataset_->row(data::row_at(first + b, dataset_->rows(), options_.seed)).data());
      continue;
    }
    // A counter-based generator: row r is the same whichever rank reads it.
    std::uint64_t state = options_.seed ^ (static_cast<std::uint64_t>(first + b) * kSplitMix64Gamma);
    for (std::uint32_t& word : synthetic) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      word = static_cast<std::uint32_t>((state >> 33) % static_cast<std::uint64_t>(options_.vocab)) |
             data::kLossBit;
    }
    synthetic[0] |= data::kDocumentStartBit;
    builder.add_row(synthetic.data());
  }
  return builder.finish();
}

void Loader::run() {
  for (std::int64_t micro_step = options_.first_micro_step;; ++micro_step) {
    std::optional<HostBatch> batch;
    std::exception_ptr failure;
    try {
      batch = build(micro_step);
    } catch (...) {
      failure = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || !ready_.has_value(); });
    if (stop_) return;
    ready_ = std::move(batch);
    failure_ = failure;
    changed_.notify_all();
    if (failure) return;
  }
}

HostBatch Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_.has_value() || failure_ != nullptr; });
  if (failure_) std::rethrow_exception(failure_);
  HostBatch batch = std::move(*ready_);
  ready_.reset();
  changed_.notify_all();
  return batch;
}

}  // namespace sxb::engine::train
