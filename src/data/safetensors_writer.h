// Safetensors on their way to disk: one file front to back, and a Hugging Face model folder of such files,
// which is there whole or not at all. Nothing is held but what is being handed over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::data {

/// What a folder of weights is known by: one of these two.
inline constexpr const char* kWeightsFile = "model.safetensors";
inline constexpr const char* kWeightsIndex = "model.safetensors.index.json";

struct TensorInfo {
  std::string name;
  std::string dtype;  ///< "F32", "BF16", "F16" ...
  std::vector<std::int64_t> shape;
};

/// One file, tensor after tensor in the order of its header.
class SafetensorsWriter {
 public:
  /// Makes `file`, or empties it, and writes the header. Errors: a name given twice, an unknown dtype.
  static Result<SafetensorsWriter> create(const std::filesystem::path& file,
                                          const std::vector<TensorInfo>& tensors);
  SafetensorsWriter(SafetensorsWriter&& other) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) = delete;
  ~SafetensorsWriter();

  /// The bytes that follow; a tensor may come in pieces.
  Status append(const void* data, std::int64_t bytes);
  /// After the last byte: it is on the disk. Fails if bytes are missing.
  Status close();
  std::int64_t bytes_left() const { return bytes_left_; }  ///< of the data

 private:
  SafetensorsWriter(std::filesystem::path file, int fd, std::int64_t bytes)
      : file_(std::move(file)), fd_(fd), bytes_left_(bytes) {}
  std::filesystem::path file_;
  int fd_ = -1;
  std::int64_t bytes_left_ = 0;
};

/// Bytes of a tensor; -1: an unknown dtype, a negative dimension or more than an int64 holds.
std::int64_t tensor_bytes(const std::string& dtype, const std::vector<std::int64_t>& shape);

/// Of a file of weights at most, as transformers cuts them.
inline constexpr std::int64_t kMaxWeightsFileBytes = 5'000'000'000;

/// A folder as transformers' save_pretrained() leaves one: model.safetensors, or
/// model-00001-of-0000N.safetensors with an index, and small files beside them. All is written below
/// FOLDER/.sxbench-unfinished and moved at the end, what makes the folder loadable last: whenever it is cut
/// off, the folder holds all of the new weights or nothing that loads. `sxbench.json` names the files and
/// says that they may be replaced.
class ModelFolderWriter {
 public:
  static Result<ModelFolderWriter> begin(const std::filesystem::path& folder,
                                         const std::vector<TensorInfo>& tensors,
                                         std::int64_t max_file_bytes = kMaxWeightsFileBytes);
  ModelFolderWriter(ModelFolderWriter&& other) noexcept;
  ModelFolderWriter& operator=(ModelFolderWriter&&) = delete;
  /// Removes what is not finished.
  ~ModelFolderWriter();

  /// The bytes of the next tensor, whole.
  Status append(const void* data, std::int64_t bytes);
  /// A file of weights that is complete since the last call.
  struct Written {
    std::string file;
    std::int64_t tensors = 0, bytes = 0;  ///< of the data
  };
  std::vector<Written> take_written() { return std::exchange(written_, {}); }
  /// A small file beside the weights. `name` is a plain file name.
  Status add(const std::string& name, std::string_view content);
  /// After the last tensor. `about` goes into sxbench.json.
  Status finish(const Json& about);

 private:
  struct File {
    std::string name;
    std::vector<TensorInfo> tensors;
    std::int64_t bytes = 0;
  };
  ModelFolderWriter(std::filesystem::path folder, std::vector<File> files)
      : folder_(std::move(folder)), files_(std::move(files)) {}
  std::filesystem::path unfinished() const;
  Status open_next();
  Status write_index();
  Status remove_former() const;
  Status move_in() const;

  std::filesystem::path folder_;  ///< empty: moved from, or finished
  std::vector<File> files_;
  std::size_t next_file_ = 0, next_tensor_ = 0;
  std::vector<SafetensorsWriter> open_;  ///< none or one
  std::vector<std::string> names_;       ///< of all files, in the order in which they are moved
  std::vector<Written> written_;
};

/// Whether weights of `bytes` may be saved there: the folder is none, empty, or holds nothing that they would
/// replace but what ModelFolderWriter wrote; and the disk has room. Makes nothing.
Status check_model_folder(const std::filesystem::path& folder, std::int64_t bytes);

}  // namespace sxb::data
