// The checkpoints of one rank in a folder: per step a shard, a safetensors file of floats, and a manifest
// with its hash. The manifest is written last, so that a shard without one was not finished.
//
//   FOLDER/step-000000120/rank-00003.safetensors, rank-00003.json
//
// Ranks need not share the folder: which steps all of them have, they ask each other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::data {

/// A part of the state: `numel` floats.
struct StateTensor {
  std::string name;
  float* data = nullptr;
  std::int64_t numel = 0;
};

class RankCheckpoints {
 public:
  /// Makes the folder and takes this rank's lock in it, which a rank of the same run that is just being ended
  /// may still hold: waits for it. Removes what a killed rank left unfinished. `of`: what the training is, as
  /// an object of texts and numbers; a checkpoint of another one is never taken.
  static Result<RankCheckpoints> open(const std::filesystem::path& folder, int rank, Json of);
  RankCheckpoints(RankCheckpoints&&) noexcept;
  RankCheckpoints& operator=(RankCheckpoints&&) noexcept;
  ~RankCheckpoints();

  /// Steps with a manifest, newest first.
  std::vector<std::int64_t> steps() const;

  /// Writes one; on disk, name and all, when it returns. `state`: kept in the manifest as it is. `complete`:
  /// asked once the shard is written; without it the checkpoint is given up, which is no error.
  Status write(std::int64_t step, const std::vector<StateTensor>& tensors, const Json& state,
               const std::function<bool()>& complete = {});

  /// A line of this rank's log, which is on disk with the next manifest; and all that there are, whole ones.
  Status log(const std::string& line);
  std::vector<std::string> logged() const;

  /// An error if it is of another training: says in what they differ.
  Status check_identity(std::int64_t step) const;

  /// Verifies one whole, with its hash: tensors of these names and sizes, and the manifest's state.
  class Shard;
  Result<Shard> read(std::int64_t step, const std::vector<StateTensor>& layout) const;

  void remove(std::int64_t step);
  /// All of them, and the folder as far as it is empty then.
  void remove_all();

 private:
  struct Impl;
  explicit RankCheckpoints(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One that was verified, mapped.
class RankCheckpoints::Shard {
 public:
  Shard(Shard&&) noexcept;
  Shard& operator=(Shard&&) noexcept;
  ~Shard();
  const Json& state() const;
  /// Of the tensor that stands at `index` of the layout; need not be aligned.
  const void* data(std::size_t index) const;

 private:
  friend class RankCheckpoints;
  struct Impl;
  explicit Shard(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sxb::data
