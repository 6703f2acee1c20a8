// Hugging Face safetensors: a JSON header and raw little-endian tensors, one file or sharded with
// model.safetensors.index.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace sxb::data {

struct TensorView {
  std::string dtype;  ///< "F32", "BF16", "F16", "F64", "I64" ...
  std::vector<std::int64_t> shape;
  const void* data = nullptr;  ///< inside the mapping, valid while the reader lives; copy with
                               ///< memcpy, foreign files need not align it
  std::int64_t bytes = 0;
};

/// Memory-maps a .safetensors file, or all shards of a folder; checks header, offsets and sizes.
class SafetensorsReader {
 public:
  static Result<SafetensorsReader> open(const std::filesystem::path& file_or_folder);
  SafetensorsReader(SafetensorsReader&&) noexcept;
  SafetensorsReader& operator=(SafetensorsReader&&) noexcept;
  ~SafetensorsReader();
  const std::map<std::string, TensorView>& tensors() const;
  Result<TensorView> find(const std::string& name) const;  ///< error with did-you-mean

 private:
  struct Impl;
  explicit SafetensorsReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct TensorToWrite {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  const void* data = nullptr;
  std::int64_t bytes = 0;
};
/// One file, written atomically: tensors by element size (all stay aligned) and then name, with the
/// metadata {"format": "pt"} that the transformers library asks for. Errors: a name given twice, an
/// unknown dtype, bytes that do not match the shape.
Status write_safetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors);

}  // namespace sxb::data
