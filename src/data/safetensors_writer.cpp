#include "data/safetensors_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/folder.h"
#include "base/units.h"

namespace sxb::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* kAboutFile = "sxbench.json";
constexpr const char* kUnfinished = ".sxbench-unfinished";
constexpr const char* kElsewhere = "free space there, or choose another folder with --save";

constexpr std::pair<std::string_view, std::int64_t> kDtypes[] = {
    {"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4},     {"I32", 4},     {"U32", 4}, {"F16", 2}, {"BF16", 2},
    {"I16", 2}, {"U16", 2}, {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"U8", 1},  {"BOOL", 1}};

Error write_error(const fs::path& place, int code) {
  return Error{fmt::format("cannot write the weights: {}", std::strerror(code)), place.string(), kElsewhere,
               ExitCode::kEnvironment};
}

Status write_all(int fd, const void* data, std::size_t size, const fs::path& file) {
  const auto* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(fd, next, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return write_error(file, errno);
    next += n;
    size -= static_cast<std::size_t>(n);
  }
  return ok_status();
}

/// The header's text, and the bytes of all tensors.
Result<std::pair<std::string, std::int64_t>> make_header(const std::vector<TensorInfo>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::int64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    if (header.contains(tensor.name)) return Error{"this tensor occurs twice", tensor.name, ""};
    const std::int64_t bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (bytes < 0) {
      return Error{fmt::format("dtype {} and shape [{}] are of no tensor", tensor.dtype,
                               fmt::join(tensor.shape, ", ")),
                   tensor.name, ""};
    }
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = dump(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the data, as the format recommends
  return std::pair(std::move(text), offset);
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

/// The files that an earlier save left, by its sxbench.json; none if that is missing or is none.
std::vector<std::string> former_files(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ec;
  if (!fs::is_regular_file(folder / kAboutFile, ec)) return names;
  const auto about = load_json(folder / kAboutFile);
  if (!about.ok() || !about->is_object() || !about->contains("files")) return names;
  for (const Json& name : about->at("files")) {
    if (name.is_string() && is_plain_name(name.get<std::string>())) names.push_back(name.get<std::string>());
  }
  return names;
}

/// What transformers or its users would miss if it were replaced.
bool belongs_to_a_model(const std::string& name) {
  const std::string_view all(name);
  return all == "config.json" || all.starts_with("tokenizer") || all.ends_with(".safetensors") ||
         all.ends_with(".index.json") || all.ends_with(".bin") || all == "special_tokens_map.json" ||
         all == "added_tokens.json" || all == "generation_config.json";
}

fs::path nearest_folder(fs::path path) {
  std::error_code ec;
  path = fs::absolute(path, ec);
  while (!fs::exists(path, ec) && path.has_relative_path()) path = path.parent_path();
  return path;
}

}  // namespace

std::int64_t tensor_bytes(const std::string& dtype, const std::vector<std::int64_t>& shape) {
  const auto* const known =
      std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const auto& d) { return d.first == dtype; });
  if (known == std::end(kDtypes)) return -1;
  std::int64_t bytes = known->second;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return -1;
  }
  return bytes;
}

// ---- One file ----------------------------------------------------------------------------------

Result<SafetensorsWriter> SafetensorsWriter::create(const fs::path& file,
                                                    const std::vector<TensorInfo>& tensors) {
  SXB_ASSIGN_OR_RETURN(const auto header, make_header(tensors));
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return write_error(file, errno);
  SafetensorsWriter writer(file, fd, header.second);
  const std::uint64_t header_bytes = header.first.size();
  SXB_RETURN_IF_ERROR(write_all(fd, &header_bytes, sizeof header_bytes, file));
  SXB_RETURN_IF_ERROR(write_all(fd, header.first.data(), header.first.size(), file));
  return writer;
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept
    : file_(std::move(other.file_)), fd_(std::exchange(other.fd_, -1)), bytes_left_(other.bytes_left_) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_ >= 0) ::close(fd_);
}

Status SafetensorsWriter::append(const void* data, std::int64_t bytes) {
  if (bytes > bytes_left_) panic(__FILE__, __LINE__, "more bytes than the header promises");
  bytes_left_ -= bytes;
  return write_all(fd_, data, static_cast<std::size_t>(bytes), file_);
}

Status SafetensorsWriter::close() {
  if (bytes_left_ != 0) panic(__FILE__, __LINE__, "fewer bytes than the header promises");
  // A network's file system may say only now that it has no room.
  const bool synced = ::fsync(fd_) == 0;
  const int code = errno;
  const bool closed = ::close(std::exchange(fd_, -1)) == 0;
  if (synced && closed) return ok_status();
  return write_error(file_, synced ? errno : code);
}

// ---- A folder ----------------------------------------------------------------------------------

Result<ModelFolderWriter> ModelFolderWriter::begin(const fs::path& folder,
                                                   const std::vector<TensorInfo>& tensors,
                                                   std::int64_t max_file_bytes) {
  std::vector<File> files(1);
  for (const TensorInfo& tensor : tensors) {
    const std::int64_t bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (!files.back().tensors.empty() && files.back().bytes + bytes > max_file_bytes) files.emplace_back();
    files.back().tensors.push_back(tensor);
    files.back().bytes += bytes;
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i].name = files.size() == 1 ? kWeightsFile
                                      : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, files.size());
  }
  std::error_code ec;
  // A folder is saved to by one run at a time: of two, the one that comes second takes it.
  fs::remove_all(folder / kUnfinished, ec);
  ec.clear();
  fs::create_directories(folder / kUnfinished, ec);
  if (ec) return write_error(folder, ec.value());
  ModelFolderWriter writer(folder, std::move(files));
  SXB_RETURN_IF_ERROR(writer.open_next());
  return writer;
}

ModelFolderWriter::ModelFolderWriter(ModelFolderWriter&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      files_(std::move(other.files_)),
      next_file_(other.next_file_),
      next_tensor_(other.next_tensor_),
      open_(std::move(other.open_)),
      names_(std::move(other.names_)),
      written_(std::move(other.written_)) {}

ModelFolderWriter::~ModelFolderWriter() {
  if (folder_.empty()) return;
  open_.clear();
  std::error_code ignored;
  fs::remove_all(unfinished(), ignored);
}

fs::path ModelFolderWriter::unfinished() const { return folder_ / kUnfinished; }

/// The next file that has tensors, if none is open.
Status ModelFolderWriter::open_next() {
  if (!open_.empty() || next_file_ == files_.size()) return ok_status();
  const File& file = files_[next_file_];
  SXB_ASSIGN_OR_RETURN(SafetensorsWriter writer,
                       SafetensorsWriter::create(unfinished() / file.name, file.tensors));
  open_.push_back(std::move(writer));
  next_tensor_ = 0;
  return ok_status();
}

Status ModelFolderWriter::append(const void* data, std::int64_t bytes) {
  if (open_.empty()) panic(__FILE__, __LINE__, "more tensors than were announced");
  const File& file = files_[next_file_];
  const TensorInfo& tensor = file.tensors[next_tensor_];
  if (bytes != tensor_bytes(tensor.dtype, tensor.shape)) panic(__FILE__, __LINE__, "a tensor of other size");
  SXB_RETURN_IF_ERROR(open_.back().append(data, bytes));
  if (++next_tensor_ < file.tensors.size()) return ok_status();
  SXB_RETURN_IF_ERROR(open_.back().close());
  open_.clear();
  written_.push_back({file.name, static_cast<std::int64_t>(file.tensors.size()), file.bytes});
  ++next_file_;
  return open_next();
}

Status ModelFolderWriter::add(const std::string& name, std::string_view content) {
  if (!is_plain_name(name)) panic(__FILE__, __LINE__, "a name of a file in another folder");
  SXB_RETURN_IF_ERROR(write_file_atomic(unfinished() / name, content));
  names_.push_back(name);
  return ok_status();
}

Status ModelFolderWriter::write_index() {
  Json weights = Json::object();
  std::int64_t bytes = 0;
  for (const File& file : files_) {
    bytes += file.bytes;
    for (const TensorInfo& tensor : file.tensors) weights[tensor.name] = file.name;
  }
  return add(kWeightsIndex, pretty_json({{"metadata", {{"total_size", bytes}}}, {"weight_map", weights}}));
}

Status ModelFolderWriter::finish(const Json& about) {
  if (next_file_ != files_.size()) panic(__FILE__, __LINE__, "fewer tensors than were announced");
  // Last of all what a reader looks for first: the index, or the one file.
  for (const File& file : files_) names_.push_back(file.name);
  if (files_.size() > 1) SXB_RETURN_IF_ERROR(write_index());
  Json whole = about;
  whole["files"] = names_;
  SXB_RETURN_IF_ERROR(write_file_atomic(unfinished() / kAboutFile, pretty_json(whole)));
  SXB_RETURN_IF_ERROR(sync_folder(unfinished()));
  SXB_RETURN_IF_ERROR(remove_former());
  SXB_RETURN_IF_ERROR(move_in());
  std::error_code ignored;
  fs::remove_all(unfinished(), ignored);
  folder_.clear();
  return ok_status();
}

/// The former index or whole file goes first: from there on nothing loads until all has been moved in.
Status ModelFolderWriter::remove_former() const {
  std::vector<std::string> former = former_files(folder_);
  std::stable_partition(former.begin(), former.end(),
                        [](const auto& name) { return name == kWeightsIndex || name == kWeightsFile; });
  for (const std::string& name : former) {
    if (::unlink((folder_ / name).c_str()) != 0 && errno != ENOENT) return write_error(folder_ / name, errno);
  }
  return former.empty() ? ok_status() : sync_folder(folder_);
}

Status ModelFolderWriter::move_in() const {
  // sxbench.json first: cut off between two files, they are still known as its own.
  std::vector<std::string> order = {kAboutFile};
  order.insert(order.end(), names_.begin(), names_.end());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i + 1 == order.size()) SXB_RETURN_IF_ERROR(sync_folder(folder_));
    const fs::path from = unfinished() / order[i];
    if (::rename(from.c_str(), (folder_ / order[i]).c_str()) != 0)
      return write_error(folder_ / order[i], errno);
  }
  return sync_folder(folder_);
}

Status check_model_folder(const fs::path& folder, std::int64_t bytes) {
  std::error_code ec;
  if (fs::exists(folder, ec) && !fs::is_directory(folder, ec)) {
    return Error{"the weights go into a folder, and this is none", folder.string(),
                 "name a new folder with --save"};
  }
  const std::vector<std::string> former = former_files(folder);
  const std::set<std::string> replaceable(former.begin(), former.end());
  std::vector<std::string> foreign;
  for (const fs::path& entry : paths_in(folder, ec)) {
    const std::string name = entry.filename().string();
    if (belongs_to_a_model(name) && !replaceable.contains(name)) foreign.push_back(name);
  }
  if (!foreign.empty()) {
    std::sort(foreign.begin(), foreign.end());
    return Error{fmt::format("the folder for the weights holds {}, which sxbench did not write: it is not "
                             "replaced",
                             foreign.front()),
                 folder.string(), "name a new folder with --save"};
  }
  struct statvfs disk = {};
  if (::statvfs(nearest_folder(folder).c_str(), &disk) != 0 || disk.f_blocks == 0) return ok_status();
  const auto room =
      static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize ? disk.f_frsize : disk.f_bsize);
  if (room >= static_cast<double>(bytes)) return ok_status();
  return Error{fmt::format("the weights need {}, the disk has {}", format_bytes(bytes),
                           format_bytes(static_cast<std::int64_t>(room))),
               folder.string(), kElsewhere, ExitCode::kEnvironment};
}

}  // namespace sxb::data
