// Model files: our own and the config.json of Hugging Face.
#include "config/model/model.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  const auto json = parse_json(fuzz::text_of(data, size), "config.json");
  if (!json.ok()) {
    fuzz::check_errors(json.errors());
    return 0;
  }
  const auto model = config::parse_model(*json, "config.json");
  if (!model.ok()) {
    fuzz::check_errors(model.errors());
    return 0;
  }
  SXB_FUZZ_CHECK(model->arch.parameters() > 0);
  const Json written = config::to_json(*model);
  const auto journalled = parse_json(dump(written), "journal");
  SXB_FUZZ_CHECK(journalled.ok());
  const auto again = config::parse_model(*journalled, "journal");
  SXB_FUZZ_CHECK(again.ok() && dump(config::to_json(*again)) == dump(written));
  return 0;
}
