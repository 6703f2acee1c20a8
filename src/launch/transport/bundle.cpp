#include "launch/transport/bundle.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/base64.h"
#include "base/json.h"

namespace sxb::launch {
namespace {

constexpr std::size_t kMaxUnpacked = 256 << 20;  ///< 1000 times a large run's; a broken length stops here

std::string deflated(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::string out(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                             reinterpret_cast<const Bytef*>(text.data()), text.size(), Z_BEST_COMPRESSION);
  if (code != Z_OK) panic(__FILE__, __LINE__, "zlib cannot compress a text in memory");
  out.resize(size);
  return out;
}

Result<std::string> inflated(const std::string& bytes, std::size_t size) {
  const Error broken = {"the input of this node did not arrive whole", "--bundle",
                        "deploy the same sxbench to every node", ExitCode::kEnvironment};
  if (size > kMaxUnpacked) return broken;
  std::string out(size, '\0');
  uLongf left = size;
  const int code = uncompress(reinterpret_cast<Bytef*>(out.data()), &left,
                              reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (code != Z_OK || left != size) return broken;
  return out;
}

}  // namespace

std::string pack_bundle(const std::vector<std::pair<std::string, std::string>>& inputs) {
  Json json = Json::object();
  for (const auto& [node, input] : inputs) json[node] = input;
  const std::string text = dump(json);
  return fmt::format("{}:{}", text.size(), to_base64(deflated(text)));
}

Result<std::string> unpack_bundle(std::string_view bundle, const std::string& node) {
  const std::size_t colon = bundle.find(':');
  std::size_t size = 0;
  for (const char c : bundle.substr(0, colon)) {
    if (c < '0' || c > '9' || size > kMaxUnpacked) return inflated("", kMaxUnpacked + 1);
    size = size * 10 + static_cast<std::size_t>(c - '0');
  }
  if (colon == std::string_view::npos) return inflated("", kMaxUnpacked + 1);
  SXB_ASSIGN_OR_RETURN(const std::string text, inflated(from_base64(bundle.substr(colon + 1)), size));
  SXB_ASSIGN_OR_RETURN(const Json json, parse_json(text, "--bundle"));
  const auto input = json.find(node);
  if (input == json.end() || !input->is_string()) {
    return Error{fmt::format("there is no input for the node \"{}\"", node), "--bundle",
                 "call it as its host calls itself: Slurm's node names are those of the cluster config",
                 ExitCode::kEnvironment};
  }
  return input->get<std::string>();
}

}  // namespace sxb::launch
