#include "engine/train/loop/checkpoint.h"

#include <ATen/ops/from_blob.h>

#include <chrono>
#include <optional>

#include "base/build_info.h"
#include "base/files.h"
#include "config/model/weights.h"
#include "data/expected_tensors.h"
#include "data/safetensors_writer.h"
#include "record/kinds/saved.h"

namespace sxb::engine::train {
namespace {

constexpr float kInitStd = 0.02f;

[[noreturn]] void fail(const Error& error, const char* code) {
  throw EngineError(error.what + (error.where.empty() ? "" : " (" + error.where + ")"), code, error.help,
                    error.code);
}

/// Of what data::check_tensors() has let pass.
at::ScalarType scalar_type(const std::string& dtype) {
  return dtype == "F32" ? at::kFloat : dtype == "BF16" ? at::kBFloat16 : at::kHalf;
}

data::TensorInfo tensor_info(const Param& param, const std::string& dtype) {
  return {param.name, dtype,
          param.is_norm ? std::vector<std::int64_t>{param.cols}
                        : std::vector<std::int64_t>{param.rows, param.cols}};
}

/// What rank 0 writes of a saved model.
class ModelSaver {
 public:
  ModelSaver(const plan::RankTask& task, const Layout& layout, const data::PackedDataset* dataset,
             const Device& device, const Emitter& emitter)
      : task_(task),
        model_(task.task.model),
        dataset_(dataset),
        emitter_(emitter),
        bf16_(device.compute == at::kBFloat16) {
    std::vector<data::TensorInfo> tensors;
    for (const UnitLayout& unit : layout.units) {
      for (const Param& param : unit.params) tensors.push_back(tensor_info(param, bf16_ ? "BF16" : "F32"));
    }
    auto writer = data::ModelFolderWriter::begin(task.save_dir, tensors);
    if (!writer) fail(writer.error(), "save_failed");
    writer_.emplace(std::move(*writer));
  }

  void add(const UnitLayout& unit, const at::Tensor& on_host) {
    for (const Param& param : unit.params) {
      const at::Tensor part = on_host.narrow(0, param.offset, param.numel());
      check(writer_->append(part.data_ptr(), static_cast<std::int64_t>(part.nbytes())));
    }
    for (const auto& file : writer_->take_written()) {
      const auto now = std::chrono::steady_clock::now();
      const std::chrono::duration<double> took = now - last_;
      last_ = now;
      emitter_.emit(record::Saved{task_.save_dir, file.file, file.tensors, file.bytes, took.count()});
    }
  }

  void finish() {
    config::SavedFacts facts;
    facts.dtype = bf16_ ? "bfloat16" : "float32";
    if (dataset_ != nullptr && dataset_->bos() >= 0) facts.bos = dataset_->bos();
    if (dataset_ != nullptr && dataset_->eos() >= 0) facts.eos = dataset_->eos();
    check(writer_->add("config.json", pretty_json(config::config_to_save(model_, facts))));
    if (dataset_ != nullptr) add_tokenizer();
    check(writer_->finish(
        {{"written_by", "sxbench " + build_id()},
         {"model", model_.name},
         {"init", model_.init_from.empty() ? "random(" + std::to_string(model_.training.seed) + ")"
                                           : model_.init_from},
         {"steps", model_.training.steps},
         {"dataset", dataset_ != nullptr ? dataset_->name() : "synthetic"},
         {"dataset_hash", dataset_ != nullptr ? dataset_->hash() : ""},
         {"tokenizer_hash", dataset_ != nullptr ? dataset_->tokenizer_hash() : ""}}));
  }

 private:
  static void check(const Status& status) {
    if (!status) fail(status.error(), "save_failed");
  }

  void add_tokenizer() {
    const auto files = config::tokenizer_files(model_, dataset_->tokenizer_hash());
    if (files.empty()) {
      emitter_.finding("warning", "saved_without_tokenizer",
                       "no tokenizer lies beside the weights in " + task_.save_dir +
                           ": the one that the dataset was prepared with is not on this node",
                       "copy its tokenizer.model there, or name it next time with --set data.tokenizer=FILE");
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
      // What has become unreadable since it was looked at is left out: the weights matter more.
      if (const auto content = read_file(files[i]); content.ok())
        check(writer_->add(i == 0 ? "tokenizer.model" : files[i].filename().string(), *content));
    }
  }

  const plan::RankTask& task_;
  const config::Model& model_;
  const data::PackedDataset* dataset_;
  const Emitter& emitter_;
  const bool bf16_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::optional<data::ModelFolderWriter> writer_;
};

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

void initialize_from(ShardedParameters& parameters, const Layout& layout, const config::Model& model) {
  const auto reader = data::SafetensorsReader::open(model.init_from);
  if (!reader) fail(reader.error(), "checkpoint_invalid");
  // All is checked by every rank before anything is copied, so all ranks fail alike.
  const Status whole =
      data::check_tensors(*reader, config::tensor_shapes(layout.arch), model.init_from, model.name);
  if (!whole) fail(whole.error(), "checkpoint_invalid");
  parameters.initialize(
      [&](int, const Param& param, std::int64_t first, std::int64_t count, at::Tensor& out) {
        const data::TensorView tensor = *reader->find(param.name);
        const at::Tensor all = at::from_blob(const_cast<void*>(tensor.data), {param.numel()},
                                             at::TensorOptions(scalar_type(tensor.dtype)));
        out.copy_(all.narrow(0, first, count));
      });
}

void save_weights(ShardedParameters& parameters, const Layout& layout, const plan::RankTask& task,
                  const data::PackedDataset* dataset, const Device& device, const Emitter& emitter) {
  std::optional<ModelSaver> saver;
  if (task.rank == 0) saver.emplace(task, layout, dataset, device, emitter);
  for (int u = 0; u < layout.count(); ++u) {
    const at::Tensor& flat = parameters.gather(u);
    // Written before the next unit is gathered: on a CPU this is no copy but the gather's own buffer, which
    // the unit after may take.
    if (saver) saver->add(layout.units[static_cast<std::size_t>(u)], flat.cpu());
    parameters.release(u);
  }
  if (saver) saver->finish();
}

}  // namespace sxb::engine::train
