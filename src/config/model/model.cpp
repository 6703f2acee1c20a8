#include "config/model/model.h"

#include "config/model/model_json.h"
#include "config/model/model_settings.h"

namespace sxb::config {

std::int64_t Architecture::matmul_parameters() const {
  const std::int64_t kv = kv_heads * head_dim();
  const std::int64_t attention = 2 * hidden * hidden + 2 * hidden * kv;  // q and output; k and v
  const std::int64_t mlp = 3 * hidden * ffn;                             // gate, up, down
  return layers * (attention + mlp) + vocab * hidden;
}

std::int64_t Architecture::parameters() const {
  const std::int64_t norms = (2 * layers + 1) * hidden;
  return matmul_parameters() + norms + vocab * hidden;
}

Result<Model> parse_model(const Json& json, const std::string& where) {
  if (is_hugging_face(json)) return from_hugging_face(json, where);
  Errors errors;
  Model model;
  model_settings().read(ObjectReader(json, where, "", errors), model);
  if (!errors.empty()) return errors;
  model.source = where;
  return model;
}

Json to_json(const Model& model) { return model_settings().write(model); }

}  // namespace sxb::config
