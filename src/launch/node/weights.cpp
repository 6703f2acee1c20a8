#include "launch/node/weights.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "config/model/weights.h"
#include "data/expected_tensors.h"
#include "data/safetensors_writer.h"

namespace sxb::launch {

Status check_weights(const config::Model& model) {
  if (model.init_from.empty()) return ok_status();
  const auto weights = data::SafetensorsReader::open(model.init_from);
  if (!weights.ok()) {
    Error error = weights.error();
    if (error.help.empty())
      error.help =
          "name a Hugging Face safetensors folder with --set init_from=DIR, or none for random weights";
    return error;
  }
  // First what the user can compare, then what follows from it.
  SXB_RETURN_IF_ERROR(config::check_weights_config(model));
  return data::check_tensors(*weights, config::tensor_shapes(model.arch), model.init_from, model.name);
}

Status check_save_folder(const std::string& folder, const config::Model& model, bool cuda) {
  const bool bf16 = cuda && model.training.precision != config::Precision::kFp32;
  return data::check_model_folder(folder, model.arch.parameters() * (bf16 ? 2 : 4));
}

namespace {

Status make_save_folder(const std::string& folder, const config::Model& model, bool cuda) {
  SXB_RETURN_IF_ERROR(check_save_folder(folder, model, cuda));
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  if (!ec && ::access(folder.c_str(), W_OK) != 0) ec = {errno, std::generic_category()};
  if (!ec) return ok_status();
  return Error{"cannot write the trained weights: " + ec.message(), folder,
               "choose a folder that you may write to with --save", ExitCode::kEnvironment};
}

}  // namespace

Status prepare_weights(const std::vector<plan::RankTask>& ranks, Emitter& emitter) {
  const plan::RankTask& first = ranks.front();
  const config::Model& model = first.task.model;
  for (const plan::RankTask& rank : ranks) {
    if (rank.rank == 0 && !rank.save_dir.empty())
      SXB_RETURN_IF_ERROR(make_save_folder(rank.save_dir, model, rank.cuda));
  }
  SXB_RETURN_IF_ERROR(check_weights(model));
  if (first.node_rank != 0) return ok_status();
  for (const config::WeightsRemark& remark : config::weights_remarks(model))
    emitter.emit_finding("warning", remark.code, remark.error);
  return ok_status();
}

}  // namespace sxb::launch
