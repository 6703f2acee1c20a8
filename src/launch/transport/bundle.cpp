#include "launch/transport/bundle.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/base64.h"
#include "base/json.h"

namespace sxb::launch {
namespace {

constexpr std::size_t kMaxUnpacked = 256 << 20;  ///< 1000 times a large run's; a broken length stops here
constexpr std::size_t kMostExpansion = 1032;     ///< of deflate, by its format (zlib's technical notes)
constexpr const char* kPurpose = "sxbench agent tasks ";

Error broken_bundle() {
  return {"the input of this node did not arrive whole", "--bundle", "deploy the same sxbench to every node",
          ExitCode::kEnvironment};
}

/// "SIZE:" and so many bytes, compressed.
std::string compressed(const NodeInputs& inputs) {
  Json json = Json::object();
  for (const auto& [node, input] : inputs) json[node] = input;
  const std::string text = dump(json);
  uLongf size = compressBound(text.size());
  std::string bytes(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(bytes.data()), &size,
                             reinterpret_cast<const Bytef*>(text.data()), text.size(), Z_BEST_COMPRESSION);
  if (code != Z_OK) panic(__FILE__, __LINE__, "zlib cannot compress a text in memory");
  bytes.resize(size);
  return fmt::format("{}:{}", text.size(), bytes);
}

Result<std::string> expanded(std::string_view bytes) {
  const std::size_t colon = bytes.find(':');
  if (colon == std::string_view::npos) return broken_bundle();
  std::size_t size = 0;
  for (const char c : bytes.substr(0, colon)) {
    if (c < '0' || c > '9') return broken_bundle();
    size = size * 10 + static_cast<std::size_t>(c - '0');
    if (size > kMaxUnpacked) return broken_bundle();
  }
  bytes.remove_prefix(colon + 1);
  if (size > bytes.size() * kMostExpansion) return broken_bundle();
  std::string text(size, '\0');
  uLongf left = size;
  const int code = uncompress(reinterpret_cast<Bytef*>(text.data()), &left,
                              reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (code != Z_OK || left != size) return broken_bundle();
  return text;
}

Result<std::string> input_of(std::string_view bytes, const std::string& node) {
  SXB_ASSIGN_OR_RETURN(const std::string text, expanded(bytes));
  SXB_ASSIGN_OR_RETURN(const Json json, parse_json(text, "--bundle"));
  const auto input = json.find(node);
  if (input == json.end() || !input->is_string()) {
    return Error{fmt::format("there is no input for the node \"{}\"", node), "--bundle",
                 "call it as its host calls itself: Slurm's node names are those of the cluster config",
                 ExitCode::kEnvironment};
  }
  return input->get<std::string>();
}

}  // namespace

std::string pack_bundle(const NodeInputs& inputs) { return to_base64(compressed(inputs)); }

Result<std::string> unpack_bundle(std::string_view bundle, const std::string& node) {
  return input_of(from_base64(bundle), node);
}

std::string seal_bundle(const std::string& id, const NodeInputs& inputs,
                        const std::vector<std::string>& readers) {
  return id + ":" + to_base64(seal(compressed(inputs), readers, kPurpose + id));
}

std::string bundle_id(std::string_view sealed) { return std::string(sealed.substr(0, sealed.find(':'))); }

Result<std::string> open_bundle(std::string_view sealed, const KeyPair& key, const std::string& node) {
  const std::string id = bundle_id(sealed);
  if (id.size() == sealed.size()) return broken_bundle();
  const auto bytes = unseal(from_base64(sealed.substr(id.size() + 1)), key, kPurpose + id);
  if (bytes) return input_of(*bytes, node);
  return Error{fmt::format("the task of node {} cannot be read with its key: it was made for another key, or "
                           "did not arrive whole",
                           node),
               "--bundle", "run it again; if it stays, set \"transport\": \"ssh\"", ExitCode::kEnvironment};
}

}  // namespace sxb::launch
