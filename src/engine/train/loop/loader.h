// Reads micro-batches ahead of the trainer in its own thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "data/packed.h"
#include "engine/attention/batch.h"

namespace sxb::engine::train {

/// Turns packed rows (data/packed.h words) into a batch: targets, positions, document starts.
/// A padding run at the end of a row becomes a span of its own, so attention never mixes it in.
class BatchBuilder {
 public:
  BatchBuilder(std::int64_t rows, std::int64_t seq_len);
  void add_row(const std::uint32_t* words);
  HostBatch finish();

 private:
  void close_document(std::int64_t end, bool padding);
  HostBatch batch_;
  std::int64_t next_row_ = 0;
};

/// Which rows a rank reads: global batch `step` is the next world * accumulation * micro_batch rows
/// of the endless shuffled sequence, so a resumed run continues where it stopped.
struct LoaderOptions {
  std::int64_t micro_batch = 1;
  std::int64_t seq_len = 0;
  int rank = 0;
  int world = 1;
  std::uint64_t seed = 0;
  std::int64_t vocab = 0;  ///< synthetic tokens are drawn below it
  std::int64_t first_micro_step = 0;
};

class Loader {
 public:
  /// `dataset` null: synthetic tokens, one document per row, every token in the loss.
  Loader(const data::PackedDataset* dataset, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next micro-batch; blocks until it is ready.
  HostBatch next();
  /// The batch of one micro-step, computed now (what the thread does).
  HostBatch build(std::int64_t micro_step) const { return build_for(options_.rank, micro_step); }
  /// Whether a token of any rank counts in the loss in `count` micro-steps from `first`. Every rank can say
  /// so: the order of rows is a pure function.
  bool any_loss_tokens(std::int64_t first, std::int64_t count) const;

 private:
  HostBatch build_for(int rank, std::int64_t micro_step) const;
  void run();
  const data::PackedDataset* dataset_;
  LoaderOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<HostBatch> ready_;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sxb::engine::train
