#include "config/settings/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/input_file.h"
#include "base/text.h"
#include "config/cluster/cluster_settings.h"
#include "config/model/model_json.h"
#include "config/model/model_settings.h"
#include "config/reader.h"
#include "config/settings/origins.h"

namespace sxb::config {
namespace {

constexpr EnumName<Layer> kLayers[] = {{Layer::kDefault, "default"},
                                       {Layer::kFile, "file"},
                                       {Layer::kEnvironment, "environment"},
                                       {Layer::kFlag, "flag"}};

/// A value as text with its origin; unset if neither flag nor environment gives it.
struct Given {
  std::string text;
  Origin origin;
  bool set() const { return origin.layer != Layer::kDefault; }
  /// As the user wrote it.
  std::string written() const {
    return origin.layer == Layer::kEnvironment ? fmt::format("{}={}", origin.from, text)
                                               : fmt::format("{} {}", origin.from, text);
  }
  std::string where() const { return origin.layer == Layer::kEnvironment ? "$" + origin.from : origin.from; }
};

Given give(const std::string& value, const char* flag, const char* variable) {
  if (!value.empty()) return {value, {Layer::kFlag, flag}};
  const char* text = variable != nullptr ? std::getenv(variable) : nullptr;
  if (text != nullptr && *text != '\0') return {text, {Layer::kEnvironment, variable}};
  return {};
}

Given give(const CommandLine& flags, const RowInfo& row) {
  const std::string text = row.extra.flag != nullptr ? flags.of(row.extra.flag) : "";
  return give(text, row.extra.flag, row.extra.variable);
}

/// What reaches nodes travels as JSON, which holds UTF-8 alone: another path would be found there.
bool can_travel(const std::string& text, const std::string& where, Errors& errors) {
  if (is_utf8(text)) return true;
  errors.push_back({fmt::format("\"{}\" is not UTF-8", text), where,
                    "rename it, or give a link to it that has a name in UTF-8"});
  return false;
}

void append(Errors& all, const Errors& some) { all.insert(all.end(), some.begin(), some.end()); }

/// Text in the type of its key; what does not fit is left for the reader to report.
Json typed(const std::string& text, const Json& schema) {
  const std::string type = schema.value("type", "string");
  if (type == "string" || type == "array") return text;
  const std::optional<Json> value = try_parse_json(text);
  return value && value->is_primitive() ? *value : Json(text);
}

/// Puts the flags and variables of a document's rows on top of `out`, and notes their origins.
template <typename T>
void apply_flags(const Table<T>& table, Document document, const CommandLine& flags, T& out, Origins& origins,
                 Errors& errors) {
  for (const RowInfo& row : rows_with_flags(document)) {
    const Given given = give(flags, row);
    if (!given.set()) continue;
    origins[row.pointer()] = given.origin;
    // The folder of the results stays on the head, which takes any name.
    const bool stays = document == Document::kRun && row.key == "out";
    if (!stays && !can_travel(given.text, given.where(), errors)) continue;
    Errors found;
    table.set(row.pointer(), typed(given.text, row.schema), out, found);
    for (Error& error : found) error.where = given.where();
    append(errors, found);
  }
}

std::string as_pointer(std::string key) {
  if (key.starts_with("model.")) key = key.substr(6);
  std::replace(key.begin(), key.end(), '.', '/');
  return "/" + key;
}

/// Loads one model, applies flags and --set, and notes where each value comes from.
void merge_model(const std::string& name, const CommandLine& flags, Resolved& resolved, Errors& errors) {
  auto loaded = load_model(name);
  if (!loaded.ok()) return append(errors, loaded.errors());
  std::vector<std::string> assignments, as_given;
  Origins overridden;
  for (const RowInfo& row : rows_with_flags(Document::kModel)) {
    const Given given = give(flags, row);
    if (!given.set() || !can_travel(given.text, given.where(), errors)) continue;
    assignments.push_back(fmt::format("{}={}", row.key, given.text));
    as_given.push_back(given.written());
    overridden[row.pointer()] = given.origin;
  }
  for (const std::string& assignment : flags.set) {
    if (!can_travel(assignment, "--set", errors)) continue;
    assignments.push_back(assignment);
    as_given.push_back("--set " + assignment);
    overridden[as_pointer(std::string(trim(split(assignment, '=').front())))] = {Layer::kFlag, "--set"};
  }
  auto changed = apply_settings(loaded->model, assignments, as_given);
  if (!changed.ok()) return append(errors, changed.errors());
  append(resolved.warnings, hugging_face_warnings(loaded->file, loaded->model.source));
  const std::string pointer = "/models/" + pointer_token(changed->name);
  for (const auto& [leaf, origin] : model_origins(*changed, loaded->file))
    resolved.origins[pointer + leaf] = origin;
  for (const auto& [leaf, origin] : overridden) resolved.origins[pointer + leaf] = origin;
  const auto same = [&](const Model& other) { return other.name == changed->name; };
  if (std::any_of(resolved.models.begin(), resolved.models.end(), same)) {
    errors.push_back({fmt::format("two models are named \"{}\"", changed->name), changed->source,
                      "give each model file its own \"name\""});
    return;
  }
  resolved.models.push_back(std::move(changed).value());
}

void merge_models(const CommandLine& flags, Resolved& resolved, Errors& errors) {
  Given names = give(flags.models, kModelsFlag.flag, kModelsFlag.variable);
  if (!names.set()) names.text = "tiny";
  std::vector<std::string> seen;
  for (const std::string& piece : split(names.text, ',')) {
    const std::string name(trim(piece));
    if (name.empty()) {
      errors.push_back({"a model name is missing between two commas", names.where(), "write e.g. 7b,13b"});
    } else if (std::find(seen.begin(), seen.end(), name) == seen.end()) {
      seen.push_back(name);
      merge_model(name, flags, resolved, errors);
    }
  }
}

/// Nodes, folder and sampling of the run; what nobody says follows from the cluster.
void merge_run(const CommandLine& flags, Resolved& resolved, Errors& errors) {
  Run& run = resolved.run;
  Origins origins;
  for (const std::string& leaf : leaf_pointers(run_settings().write(run))) origins[leaf] = {};
  run.node_counts = {static_cast<int>(resolved.cluster.nodes.size())};
  run.out = resolved.cluster.paths.results;
  origins["/out"] = resolved.origins["/cluster/paths/results"];
  apply_flags(run_settings(), Document::kRun, flags, run, origins, errors);
  run.out = expand_home(run.out);
  for (const auto& [leaf, origin] : origins) resolved.origins["/run" + leaf] = origin;
}

/// What a hostfile says of a cluster; the rest are defaults.
Origins hostfile_origins(const Cluster& cluster) {
  Origins origins;
  for (const std::string& leaf : leaf_pointers(to_json(cluster))) {
    origins[leaf] = leaf.starts_with("/nodes/") ? Origin{Layer::kFile, cluster.source} : Origin{};
  }
  for (const char* leaf : {"/name", "/description", "/transport"}) {
    origins[leaf] = {Layer::kFlag, kHostfileFlag.flag};
  }
  return origins;
}

}  // namespace

std::string to_string(Layer layer) { return enum_name(kLayers, layer); }

Result<ResolvedCluster> resolve_cluster(const CommandLine& flags) {
  if (!flags.hostfile.empty() && !flags.cluster.empty()) {
    return Error{"--hostfile and --cluster both name the nodes", "--hostfile", "give one of them"};
  }
  ResolvedCluster resolved;
  if (!flags.hostfile.empty()) {
    SXB_ASSIGN_OR_RETURN(resolved.cluster, load_hostfile(expand_home(flags.hostfile)));
    resolved.origins = hostfile_origins(resolved.cluster);
  } else {
    SXB_ASSIGN_OR_RETURN(LoadedCluster loaded, load_cluster(flags.cluster));
    resolved.origins = cluster_origins(loaded);
    resolved.cluster = std::move(loaded.cluster);
  }
  Errors errors;
  apply_flags(cluster_settings(), Document::kCluster, flags, resolved.cluster, resolved.origins, errors);
  if (!errors.empty()) return errors;
  return resolved;
}

Result<Resolved> resolve_settings(const CommandLine& flags, Result<ResolvedCluster> cluster) {
  Errors errors;
  Resolved resolved;
  if (cluster.ok()) {
    resolved.cluster = std::move(cluster->cluster);
    for (const auto& [leaf, origin] : cluster->origins) resolved.origins["/cluster" + leaf] = origin;
    auto spares = set_aside_nodes(resolved.cluster, flags.exclude, flags.spares);
    append(errors, spares.errors());
    if (spares.ok()) resolved.spares = std::move(spares).value();
  } else {
    append(errors, cluster.errors());
  }
  merge_models(flags, resolved, errors);
  merge_run(flags, resolved, errors);
  if (!errors.empty()) return errors;
  return resolved;
}

Result<Resolved> resolve_settings(const CommandLine& flags) {
  return resolve_settings(flags, resolve_cluster(flags));
}

Json to_json(const Resolved& resolved) {
  Json models = Json::object();
  for (const Model& model : resolved.models) models[model.name] = to_json(model);
  return {{"cluster", to_json(resolved.cluster)},
          {"models", models},
          {"run", run_settings().write(resolved.run)}};
}

}  // namespace sxb::config
