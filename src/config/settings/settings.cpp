#include "config/settings/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/text.h"
#include "config/cluster/node_set.h"
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

Given give(const std::optional<std::int64_t>& value, const char* flag, const char* variable) {
  return give(value ? std::to_string(*value) : "", flag, variable);
}

void append(Errors& all, const Errors& some) { all.insert(all.end(), some.begin(), some.end()); }

/// One numeric flag that stands for a key of every model.
struct ModelFlag {
  Given given;
  const char* key;  // as --set takes it
};

std::string as_pointer(std::string key) {
  if (key.starts_with("model.")) key = key.substr(6);
  std::replace(key.begin(), key.end(), '.', '/');
  return "/" + key;
}

/// Loads one model, applies flags and --set, and notes where each value comes from.
void merge_model(const std::string& name, const std::vector<ModelFlag>& model_flags, const Flags& flags,
                 Settings& settings, Errors& errors) {
  auto model = resolve_model(name);
  if (!model.ok()) return append(errors, model.errors());
  std::vector<std::string> assignments, as_given;
  std::map<std::string, Origin> overridden;
  for (const ModelFlag& flag : model_flags) {
    if (!flag.given.set()) continue;
    assignments.push_back(fmt::format("{}={}", flag.key, flag.given.text));
    as_given.push_back(flag.given.written());
    overridden[as_pointer(flag.key)] = flag.given.origin;
  }
  for (const std::string& assignment : flags.set) {
    assignments.push_back(assignment);
    as_given.push_back("--set " + assignment);
    overridden[as_pointer(std::string(trim(split(assignment, '=').front())))] = {Layer::kFlag, "--set"};
  }
  auto changed = apply_settings(*model, assignments, as_given);
  if (!changed.ok()) return append(errors, changed.errors());
  const std::string pointer = "/models/" + pointer_token(changed->name);
  for (const auto& [leaf, origin] : model_origins(*changed)) settings.origins[pointer + leaf] = origin;
  for (const auto& [leaf, origin] : overridden) settings.origins[pointer + leaf] = origin;
  const auto same = [&](const Model& other) { return other.name == changed->name; };
  if (std::any_of(settings.models.begin(), settings.models.end(), same)) {
    errors.push_back({fmt::format("two models are named \"{}\"", changed->name), changed->source,
                      "give each model file its own \"name\""});
    return;
  }
  settings.models.push_back(std::move(changed).value());
}

void merge_models(const Flags& flags, Settings& settings, Errors& errors) {
  const std::vector<ModelFlag> model_flags = {
      {give(flags.steps, "--steps", "SXBENCH_STEPS"), "training.steps"},
      {give(flags.warmup, "--warmup", nullptr), "training.warmup"},
      {give(flags.micro_batch, "--micro-batch", "SXBENCH_MICRO_BATCH"), "training.micro_batch"}};
  Given names = give(flags.models, "--models", "SXBENCH_MODELS");
  if (!names.set()) names.text = "tiny";
  std::vector<std::string> seen;
  for (const std::string& piece : split(names.text, ',')) {
    const std::string name(trim(piece));
    if (name.empty()) {
      errors.push_back({"a model name is missing between two commas", names.where(), "write e.g. 7b,13b"});
    } else if (std::find(seen.begin(), seen.end(), name) == seen.end()) {
      seen.push_back(name);
      merge_model(name, model_flags, flags, settings, errors);
    }
  }
}

void merge_node_counts(const Flags& flags, Settings& settings, Errors& errors) {
  const Given nodes = give(flags.nodes, "--nodes", "SXBENCH_NODES");
  settings.origins["/run/nodes"] = nodes.origin;
  if (!nodes.set()) {
    settings.node_counts = {static_cast<int>(settings.cluster.nodes.size())};
    return;
  }
  auto counts = parse_count_list(nodes.text, nodes.where());
  if (!counts.ok()) return append(errors, counts.errors());
  settings.node_counts = std::move(counts).value();
}

void merge_interval(const Flags& flags, Settings& settings, Errors& errors) {
  const Given interval =
      give(flags.metrics_interval_ms, "--metrics-interval-ms", "SXBENCH_METRICS_INTERVAL_MS");
  settings.origins["/run/metrics_interval_ms"] = interval.origin;
  if (!interval.set()) return;
  const std::string& text = interval.text;
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < 10 || value > 60000) {
    errors.push_back({fmt::format("\"{}\" is not a sampling interval", text), interval.where(),
                      "write milliseconds from 10 to 60000, e.g. 100"});
    return;
  }
  settings.metrics_interval_ms = value;
}

/// A numeric flag of the cluster, with the bounds of its key.
void override_number(const std::optional<std::int64_t>& given, const char* flag, int max, int& out,
                     Errors& errors) {
  if (!given) return;
  if (*given >= 1 && *given <= max) {
    out = static_cast<int>(*given);
  } else {
    errors.push_back({fmt::format("{} is out of range", *given), flag, fmt::format("write 1 to {}", max)});
  }
}

}  // namespace

Result<Cluster> resolve_cluster(const Flags& flags, std::map<std::string, Origin>* origins) {
  if (!flags.hostfile.empty() && !flags.cluster.empty()) {
    return Error{"--hostfile and --cluster both name the nodes", "--hostfile", "give one of them"};
  }
  SXB_ASSIGN_OR_RETURN(Cluster cluster, flags.hostfile.empty() ? resolve_cluster(flags.cluster)
                                                               : load_hostfile(flags.hostfile));
  Errors errors;
  const auto from = [&](const char* leaf, const char* flag, bool given) {
    if (given && origins != nullptr) (*origins)[leaf] = {Layer::kFlag, flag};
  };
  if (!flags.transport.empty()) {
    const auto transport = parse_transport(flags.transport, "--transport");
    if (transport.ok()) cluster.transport = *transport;
    append(errors, transport.errors());
  }
  if (!flags.device.empty()) {
    const auto device = parse_device(flags.device, "--device");
    if (device.ok()) cluster.device = *device;
    append(errors, device.errors());
  }
  override_number(flags.fanout, "--fanout", 4096, cluster.fanout, errors);
  override_number(flags.connect_timeout_s, "--connect-timeout", 3600, cluster.timeouts.connect_s, errors);
  if (!flags.hostfile.empty() && origins != nullptr) {
    for (const std::string& leaf : leaf_pointers(to_json(cluster))) {
      if (leaf.starts_with("/nodes/")) (*origins)[leaf] = {Layer::kFile, flags.hostfile};
    }
    from("/name", "--hostfile", true);
    from("/description", "--hostfile", true);
    from("/transport", "--hostfile", true);
  }
  from("/transport", "--transport", !flags.transport.empty());
  from("/device", "--device", !flags.device.empty());
  from("/fanout", "--fanout", flags.fanout.has_value());
  from("/timeouts/connect_s", "--connect-timeout", flags.connect_timeout_s.has_value());
  if (!errors.empty()) return errors;
  return cluster;
}

std::string to_string(Layer layer) { return enum_name(kLayers, layer); }

Result<Settings> merge_settings(const Flags& flags) {
  Errors errors;
  Settings settings;
  std::map<std::string, Origin> overridden;
  auto cluster = resolve_cluster(flags, &overridden);
  if (cluster.ok()) {
    settings.cluster = std::move(cluster).value();
    for (const auto& [leaf, origin] : cluster_origins(settings.cluster))
      settings.origins["/cluster" + leaf] = origin;
    for (const auto& [leaf, origin] : overridden) settings.origins["/cluster" + leaf] = origin;
    auto spares = set_aside_nodes(settings.cluster, flags.exclude, flags.spares);
    append(errors, spares.errors());
    if (spares.ok()) settings.spares = std::move(spares).value();
  } else {
    append(errors, cluster.errors());
  }
  merge_models(flags, settings, errors);
  merge_node_counts(flags, settings, errors);
  merge_interval(flags, settings, errors);
  const Given out = give(flags.out, "--out", "SXBENCH_OUT");
  settings.out = out.set() ? out.text : settings.cluster.paths.results;
  settings.origins["/run/out"] = out.set() ? out.origin : settings.origins["/cluster/paths/results"];
  if (!errors.empty()) return errors;
  return settings;
}

Json to_json(const Settings& settings) {
  Json models = Json::object();
  for (const Model& model : settings.models) models[model.name] = to_json(model);
  return {{"cluster", to_json(settings.cluster)},
          {"models", models},
          {"run",
           {{"nodes", settings.node_counts},
            {"out", settings.out},
            {"metrics_interval_ms", settings.metrics_interval_ms}}}};
}

}  // namespace sxb::config
