#include "launch/transport/node_key_line.h"

#include "base/base64.h"
#include "base/secret.h"

namespace sxb::launch {
namespace {

std::string key_line_begin(const std::string& id) { return "sxbench-key " + id + " "; }

}  // namespace

std::string node_key_line(const std::string& id, const std::string& public_key) {
  return key_line_begin(id) + to_base64(public_key);
}

std::optional<std::string> parse_node_key_line(std::string_view line, const std::string& id) {
  const std::string begin = key_line_begin(id);
  const std::size_t at = line.find(begin);
  if (at == std::string_view::npos) return std::nullopt;
  std::string key = from_base64(line.substr(at + begin.size()));
  // One with which everybody gets the same secret is as good as none.
  if (!shared_secret(make_key_pair().secret_key, key)) return std::nullopt;
  return key;
}

}  // namespace sxb::launch
