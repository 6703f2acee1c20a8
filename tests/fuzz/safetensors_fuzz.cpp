// Weights: a file, or the index of a folder.
#include <cstddef>

#include "data/safetensors.h"
#include "fuzz/inputs.h"

namespace sxb::data {
namespace {

void open_weights(const std::string& path) {
  const auto reader = SafetensorsReader::open(path);
  if (!reader.ok()) return fuzz::check_errors(reader.errors());
  std::size_t sum = 0;
  for (const auto& [name, view] : reader->tensors()) {
    SXB_FUZZ_CHECK(view.bytes >= 0 && reader->find(name).ok());
    if (view.bytes == 0) continue;
    const auto* bytes = static_cast<const unsigned char*>(view.data);
    sum += bytes[0] + std::size_t{bytes[view.bytes - 1]};
  }
  fuzz::use(sum);  // both ends of each
  static_cast<void>(reader->find("model.embed_tokens.weigth"));
}

}  // namespace
}  // namespace sxb::data

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  static fuzz::MemoryFile file;
  static const fuzz::Folder folder;
  const std::string_view bytes = fuzz::text_of(data, size);
  if (!bytes.empty() && bytes.front() == '{') {
    folder.put("model.safetensors.index.json", bytes);
    folder.put("model-00001-of-00001.safetensors", std::string_view("\x02\0\0\0\0\0\0\0{}", 10));
    data::open_weights(folder.path().string());
  } else {
    data::open_weights(file.put(bytes));
  }
  return 0;
}
