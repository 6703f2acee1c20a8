// Which model is meant, --set, and the files behind its data.
#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/folder.h"
#include "base/input_file.h"
#include "base/text.h"
#include "config/model/model_json.h"
#include "config/model/weights.h"
#include "config/name.h"
#include "config/reader.h"
#include "config/shipped.h"

namespace sxb::config {
namespace fs = std::filesystem;
namespace {

bool is_there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

bool is_folder(const fs::path& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

/// `text` as an absolute path if it names something under `folder`, unchanged otherwise.
void anchor(std::string& text, const fs::path& folder) {
  text = expand_home(text);
  if (text.empty() || text == "synthetic" || fs::path(text).is_absolute() || !is_there(folder / text)) return;
  text = absolute_path(folder / text).lexically_normal().string();
}

void anchor_paths(Model& model, const fs::path& folder) {
  anchor(model.data.dataset, folder);
  anchor(model.data.tokenizer, folder);
  anchor(model.init_from, folder);
}

Result<LoadedModel> load_file(const fs::path& argument) {
  const fs::path path = is_folder(argument) ? argument / "config.json" : argument;
  if (!is_there(path)) {
    return Error{
        "there is no such file", path.string(),
        fmt::format("give the path of a model file or of a Hugging Face config.json, or a shipped name: {}",
                    join(shipped_models(), ", "))};
  }
  SXB_ASSIGN_OR_RETURN(Json json, load_json(path));
  SXB_ASSIGN_OR_RETURN(Model model, parse_model(json, path.string()));
  anchor_paths(model, path.parent_path());
  // A folder that is named is meant whole, weights included; its config.json alone is the shape alone.
  if (is_hugging_face(json) && is_folder(argument)) {
    if (holds_weights(argument)) {
      model.init_from = absolute_path(path.parent_path()).lexically_normal().string();
    } else if (const std::string other = other_weights(argument); !other.empty()) {
      return Error{
          fmt::format("the folder has its weights in {}, which sxbench does not read", other),
          argument.string(),
          fmt::format("convert them to safetensors; or train its shape from random weights: --models {}",
                      path.string())};
    }
  }
  return LoadedModel{std::move(model), std::move(json)};
}

/// Dotted names of all leaves: "training.micro_batch".
void collect_leaves(const Json& json, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& item : json.items()) {
    const std::string name = prefix.empty() ? item.key() : prefix + "." + item.key();
    if (item.value().is_object()) {
      collect_leaves(item.value(), name, out);
    } else {
      out.push_back(name);
    }
  }
}

/// Help for a key that does not exist; knows people who leave the section out ("micro_batch").
std::string suggest_key(const std::string& key, const std::vector<std::string>& leaves) {
  std::vector<std::string> sectioned;
  for (const std::string& leaf : leaves) {
    if (leaf.ends_with("." + key)) sectioned.push_back("\"" + leaf + "\"");
  }
  return sectioned.empty() ? suggest(key, leaves) : "did you mean " + join(sectioned, " or ") + "?";
}

/// The value in the type of the key it replaces: text stays text, anything else is read as JSON. What
/// does not fit is left for the validation to report.
Json typed_value(const std::string& text, const Json& old) {
  if (old.is_string()) return text;
  return try_parse_json(text).value_or(Json(text));
}

Status assign(Json& json, const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Error{"--set needs key=value", where, "write e.g. --set training.micro_batch=4"};
  }
  std::string key(trim(std::string_view(assignment).substr(0, equals)));
  if (key.starts_with("model.")) key = key.substr(6);
  std::vector<std::string> leaves;
  collect_leaves(json, "", leaves);
  if (std::find(leaves.begin(), leaves.end(), key) == leaves.end()) {
    return Error{fmt::format("a model has no key \"{}\"", key), where, suggest_key(key, leaves)};
  }
  Json* target = &json;
  for (const std::string& part : split(key, '.')) target = &(*target)[part];
  *target = typed_value(std::string(trim(std::string_view(assignment).substr(equals + 1))), *target);
  return ok_status();
}

/// The file that `name` means: a path, or configs/datasets/<name>/<file>.
fs::path data_path(const std::string& name, const char* file) {
  const fs::path shipped = shipped_configs_dir() / "datasets" / name;
  if (is_there(name)) return absolute_path(name).lexically_normal();
  if (is_there(shipped / file)) return shipped / file;
  return is_there(shipped) && !is_folder(shipped) ? shipped : fs::path();
}

/// Datasets and tokenizers are read into memory, whole.
constexpr std::uintmax_t kMostDataBytes = std::uintmax_t{4} << 30;

/// A run reads its files more than once, on every node: of a pipe nothing would be left. Preparing reads
/// once.
Status check_file(const fs::path& path, bool once) {
  std::error_code ec;
  const fs::file_type type = fs::status(path, ec).type();
  const bool is_pipe = type == fs::file_type::fifo;
  if (is_pipe && !once) {
    return Error{"this is a pipe, which a run could read only once", path.string(),
                 "write it into a file first, or prepare it: sxbench data prepare"};
  }
  if (type != fs::file_type::regular && !is_pipe)
    return Error{"this is not a regular file", path.string(), "name a file"};
  if (type == fs::file_type::regular && fs::file_size(path, ec) > kMostDataBytes) {
    return Error{fmt::format("this file has more than {} GiB", kMostDataBytes >> 30), path.string(),
                 "name the file that is meant; a larger dataset is prepared in parts"};
  }
  return ok_status();
}

Error not_found(const char* what, const std::string& name, const std::string& where,
                const std::string& flag) {
  std::vector<std::string> shipped;
  std::error_code ec;
  for (const fs::path& path : paths_in(shipped_configs_dir() / "datasets", ec))
    shipped.push_back(path.filename().string());
  return Error{fmt::format("the {} \"{}\" is not found", what, name), where,
               fmt::format("looked for this path and in {}; {} or name a file with {}",
                           (shipped_configs_dir() / "datasets").string(), suggest(name, shipped), flag)};
}

/// What folders, shards and records call a dataset: its shipped name or the stem of its file.
std::string dataset_name(const std::string& dataset) {
  return as_name(is_there(dataset) ? fs::path(dataset).stem().string() : dataset);
}

}  // namespace

std::vector<std::string> shipped_models() { return shipped_names("models"); }

Result<LoadedModel> load_model(const std::string& argument) {
  if (looks_like_path(argument)) return load_file(expand_home(argument));
  SXB_ASSIGN_OR_RETURN(const fs::path path, find_shipped("models", argument, "model", "--models"));
  return load_file(path);
}

Result<Model> resolve_model(const std::string& argument) {
  SXB_ASSIGN_OR_RETURN(LoadedModel loaded, load_model(argument));
  return std::move(loaded.model);
}

Result<Model> apply_setting(const Model& model, const std::string& assignment) {
  return apply_settings(model, {assignment});
}

Result<Model> apply_settings(const Model& model, const std::vector<std::string>& assignments,
                             std::vector<std::string> as_given) {
  if (assignments.empty()) return model;
  if (as_given.empty()) {
    for (const std::string& assignment : assignments) as_given.push_back("--set " + assignment);
  }
  Json json = to_json(model);
  Errors errors;
  for (const std::string& assignment : assignments) {
    const Status status = assign(json, assignment);
    errors.insert(errors.end(), status.errors().begin(), status.errors().end());
  }
  auto changed = parse_model(json, fmt::format("model {} with {}", model.name, join(as_given, " ")));
  errors.insert(errors.end(), changed.errors().begin(), changed.errors().end());
  if (!errors.empty()) return errors;
  anchor_paths(*changed, ".");
  changed->source = model.source;
  return changed;
}

namespace {

Result<DataFiles> locate_data(const Data& data, const DataWords& words, bool once) {
  DataFiles files;
  if (data.dataset == "synthetic") return files;
  files.dataset = data_path(data.dataset, "data.json");
  if (files.dataset.empty())
    return not_found("dataset", data.dataset, words.dataset_where, words.set_dataset);
  files.name = dataset_name(data.dataset);
  if (!data.tokenizer.empty()) {
    files.tokenizer = data_path(data.tokenizer, "tokenizer.model");
    if (files.tokenizer.empty())
      return not_found("tokenizer", data.tokenizer, words.tokenizer_where, words.set_tokenizer);
    SXB_RETURN_IF_ERROR(check_file(files.tokenizer, once));
  }
  if (is_folder(files.dataset)) {
    if (!is_there(files.dataset / "index.json")) {
      return Error{"this folder is not a prepared dataset: it has no index.json", files.dataset.string(),
                   "name an Alpaca .json or .jsonl file, or a folder that `sxbench data prepare` wrote"};
    }
    files.kind = DataFiles::Kind::kPrepared;
    return files;
  }
  files.kind = DataFiles::Kind::kRaw;
  SXB_RETURN_IF_ERROR(check_file(files.dataset, once));
  if (files.tokenizer.empty()) files.tokenizer = files.dataset.parent_path() / "tokenizer.model";
  if (!is_there(files.tokenizer)) {
    return Error{"no tokenizer is named, and there is no tokenizer.model beside the dataset",
                 files.dataset.string(), "name a SentencePiece file with " + words.set_tokenizer};
  }
  SXB_RETURN_IF_ERROR(check_file(files.tokenizer, once));
  return files;
}

}  // namespace

Result<DataFiles> locate_data(const Data& data, const DataWords& words) {
  return locate_data(data, words, /*once=*/true);
}

Result<DataFiles> locate_data(const Model& model) {
  Data data = model.data;
  const fs::path of_weights = weights_folder(model) / "tokenizer.model";
  if (data.tokenizer.empty() && !model.init_from.empty() && is_there(of_weights))
    data.tokenizer = of_weights.string();
  return locate_data(data,
                     {model.source + ":/data/dataset", model.source + ":/data/tokenizer",
                      "--set data.dataset=PATH", "--set data.tokenizer=PATH"},
                     /*once=*/false);
}

}  // namespace sxb::config
