#include "cli/request/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.h"
#include "base/folder.h"
#include "base/shell.h"
#include "base/text.h"
#include "cli/request/options.h"
#include "config/name.h"
#include "launch/head/run.h"
#include "launch/node/checkpoint_room.h"
#include "launch/node/node_data.h"
#include "launch/node/weights.h"
#include "launch/transport/transports.h"
#include "plan/validate.h"

namespace sxb::cli {
namespace {

using plan::Phase;

constexpr std::int64_t kSmokeSteps = 4, kSmokeWarmup = 1;
constexpr std::int64_t kSmokeMaxBytes = 1LL << 20;
constexpr std::int64_t kCpuMaxBytes = 4LL << 20;  ///< Gloo on two cores: a sweep of seconds
constexpr std::int64_t kCpuLocateBytes = 2LL << 20;

void append(Errors& all, const Errors& more) { all.insert(all.end(), more.begin(), more.end()); }

/// The value, or a default-made one with the errors noted.
template <typename T>
T take(Result<T> result, Errors& errors) {
  if (result.ok()) return std::move(result).value();
  append(errors, result.errors());
  return T{};
}

std::vector<std::string> names(const std::vector<config::Node>& nodes) {
  std::vector<std::string> result;
  for (const config::Node& node : nodes) result.push_back(node.name);
  return result;
}

/// Spares stand last, where no task looks for its nodes.
config::Cluster add_spares(config::Cluster cluster, const std::vector<config::Node>& spares) {
  cluster.nodes.insert(cluster.nodes.end(), spares.begin(), spares.end());
  return cluster;
}

/// Names of the nodes that `part` lacks.
std::vector<std::string> difference(const config::Cluster& whole, const config::Cluster& part) {
  const std::vector<std::string> kept = names(part.nodes);
  std::vector<std::string> result = names(whole.nodes);
  std::erase_if(result, [&](const std::string& name) {
    return std::find(kept.begin(), kept.end(), name) != kept.end();
  });
  return result;
}

/// What --smoke and the device decide where neither flag nor environment says anything.
config::CommandLine with_defaults(const Flags& flags, bool cuda) {
  config::CommandLine merged = flags.config;
  const char* models = std::getenv(config::kModelsFlag.variable);
  const bool models_given = !merged.models.empty() || (models != nullptr && *models != '\0');
  if (flags.smoke) {
    const auto set = [&merged](const char* flag, std::int64_t value) {
      if (merged.of(flag).empty()) merged.keys[flag] = std::to_string(value);
    };
    if (merged.models.empty()) merged.models = "tiny";
    set("--nodes", 1);
    if (merged.of("--steps").empty()) set("--warmup", kSmokeWarmup);
    set("--steps", kSmokeSteps);
  } else if (!models_given && cuda) {
    merged.models = "7b";
  }
  return merged;
}

/// The matrix says how much is sent: one size.
plan::CollectiveSweep with_matrix(plan::CollectiveSweep sweep, const plan::TrafficMatrix& matrix) {
  if (matrix.empty()) return sweep;
  sweep.matrix = matrix;
  sweep.min_bytes = sweep.max_bytes = matrix.most_bytes(matrix.size());
  return sweep;
}

/// One sweep per collective that is named, in the order of the command line.
std::vector<plan::CollectiveSweep> default_sweeps(const Flags& flags, bool cuda) {
  plan::CollectiveSweep sweep = flags.sweep;
  if (!cuda && !flags.max_bytes_given) sweep.max_bytes = std::max(kCpuMaxBytes, sweep.min_bytes);
  if (flags.smoke) {
    sweep.max_bytes = kSmokeMaxBytes;
    sweep.iterations = 5;
    sweep.warmup = 1;
  }
  std::vector<plan::CollectiveSweep> sweeps;
  const auto add = [&](const std::string& name) {
    const auto is_it = [&](const plan::CollectiveSweep& other) { return other.collective == name; };
    if (std::any_of(sweeps.begin(), sweeps.end(), is_it)) return;
    sweep.collective = name;
    sweeps.push_back(name == "alltoallv" ? with_matrix(sweep, flags.matrix) : sweep);
  };
  for (std::string name : flags.collectives) {
    if (name.ends_with("_perf")) name.resize(name.size() - 5);  // as nccl-tests calls its programs
    if (name != "all") {
      add(name);
    } else {
      for (const std::string& each : plan::collective_names()) add(each);
    }
  }
  if (sweeps.empty()) add(sweep.collective);
  return sweeps;
}

plan::Locate default_locate(const Flags& flags, bool cuda) {
  plan::Locate locate = flags.locate;
  if (!cuda && !flags.locate_size_given) locate.size_bytes = kCpuLocateBytes;
  return locate;
}

Status check_name(const std::string& name) {
  if (name.empty() || config::is_name(name)) return ok_status();
  return Error{fmt::format("\"{}\" cannot be part of a folder's name", name), "--name", config::kNameHelp};
}

Status check_save(const Flags& flags, const std::vector<plan::Task>& tasks) {
  const auto sft =
      std::count_if(tasks.begin(), tasks.end(), [](const auto& t) { return t.phase == Phase::kSft; });
  if (flags.save.empty()) return ok_status();
  if (const std::string whole = absolute_path(flags.save).string(); !is_utf8(whole)) {
    return Error{fmt::format("\"{}\" is not UTF-8, so nodes cannot be told of it", whole), "--save",
                 "rename it, or give a link to it that has a name in UTF-8"};
  }
  if (sft == 1) return ok_status();
  return Error{fmt::format("--save keeps the weights of one fine-tuning task, this plan has {}", sft),
               "--save", "choose one model, one node count and --repeats 1"};
}

/// What the nodes would refuse when they read it, before there is a run folder.
Status check_tasks(const std::vector<plan::Task>& tasks) {
  Errors errors;
  for (const plan::Task& task : tasks) {
    const Result<plan::Task> read = plan::parse_task(plan::to_json(task), "plan: " + task.label());
    for (const Error& error : read.errors()) {
      const auto same = [&](const Error& other) { return other.what == error.what; };
      if (std::none_of(errors.begin(), errors.end(), same)) errors.push_back(error);
    }
  }
  if (!errors.empty()) return errors;
  return ok_status();
}

/// The tasks run one after another, and each removes its checkpoints when it has its result.
Status check_checkpoints(const config::Cluster& cluster, const launch::Placement& placement,
                         const std::vector<plan::Task>& tasks) {
  for (const plan::Task& task : tasks) {
    const config::Checkpoint& checkpoint = task.model.training.checkpoint;
    if (task.phase != Phase::kSft || !checkpoint.on()) continue;
    const plan::Ranks ranks = plan::ranks_of(cluster, task.nodes, placement.facts);
    const std::filesystem::path folder = launch::checkpoint_folder(checkpoint);
    SXB_RETURN_IF_ERROR(launch::judge_checkpoint_room(task.model,
                                                      launch::checkpoint_need(task.model, ranks, ranks.world),
                                                      launch::checkpoint_room(folder), folder));
  }
  return ok_status();
}

bool contains(const std::vector<Phase>& phases, Phase phase) {
  return std::find(phases.begin(), phases.end(), phase) != phases.end();
}

}  // namespace

void warn(const Errors& warnings) {
  for (const Error& warning : warnings) {
    print_err("warning: {}\n  --> {}\nhelp: {}\n", warning.what, warning.where, warning.help);
  }
}

void add_key_flags(CLI::App& verb, config::Document document, config::CommandLine& said) {
  for (const config::RowInfo& row : config::rows_with_flags(document)) {
    if (row.extra.flag == nullptr) continue;
    std::string& text = said.keys[row.extra.flag];
    if (row.schema.value("type", "") == "integer") {
      verb.add_option_function<std::int64_t>(
          row.extra.flag, [&text](const std::int64_t& value) { text = std::to_string(value); },
          flag_help(row));
    } else {
      CLI::Option* option = verb.add_option(row.extra.flag, text, flag_help(row));
      if (row.schema.value("type", "") == "array") once(option);
    }
  }
}

void add_selector(CLI::App& verb, const config::Selector& selector, config::CommandLine& said) {
  once(verb.add_option(selector.flag, said.*selector.member, flag_help(selector)));
}

void add_set_flag(CLI::App& verb, config::CommandLine& said) {
  verb.add_option("--set", said.set,
                  "a key of the models, e.g. training.recompute=norms,swiglu; may be repeated")
      ->allow_extra_args(false);
}

void add_cluster_flags(CLI::App& verb, config::CommandLine& said) {
  add_selector(verb, config::kClusterFlag, said);
  add_selector(verb, config::kHostfileFlag, said);
  add_key_flags(verb, config::Document::kCluster, said);
}

void add_node_flags(CLI::App& verb, config::CommandLine& said) {
  add_cluster_flags(verb, said);
  add_selector(verb, config::kExcludeFlag, said);
  add_selector(verb, config::kSparesFlag, said);
  add_key_flags(verb, config::Document::kRun, said);
}

void add_place_flags(CLI::App& verb, Flags& flags) {
  add_node_flags(verb, flags.config);
  verb.add_option("--name", flags.name, "part of the run folder's name (default: that of the cluster)");
}

void add_collectives_flag(CLI::App& verb, Flags& flags, bool positional) {
  verb.add_option(positional ? "collectives,--collectives" : "--collectives", flags.collectives,
                  "all, or some of " + join(plan::collective_names(), ", ") + " (default: all_reduce)")
      ->delimiter(',')
      ->type_name("NAMES");
}

void add_work_flags(CLI::App& verb, Flags& flags) {
  add_selector(verb, config::kModelsFlag, flags.config);
  once(verb.add_option("--phases", flags.phases,
                       "some of check,gpu,burn,nccl,sft,report (default: check,nccl,sft,report); without "
                       "report no report is written"));
  add_collectives_flag(verb, flags, false);
  verb.add_option("--repeats", flags.repeats, "how often each task runs (default 1)")
      ->check(between(1, 1000));
  verb.add_flag("--smoke", flags.smoke, "tiny model, one node, short sweep: under a minute on two cores");
  add_key_flags(verb, config::Document::kModel, flags.config);
  add_set_flag(verb, flags.config);
  path_option(verb.add_option("--save", flags.save,
                              "write the trained weights (Hugging Face safetensors) to this folder"));
}

void add_conduct_flags(CLI::App& verb, Flags& flags) {
  verb.add_option("--retries", flags.retries, "how often a task that failed is tried again (default 0)")
      ->check(between(0, 100));
  verb.add_flag("--json", flags.json, "progress as JSON on stdout, one object a line (docs/progress.md)");
}

Result<Request> resolve(const Flags& flags, const std::string& command) {
  Errors errors = flags.errors;
  launch::Placement placement;
  config::Cluster whole, with_spares;
  // What is wrong with the cluster or its node sets, resolve_settings() reports beside all else.
  const Result<config::ResolvedCluster> found = config::resolve_cluster(flags.config);
  if (found.ok()) {
    whole = found->cluster;
    config::Cluster working = whole;
    const auto spares = config::set_aside_nodes(working, flags.config.exclude, flags.config.spares);
    if (spares.ok()) {
      with_spares = add_spares(working, *spares);
      placement = take(launch::resolve_placement(with_spares, launch::this_machine()), errors);
    }
  }
  plan::PlanInput input;
  input.phases =
      take(plan::parse_phases(flags.phases.empty() ? "check,nccl,sft,report" : flags.phases), errors);
  input.sweeps = default_sweeps(flags, placement.facts.cuda);
  input.locate = default_locate(flags, placement.facts.cuda);
  input.gpu = flags.gpu;
  input.burn = plan::resolve_burn(flags.burn, placement.facts.cuda);
  input.repeats = flags.repeats;
  const config::Resolved settings =
      take(config::resolve_settings(with_defaults(flags, placement.facts.cuda), found), errors);
  append(errors, check_name(flags.name).errors());
  if (!errors.empty()) return errors;
  warn(settings.warnings);
  const config::Cluster& cluster = settings.cluster;
  input.cluster = cluster;
  input.node_counts = settings.run.node_counts;
  if (contains(input.phases, Phase::kSft)) input.models = settings.models;
  append(errors, plan::validate(input, placement.facts).errors());
  if (launch::reaches_only_this_machine(cluster)) {
    for (const config::Model& model : input.models) append(errors, launch::check_inputs(model).errors());
    if (!flags.save.empty() && !input.models.empty()) {
      append(errors,
             launch::check_save_folder(flags.save, input.models.front(), placement.facts.cuda).errors());
    }
  }
  if (!errors.empty()) return errors;

  // Nodes have other working folders.
  for (config::Model& model : input.models) {
    std::string& folder = model.training.checkpoint.folder;
    if (!folder.empty()) folder = absolute_path(folder).lexically_normal().string();
  }

  Request options;
  options.tasks = plan::expand(input);
  if (options.tasks.empty()) {
    return Error{"nothing to run: a new run has no results yet to report", "--phases " + flags.phases,
                 "sxbench report writes the reports of a run that is there; add check, gpu, burn, nccl or "
                 "sft to --phases"};
  }
  SXB_RETURN_IF_ERROR(check_save(flags, options.tasks));
  SXB_RETURN_IF_ERROR(check_tasks(options.tasks));
  if (launch::reaches_only_this_machine(cluster)) {
    SXB_RETURN_IF_ERROR(check_checkpoints(cluster, placement, options.tasks));
  }
  options.cluster = with_spares;
  options.spares = names(settings.spares);
  options.excluded = difference(whole, with_spares);
  options.retries = flags.retries;
  options.placement = std::move(placement);
  options.name = !flags.name.empty() ? flags.name : flags.smoke ? "smoke" : cluster.name;
  options.command = command;
  options.results = settings.run.out.empty() ? "results" : settings.run.out;
  if (!cluster.paths.program.empty()) options.program = cluster.paths.program;
  options.settings.sample_interval_ns = settings.run.metrics_interval_ms * 1'000'000;
  if (!flags.save.empty()) options.settings.save_dir = absolute_path(flags.save).string();
  options.report = contains(input.phases, Phase::kReport);
  return options;
}

Result<Request> resolve_resumed(const std::filesystem::path& run, const Flags& flags,
                                const std::string& command) {
  SXB_ASSIGN_OR_RETURN(Request options, launch::options_from_journal(run));
  const config::Cluster whole = options.cluster;
  const std::string spares = flags.config.spares.empty() ? join(options.spares, ",") : flags.config.spares;
  SXB_ASSIGN_OR_RETURN(const std::vector<config::Node> kept,
                       config::set_aside_nodes(options.cluster, flags.config.exclude, spares));
  options.cluster = add_spares(options.cluster, kept);
  const std::vector<std::string> gone = difference(whole, options.cluster);
  options.excluded.insert(options.excluded.end(), gone.begin(), gone.end());
  // Excluded nodes leave places of the plan to the spares.
  std::size_t needed = 0;
  for (const plan::Task& task : options.tasks)
    needed = std::max(needed, static_cast<std::size_t>(task.nodes));
  if (needed > options.cluster.nodes.size()) {
    return Error{fmt::format("the run needs {} nodes, {} are left", needed, options.cluster.nodes.size()),
                 "--exclude " + flags.config.exclude, "exclude fewer nodes, or make a new run on fewer"};
  }
  const std::size_t working = std::max(needed, options.cluster.nodes.size() - kept.size());
  options.spares.clear();
  for (std::size_t i = working; i < options.cluster.nodes.size(); ++i) {
    options.spares.push_back(options.cluster.nodes[i].name);
  }
  SXB_ASSIGN_OR_RETURN(options.placement, launch::resolve_placement(options.cluster, launch::this_machine()));
  options.command = command;
  if (!options.cluster.paths.program.empty()) options.program = options.cluster.paths.program;
  options.retries = flags.retries;
  return options;
}

std::optional<Request> resolve_or_explain(const Flags& flags, ExitCode& code) {
  return value_or_explain(resolve(flags, own_command_line()), code);
}

std::string own_command_line() {
  const Result<std::string> raw = read_file("/proc/self/cmdline");
  if (!raw.ok() || raw->empty()) return "sxbench";
  std::vector<std::string> arguments = split(std::string_view(*raw).substr(0, raw->size() - 1), '\0');
  arguments.front() = "sxbench";
  return shell_line(arguments);
}

}  // namespace sxb::cli
