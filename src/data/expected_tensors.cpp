#include "data/expected_tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sxb::data {
namespace {

/// "a", "b", "c" and 5 more
std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 3;
  std::vector<std::string> quoted;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i)
    quoted.push_back(fmt::format("\"{}\"", printable_line(names[i])));
  const std::string more =
      names.size() > kNamed ? fmt::format(" and {} more", names.size() - kNamed) : std::string();
  return join(quoted, ", ") + more;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return shape.empty() ? "a scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

/// A buffer that transformers before 4.32 saved with Llama; it follows from rope_theta.
bool is_rotary_buffer(const std::string& name) { return name.ends_with(".rotary_emb.inv_freq"); }

}  // namespace

Status check_tensors(const SafetensorsReader& weights, const TensorShapes& expected, const std::string& where,
                     const std::string& model) {
  constexpr const char* kOther =
      "train the model that the weights are of: --models FOLDER, the folder with their config.json";
  Errors errors;
  std::vector<std::string> missing, surplus;
  for (const auto& [name, shape] : expected) {
    const auto found = weights.tensors().find(name);
    if (found == weights.tensors().end()) {
      missing.push_back(name);
      continue;
    }
    const TensorView& tensor = found->second;
    if (tensor.shape != shape && errors.empty()) {  // the first says it
      errors.push_back({fmt::format("tensor {} is {}, the config of model {} says {}", name,
                                    shape_text(tensor.shape), model, shape_text(shape)),
                        where, kOther});
    } else if (tensor.dtype != "F32" && tensor.dtype != "BF16" && tensor.dtype != "F16" && errors.empty()) {
      errors.push_back({fmt::format("tensor {} has type {}, expected F32, BF16 or F16", name,
                                    printable_line(tensor.dtype)),
                        where, "convert the weights to one of these types"});
    }
  }
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!expected.contains(name) && !is_rotary_buffer(name)) surplus.push_back(name);
  }
  if (!missing.empty()) {
    errors.push_back({fmt::format("the weights lack {} of the {} tensors of model {}: {}", missing.size(),
                                  expected.size(), model, some_names(missing)),
                      where, kOther});
  }
  if (!surplus.empty()) {
    errors.push_back(
        {fmt::format("the weights hold {} {} that model {} does not have and would leave out: {}",
                     surplus.size(), surplus.size() == 1 ? "tensor" : "tensors", model, some_names(surplus)),
         where, kOther});
  }
  if (!errors.empty()) return errors;
  return ok_status();
}

}  // namespace sxb::data
