// Bundles: what srun gives to every agent, and the sealed ones of pdsh. A mutated one stops at its base64 or
// its zlib checksum, so the input is also taken as what lies below each.
#include <zlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/secret.h"
#include "fuzz/inputs.h"
#include "launch/transport/bundle.h"

namespace sxb::launch {
namespace {

void check_result(const Result<std::string>& input) {
  if (!input.ok()) fuzz::check_errors(input.errors());
}

std::string compress_text(std::string_view text) {
  uLongf size = compressBound(text.size());
  std::string bytes(size, '\0');
  SXB_FUZZ_CHECK(compress2(reinterpret_cast<Bytef*>(bytes.data()), &size,
                           reinterpret_cast<const Bytef*>(text.data()), text.size(), Z_BEST_SPEED) == Z_OK);
  bytes.resize(size);
  return bytes;
}

}  // namespace
}  // namespace sxb::launch

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  using namespace sxb::launch;
  static const KeyPair key = *pair_of(std::string(32, 'k'));
  const std::string text(fuzz::text_of(data, size));
  // As it comes.
  check_result(unpack_bundle(text, "node1"));
  check_result(open_bundle(text, key, "node1"));
  // Below the base64, below the compression, below the seal.
  check_result(unpack_bundle(to_base64(text), "node1"));
  const std::string packed = std::to_string(text.size()) + ":" + compress_text(text);
  check_result(unpack_bundle(to_base64(packed), "node1"));
  check_result(
      open_bundle("id:" + to_base64(seal(text, {key.public_key}, "sxbench agent tasks id")), key, "node1"));
  // What was packed comes out; JSON has no bytes that are no UTF-8.
  const NodeInputs inputs = {{"node1", text}, {"node2", "other"}};
  const auto unpacked = unpack_bundle(pack_bundle(inputs), "node1");
  SXB_FUZZ_CHECK(unpacked.ok() && dump(Json(*unpacked)) == dump(Json(text)));
  return 0;
}
