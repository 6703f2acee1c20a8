#include "engine/train/loop/checkpoint.h"

#include <ATen/ops/from_blob.h>

#include <map>

#include "base/files.h"
#include "base/json.h"
#include "data/safetensors.h"

namespace sxb::engine::train {
namespace {

constexpr float kInitStd = 0.02f;

[[noreturn]] void fail(const Error& error, const char* code) {
  throw EngineError(error.what + (error.where.empty() ? "" : " (" + error.where + ")"), code, error.help,
                    error.code);
}

at::ScalarType scalar_type(const std::string& name, const data::TensorView& tensor,
                           const std::string& folder) {
  static const std::map<std::string, at::ScalarType> kTypes = {
      {"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}};
  const auto found = kTypes.find(tensor.dtype);
  if (found == kTypes.end()) {
    fail({"tensor " + name + " has type " + tensor.dtype + ", expected F32, BF16 or F16", folder,
          "convert the checkpoint to one of these types"},
         "checkpoint_invalid");
  }
  return found->second;
}

void check_tensor_shape(const Param& param, const data::TensorView& tensor, const std::string& folder) {
  const bool matches = param.is_norm ? tensor.shape == std::vector<std::int64_t>{param.cols}
                                     : tensor.shape == std::vector<std::int64_t>{param.rows, param.cols};
  if (matches) return;
  std::string shape;
  for (const std::int64_t n : tensor.shape) shape += (shape.empty() ? "" : "x") + std::to_string(n);
  const std::string expected =
      (param.is_norm ? "" : std::to_string(param.rows) + "x") + std::to_string(param.cols);
  fail({"tensor " + param.name + " is " + shape + ", the model config says " + expected, folder,
        "use the model config that belongs to this checkpoint (--models FOLDER/config.json)"},
       "checkpoint_invalid");
}

}  // namespace

void initialize_random(ShardedParameters& parameters, const Layout& layout, std::uint64_t seed,
                       const Device& device) {
  parameters.initialize([&](int unit, const Param& param, std::int64_t first, std::int64_t count,
                            at::Tensor& out) {
    if (param.is_norm) {
      out.fill_(1.0);
      return;
    }
    const std::uint64_t element = layout.first_element[static_cast<std::size_t>(unit)] +
                                  static_cast<std::uint64_t>(param.offset + first);
    if (device.cuda()) {
      kernels::cuda::init_normal(out.data_ptr<float>(), seed, element, kInitStd, count, device.compute_raw());
    } else {
      kernels::cpu::init_normal(out.data_ptr<float>(), seed, element, kInitStd, count);
    }
  });
}

void initialize_from(ShardedParameters& parameters, const Layout& layout, const std::string& folder,
                     const Device&) {
  const auto reader = data::SafetensorsReader::open(folder);
  if (!reader) fail(reader.error(), "checkpoint_invalid");
  // Every shape is checked by every rank before anything is copied, so all ranks fail alike.
  for (const UnitLayout& unit : layout.units) {
    for (const Param& param : unit.params) {
      const auto tensor = reader->find(param.name);
      if (!tensor) fail(tensor.error(), "checkpoint_invalid");
      check_tensor_shape(param, *tensor, folder);
      scalar_type(param.name, *tensor, folder);
    }
  }
  parameters.initialize(
      [&](int, const Param& param, std::int64_t first, std::int64_t count, at::Tensor& out) {
        const data::TensorView tensor = *reader->find(param.name);
        const at::ScalarType type = scalar_type(param.name, tensor, folder);
        const at::Tensor whole =
            at::from_blob(const_cast<void*>(tensor.data), {param.numel()}, at::TensorOptions(type));
        out.copy_(whole.narrow(0, first, count));
      });
}

void save_weights(ShardedParameters& parameters, const Layout& layout, const std::string& folder, int rank,
                  const Device& device) {
  std::vector<at::Tensor> on_host;  // alive until the file is written
  std::vector<data::TensorToWrite> tensors;
  const std::string dtype = device.compute == at::kBFloat16 ? "BF16" : "F32";
  for (int u = 0; u < layout.count(); ++u) {
    const at::Tensor& flat = parameters.gather(u);
    if (rank == 0) {
      on_host.push_back(flat.cpu());
      for (const Param& param : layout.units[static_cast<std::size_t>(u)].params) {
        const at::Tensor part = on_host.back().narrow(0, param.offset, param.numel());
        std::vector<std::int64_t> shape = {param.rows, param.cols};
        if (param.is_norm) shape = {param.cols};
        tensors.push_back(
            {param.name, dtype, shape, part.data_ptr(), static_cast<std::int64_t>(part.nbytes())});
      }
    }
    parameters.release(u);
  }
  if (rank != 0) return;
  const config::Architecture& a = layout.arch;
  const Json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"hidden_size", a.hidden},
                       {"intermediate_size", a.ffn},
                       {"num_hidden_layers", a.layers},
                       {"num_attention_heads", a.heads},
                       {"num_key_value_heads", a.kv_heads},
                       {"vocab_size", a.vocab},
                       {"rope_theta", a.rope_theta},
                       {"rms_norm_eps", a.norm_eps},
                       {"hidden_act", "silu"},
                       {"tie_word_embeddings", false},
                       {"bos_token_id", 1},
                       {"eos_token_id", 2},
                       {"torch_dtype", dtype == "BF16" ? "bfloat16" : "float32"}};
  const std::filesystem::path out(folder);
  if (const Status status = write_file_atomic(out / "config.json", pretty_json(config)); !status) {
    fail(status.error(), "save_failed");
  }
  if (const Status status = data::write_safetensors(out / "model.safetensors", tensors); !status) {
    fail(status.error(), "save_failed");
  }
}

}  // namespace sxb::engine::train
