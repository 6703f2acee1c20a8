// The format: 8 bytes little-endian header size N, N bytes JSON {name: {dtype, shape, data_offsets:
// [begin, end)}, "__metadata__": {...}}, then the data. Offsets count from the first data byte; the
// tensors cover the data without overlap and without a hole.
#include "data/safetensors.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>

#include "base/json.h"
#include "base/temporary_file.h"
#include "base/text.h"
#include "data/mapped_file.h"
#include "data/safetensors_writer.h"

namespace sxb::data {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr const char* kFetchAgain = "the file is damaged or was copied in part: copy or download it again";

Error damaged(std::string what, const fs::path& file) {
  return Error{std::move(what), file.string(), kFetchAgain};
}

// Where one tensor lies, kept until all of them are checked against one another.
struct Extent {
  std::int64_t begin, end;
  std::string name;
};

Result<Extent> parse_entry(const std::string& name, const Json& json, TensorView& view,
                           const fs::path& file) {
  Extent extent{0, 0, name};
  try {
    json.at("dtype").get_to(view.dtype);
    for (const Json& item : json.at("shape")) {
      if (!item.is_number_integer())
        return damaged(fmt::format("tensor \"{}\": its shape is no list of integers", name), file);
      view.shape.push_back(item.get<std::int64_t>());
    }
    const Json& offsets = json.at("data_offsets");
    if (offsets.size() != 2 || !offsets[0].is_number_integer() || !offsets[1].is_number_integer()) {
      return damaged(fmt::format("tensor \"{}\": data_offsets must be two integers", name), file);
    }
    offsets[0].get_to(extent.begin);
    offsets[1].get_to(extent.end);
  } catch (const nlohmann::json::exception& e) {
    return damaged(fmt::format("tensor \"{}\": {}", name, e.what()), file);
  }
  if (tensor_bytes(view.dtype, {}) < 0) {
    return Error{fmt::format("tensor \"{}\" has the dtype {}, which is not supported", name, view.dtype),
                 file.string(), "convert the weights to BF16, F16 or F32"};
  }
  view.bytes = tensor_bytes(view.dtype, view.shape);
  if (view.bytes < 0 || extent.begin < 0 || extent.end < extent.begin ||
      extent.end - extent.begin != view.bytes) {
    return damaged(fmt::format("tensor \"{}\": shape and dtype need {} bytes, data_offsets are [{}, {})",
                               name, view.bytes, extent.begin, extent.end),
                   file);
  }
  return extent;
}

Status check_extents(std::vector<Extent> extents, std::int64_t data_bytes, const fs::path& file) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::int64_t covered = 0;
  for (const Extent& extent : extents) {
    if (extent.end > data_bytes) {
      return damaged(
          fmt::format("tensor \"{}\" ends at byte {} of the data, the file has {}: it is truncated",
                      extent.name, extent.end, data_bytes),
          file);
    }
    if (extent.begin != covered) {
      return damaged(fmt::format("tensor \"{}\" {}", extent.name,
                                 extent.begin < covered ? "overlaps another one" : "leaves a hole before it"),
                     file);
    }
    covered = extent.end;
  }
  if (covered != data_bytes) {
    return damaged(fmt::format("{} bytes follow the last tensor", data_bytes - covered), file);
  }
  return ok_status();
}

Status add_file(const fs::path& path, std::vector<MappedFile>& files,
                std::map<std::string, TensorView>& tensors) {
  SXB_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) return damaged("the file is too short for safetensors", path);
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes)
    return damaged("this is not a safetensors file: its header is too large", path);
  if (header_bytes > bytes.size() - sizeof header_bytes) return damaged("the header is truncated", path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof header_bytes,
                              header_bytes);
  const auto header = parse_json(text, path.string());
  if (!header.ok() || !header->is_object()) return damaged("the header is not a JSON object", path);

  const auto data = bytes.subspan(sizeof header_bytes + header_bytes);
  std::vector<Extent> extents;
  for (const auto& item : header->items()) {
    if (item.key() == "__metadata__") continue;
    TensorView view;
    SXB_ASSIGN_OR_RETURN(Extent extent, parse_entry(item.key(), item.value(), view, path));
    view.data = data.data() + extent.begin;  // dereferenced only after check_extents
    if (!tensors.emplace(item.key(), std::move(view)).second) {
      return damaged(fmt::format("tensor \"{}\" occurs twice", item.key()), path);
    }
    extents.push_back(std::move(extent));
  }
  SXB_RETURN_IF_ERROR(check_extents(std::move(extents), static_cast<std::int64_t>(data.size()), path));
  files.push_back(std::move(file));
  return ok_status();
}

// weight_map of the index: tensor -> file name.
Result<std::map<std::string, std::string>> read_weight_map(const fs::path& index) {
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(index));
  std::map<std::string, std::string> map;
  try {
    for (const auto& item : json.at("weight_map").items()) map[item.key()] = item.value().get<std::string>();
  } catch (const nlohmann::json::exception& e) {
    return damaged(fmt::format("the index has no usable weight_map: {}", e.what()), index);
  }
  if (map.empty()) return damaged("weight_map is empty", index);
  for (const auto& [name, file] : map) {
    if (file.empty() || fs::path(file).filename() != file) {
      return Error{
          fmt::format("weight_map sends \"{}\" to \"{}\", which is not a plain file name", name, file),
          index.string(), "name files of the same folder"};
    }
  }
  return map;
}

}  // namespace

struct SafetensorsReader::Impl {
  std::vector<MappedFile> files;
  std::map<std::string, TensorView> tensors;
};

SafetensorsReader::SafetensorsReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SafetensorsReader::SafetensorsReader(SafetensorsReader&&) noexcept = default;
SafetensorsReader& SafetensorsReader::operator=(SafetensorsReader&&) noexcept = default;
SafetensorsReader::~SafetensorsReader() = default;

Result<SafetensorsReader> SafetensorsReader::open(const fs::path& file_or_folder) {
  auto impl = std::make_unique<Impl>();
  std::error_code ec;
  const fs::path index = file_or_folder / kWeightsIndex;
  if (!fs::is_directory(file_or_folder, ec)) {
    SXB_RETURN_IF_ERROR(add_file(file_or_folder, impl->files, impl->tensors));
  } else if (fs::exists(index, ec)) {
    SXB_ASSIGN_OR_RETURN(const auto weight_map, read_weight_map(index));
    std::set<std::string> names;
    for (const auto& [tensor, file] : weight_map) names.insert(file);
    for (const std::string& name : names) {
      SXB_RETURN_IF_ERROR(add_file(file_or_folder / name, impl->files, impl->tensors));
    }
    for (const auto& [tensor, file] : weight_map) {
      if (!impl->tensors.contains(tensor)) {
        return damaged(fmt::format("tensor \"{}\" is not in {}", tensor, file), index);
      }
    }
  } else if (fs::exists(file_or_folder / kWeightsFile, ec)) {
    SXB_RETURN_IF_ERROR(add_file(file_or_folder / kWeightsFile, impl->files, impl->tensors));
  } else {
    return Error{"the folder has no safetensors weights", file_or_folder.string(),
                 fmt::format("expected model.safetensors, or {} and its shards", kWeightsIndex)};
  }
  return SafetensorsReader(std::move(impl));
}

const std::map<std::string, TensorView>& SafetensorsReader::tensors() const { return impl_->tensors; }

Result<TensorView> SafetensorsReader::find(const std::string& name) const {
  const auto it = impl_->tensors.find(name);
  if (it != impl_->tensors.end()) return it->second;
  std::vector<std::string> names;
  for (const auto& entry : impl_->tensors) names.push_back(entry.first);
  const std::string near = did_you_mean(name, names);
  return Error{
      fmt::format("the weights have no tensor \"{}\"", name), "",
      near.empty() ? "do the weights belong to this model?" : fmt::format("did you mean \"{}\"?", near)};
}

Status write_safetensors(const fs::path& file, const std::vector<TensorToWrite>& tensors) {
  std::vector<const TensorToWrite*> sorted;
  for (const TensorToWrite& tensor : tensors) {
    const std::int64_t bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (bytes != tensor.bytes) {
      return Error{fmt::format("dtype {} and shape [{}] do not give {} bytes", tensor.dtype,
                               fmt::join(tensor.shape, ", "), tensor.bytes),
                   tensor.name, ""};
    }
    sorted.push_back(&tensor);
  }
  const auto key = [](const TensorToWrite* t) {
    return std::pair(-tensor_bytes(t->dtype, {}), std::string_view(t->name));
  };
  std::sort(sorted.begin(), sorted.end(), [&](const auto* a, const auto* b) { return key(a) < key(b); });
  std::vector<TensorInfo> header;
  for (const TensorToWrite* tensor : sorted) header.push_back({tensor->name, tensor->dtype, tensor->shape});

  std::error_code ec;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), ec);
  const fs::path temporary = temporary_name(file);
  const auto write = [&]() -> Status {
    SXB_ASSIGN_OR_RETURN(SafetensorsWriter writer, SafetensorsWriter::create(temporary, header));
    for (const TensorToWrite* tensor : sorted)
      SXB_RETURN_IF_ERROR(writer.append(tensor->data, tensor->bytes));
    SXB_RETURN_IF_ERROR(writer.close());
    if (::rename(temporary.c_str(), file.c_str()) == 0) return ok_status();
    return Error{fmt::format("cannot write the weights: {}", std::strerror(errno)), file.string(),
                 "choose another folder with --save", ExitCode::kEnvironment};
  };
  const Status status = write();
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

}  // namespace sxb::data
