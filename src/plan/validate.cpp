#include "plan/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "base/units.h"
#include "plan/limits.h"
#include "plan/memory.h"

namespace sxb::plan {
namespace {

using config::Cluster;
using config::Model;

bool has_phase(const PlanInput& input, Phase phase) {
  return std::find(input.phases.begin(), input.phases.end(), phase) != input.phases.end();
}

int node_total(const Cluster& cluster) { return static_cast<int>(cluster.nodes.size()); }

/// "--cluster FILE " unless the cluster is the one that is found without it.
std::string cluster_flag(const Cluster& cluster) {
  const bool found = cluster.source.empty() || cluster.source == "builtin" || cluster.source == "slurm";
  return found ? "" : fmt::format(" --cluster {}", cluster.source);
}

/// The command line that runs the same plan on other models, nodes or cluster.
std::string command(const PlanInput& input, const std::string& models, const std::vector<int>& counts,
                    const std::string& more) {
  const std::string nodes = fmt::format("{}", fmt::join(counts, ","));
  if (has_phase(input, Phase::kLocate)) return fmt::format("sxbench locate --nodes {}{}", nodes, more);
  if (!has_phase(input, Phase::kSft)) {
    const char* verb = has_phase(input, Phase::kNccl)   ? "nccl"
                       : has_phase(input, Phase::kBurn) ? "burn"
                       : has_phase(input, Phase::kGpu)  ? "gpu"
                                                        : "nccl";
    return fmt::format("sxbench {} --nodes {}{}", verb, nodes, more);
  }
  return fmt::format("sxbench run --models {} --nodes {}{}", models, nodes, more);
}

std::string model_names(const PlanInput& input) {
  std::vector<std::string> names;
  for (const Model& model : input.models) names.push_back(model.name);
  return join(names, ",");
}

/// How a model meets the memory on one node count.
struct Fit {
  bool possible = true;  ///< false: hybrid on nodes that are not alike
  int nodes = 0;
  int world = 0;
  std::int64_t need = 0;
  std::int64_t available = 0;  ///< 0 = unknown
  bool ok() const { return possible && (available == 0 || need <= available); }
  double use() const { return static_cast<double>(need) / static_cast<double>(available); }
};

Fit fit(const Cluster& cluster, const Model& model, int nodes, const DeviceFacts& facts) {
  const Ranks ranks = ranks_of(cluster, nodes, facts);
  if (model.training.sharding == config::Sharding::kHybrid && ranks.per_node == 0) {
    return {.possible = false, .nodes = nodes, .world = ranks.world};
  }
  return {true, nodes, ranks.world, estimate_memory(resolve_auto(model, ranks), ranks).total(),
          ranks.memory_bytes};
}

/// Those of the counts that the cluster has.
std::vector<int> possible_counts(const PlanInput& input) {
  std::vector<int> possible;
  std::copy_if(input.node_counts.begin(), input.node_counts.end(), std::back_inserter(possible),
               [&](int n) { return n >= 1 && n <= node_total(input.cluster); });
  return possible;
}

/// The command for the nodes that there are, with the models that fit them; "" if none does. Without `facts`
/// all do.
std::string on_what_there_is(PlanInput input, const DeviceFacts* facts) {
  const Cluster& cluster = input.cluster;
  input.node_counts = possible_counts(input);
  if (input.node_counts.empty()) input.node_counts.push_back(node_total(cluster));
  const auto fails = [&](const Model& model) {
    return std::any_of(input.node_counts.begin(), input.node_counts.end(),
                       [&](int nodes) { return !fit(cluster, model, nodes, *facts).ok(); });
  };
  if (facts != nullptr && has_phase(input, Phase::kSft)) {
    std::erase_if(input.models, fails);
    if (input.models.empty()) return "";
  }
  return command(input, model_names(input), input.node_counts, cluster_flag(cluster));
}

Error too_many_nodes(const PlanInput& input, int count, const DeviceFacts* facts) {
  const Cluster& cluster = input.cluster;
  const int total = node_total(cluster);
  std::vector<std::string> ways;
  if (const std::string here = on_what_there_is(input, facts); !here.empty())
    ways.push_back("run on what it has: " + here);
  if (cluster.transport == config::TransportKind::kLocal && count <= 8) {
    ways.push_back(fmt::format("{}try it out on 8 pretended nodes of this machine: {}",
                               ways.empty() ? "" : "or ",
                               command(input, "tiny", input.node_counts, " --cluster local-8")));
  }
  if (ways.size() < 2)
    ways.push_back(
        fmt::format("{}name a cluster file with more nodes with --cluster", ways.empty() ? "" : "or "));
  return Error{fmt::format("{} nodes are asked for, the cluster \"{}\" has {}", count, cluster.name, total),
               fmt::format("--nodes {}", count), join(ways, "; ")};
}

Errors check_node_counts(const PlanInput& input, const DeviceFacts* facts) {
  Errors errors;
  if (input.node_counts.empty())
    errors.push_back({"no node count is given", "--nodes", "write e.g. --nodes 1"});
  for (const int count : input.node_counts) {
    if (count < 1) errors.push_back({fmt::format("{} nodes", count), "--nodes", "use 1 or more"});
  }
  // The largest count says it all, and its help keeps the counts that are possible.
  if (errors.empty()) {
    const int most = *std::max_element(input.node_counts.begin(), input.node_counts.end());
    if (most > node_total(input.cluster)) errors.push_back(too_many_nodes(input, most, facts));
  }
  return errors;
}

Errors check_devices(const PlanInput& input, const DeviceFacts& facts) {
  const Cluster& cluster = input.cluster;
  if (cluster.device == config::DeviceKind::kCuda && !facts.cuda) {
    return {Error{fmt::format("the cluster \"{}\" is to use GPUs, but there is none", cluster.name),
                  cluster.source + ":/device",
                  "check `nvidia-smi -L` and the driver; to use the CPU set \"device\": \"cpu\", or take "
                  "--cluster local",
                  ExitCode::kEnvironment}};
  }
  Errors errors;
  if (const int world = world_size(cluster, node_total(cluster), facts); world > limits::kMaxRanks) {
    errors.push_back({fmt::format("{} ranks on all nodes are more than {}", world, limits::kMaxRanks),
                      cluster.source + ":/nodes", "write fewer \"slots\" for the nodes"});
  }
  for (const config::Node& node : cluster.nodes) {
    if (ranks_on(cluster, node, facts) > 0) continue;
    errors.push_back({fmt::format("it is not known how many GPUs node {} has", node.name),
                      cluster.source + ":/nodes",
                      "write \"gpus\" for the node, or \"gpu\": {\"per_node\": 8}; in a hostfile add slots=8 "
                      "to its line"});
    break;
  }
  return errors;
}

void check_precision(const Model& model, const DeviceFacts& facts, Errors& errors) {
  const config::Precision precision = model.training.precision;
  const std::string where = model.source + ":/training/precision";
  if (!facts.cuda && precision == config::Precision::kBf16) {
    errors.push_back({fmt::format("model {} is to train in bf16, which CPU ranks do not have", model.name),
                      where, "use --set training.precision=auto (fp32 on CPUs)"});
  }
  if (facts.cuda && precision == config::Precision::kFp32) {
    errors.push_back(
        {fmt::format("model {} is to train in fp32, which the attention libraries of GPUs do not have",
                     model.name),
         where,
         "use --set training.precision=auto (bf16 on GPUs); --set training.reduce_precision=fp32 adds "
         "gradients in fp32"});
  }
}

/// What the GPU kernels need of a model's dimensions. The CPU's take any.
void check_shape(const Model& model, const DeviceFacts& facts, Errors& errors) {
  if (!facts.cuda) return;
  const config::Architecture& arch = model.arch;
  const auto add = [&](const char* key, const std::string& what, const std::string& help) {
    errors.push_back(
        {fmt::format("model {}: {} on GPUs", model.name, what), model.source + ":/arch/" + key, help});
  };
  using limits::kHeadSizeStep, limits::kMaxHeadSize, limits::kMaxHidden, limits::kVectorElements;
  for (const auto& [key, size] :
       {std::pair("hidden", arch.hidden), std::pair("ffn", arch.ffn), std::pair("vocab", arch.vocab)}) {
    if (size % kVectorElements == 0) continue;
    add(key, fmt::format("{} ({}) must be a multiple of {}", key, size, kVectorElements),
        fmt::format("use e.g. --set arch.{}={}", key, (size / kVectorElements + 1) * kVectorElements));
  }
  if (arch.hidden > kMaxHidden) {
    add("hidden", fmt::format("hidden ({}) must not be above {}", arch.hidden, kMaxHidden),
        "use a narrower model");
  }
  const std::int64_t head = arch.head_dim();
  if (head % kHeadSizeStep != 0 || head > kMaxHeadSize) {
    add("heads",
        fmt::format("hidden / heads ({}) must be a multiple of {} up to {}", head, kHeadSizeStep,
                    kMaxHeadSize),
        "change arch.heads, e.g. for hidden / heads = 128");
  }
}

void check_sharding(const PlanInput& input, const Model& model, const DeviceFacts& facts, Errors& errors) {
  if (model.training.sharding != config::Sharding::kHybrid) return;
  for (const int nodes : input.node_counts) {
    if (ranks_of(input.cluster, nodes, facts).per_node > 0) continue;
    errors.push_back(
        {fmt::format("sharding \"hybrid\" needs as many ranks on each node, the first {} nodes of "
                     "the cluster \"{}\" differ",
                     nodes, input.cluster.name),
         model.source + ":/training/sharding",
         "use --set training.sharding=full, or nodes with as many GPUs"});
    return;
  }
}

/// The flags that bring a model in with its optimizer's state in host memory; empty if none do.
std::string offload_that_fits(Model model, const Ranks& ranks) {
  if (!ranks.cuda || model.training.offload == config::Offload::kOptimizer) return "";
  model.training.offload = config::Offload::kOptimizer;
  std::string flag = "--set training.offload=optimizer";
  if (estimate_memory(resolve_auto(model, ranks), ranks).total() <= ranks.memory_bytes) return flag;
  const std::string more = smallest_change_that_fits(model, ranks);
  return more.empty() ? "" : flag + " " + more;
}

/// What to do about a model that does not fit, best first: the setting that brings the worst count
/// in, the counts that fit as it is, more nodes, offload, a smaller model.
std::string fitting_command(const PlanInput& input, const Model& model, const Fit& worst,
                            const DeviceFacts& facts) {
  const Cluster& cluster = input.cluster;
  const std::string flag = cluster_flag(cluster);
  const Ranks ranks = ranks_of(cluster, worst.nodes, facts);
  const std::string change = smallest_change_that_fits(model, ranks);
  if (!change.empty()) return command(input, model.name, input.node_counts, flag + " " + change);
  std::vector<int> counts;
  for (const int nodes : input.node_counts) {
    if (fit(cluster, model, nodes, facts).ok()) counts.push_back(nodes);
  }
  for (int nodes = worst.nodes + 1; counts.empty() && nodes <= node_total(cluster); ++nodes) {
    if (fit(cluster, model, nodes, facts).ok()) counts.push_back(nodes);
  }
  if (!counts.empty()) return command(input, model.name, counts, flag);
  const std::string offload = offload_that_fits(model, ranks);
  if (!offload.empty()) return command(input, model.name, input.node_counts, flag + " " + offload);
  return command(input, "tiny", input.node_counts, flag);
}

/// Tokens of one step are counted in doubles, too, which hold integers up to 2^53.
void check_batch(const PlanInput& input, const Model& model, const DeviceFacts& facts, Errors& errors) {
  const config::Training& t = model.training;
  const int nodes = *std::max_element(input.node_counts.begin(), input.node_counts.end());
  const double tokens = static_cast<double>(t.seq_len) * static_cast<double>(t.micro_batch) *
                        static_cast<double>(t.grad_accumulation) * world_size(input.cluster, nodes, facts);
  if (tokens <= 0x1p53) return;
  errors.push_back({fmt::format("model {}: a step of {:.1e} tokens", model.name, tokens),
                    model.source + ":/training/grad_accumulation",
                    "make it smaller, e.g. --set training.grad_accumulation=16"});
}

void check_memory(const PlanInput& input, const Model& model, const DeviceFacts& facts, Errors& errors) {
  std::vector<Fit> failing;
  for (const int nodes : input.node_counts) {
    const Fit found = fit(input.cluster, model, nodes, facts);
    if (!found.ok()) failing.push_back(found);
  }
  if (failing.empty()) return;
  // One report on the worst: its remedy helps the others too.
  const Fit worst = *std::max_element(failing.begin(), failing.end(),
                                      [](const Fit& a, const Fit& b) { return a.use() < b.use(); });
  errors.push_back(
      {fmt::format("model {} does not fit on {} {}: a rank (of {}) needs {}, {} has {}", model.name,
                   worst.nodes, worst.nodes == 1 ? "node" : "nodes", worst.world, format_bytes(worst.need),
                   facts.cuda ? "a GPU" : "its share of the machine", format_bytes(worst.available)),
       model.source, "this would work: " + fitting_command(input, model, worst, facts)});
}

/// What the phases gpu, burn and locate hold in memory at a time, on the node count with the least of it.
void check_gpu_phases(const PlanInput& input, const DeviceFacts& facts, Errors& errors) {
  std::int64_t memory = memory_per_rank(input.cluster, input.node_counts.front(), facts);
  for (const int nodes : input.node_counts) {
    memory = std::min(memory, memory_per_rank(input.cluster, nodes, facts));
  }
  const auto add = [&](const Errors& found) { errors.insert(errors.end(), found.begin(), found.end()); };
  // The host tests bound their buffers themselves.
  if (has_phase(input, Phase::kGpu)) add(check_gpu_suite(input.gpu, facts.cuda ? memory : 0));
  if (has_phase(input, Phase::kBurn)) add(check_burn(input.burn, facts.cuda, memory));
  if (has_phase(input, Phase::kLocate) && memory > 0 && input.locate.size_bytes > memory / 2) {
    errors.push_back(
        {fmt::format("two buffers of {} do not fit: {} has {}", format_bytes(input.locate.size_bytes),
                     facts.cuda ? "a GPU" : "a rank's share of the machine", format_bytes(memory)),
         "--size", "128M is enough for any network: leave --size out"});
  }
}

/// Adds those that are not there yet: sweeps of one command differ only in the collective.
void append_new(const Status& status, Errors& errors) {
  for (const Error& error : status.errors()) {
    const bool said = std::any_of(errors.begin(), errors.end(), [&](const Error& other) {
      return other.what == error.what && other.where == error.where;
    });
    if (!said) errors.push_back(error);
  }
}

/// What depends on how many ranks there are, on the counts that the cluster has.
void check_on_nodes(PlanInput input, std::vector<int> counts, const DeviceFacts& facts, Errors& errors) {
  if (counts.empty()) return;
  input.node_counts = std::move(counts);
  if (has_phase(input, Phase::kNccl)) {
    for (const CollectiveSweep& sweep : input.sweeps) {
      for (const int nodes : input.node_counts)
        append_new(validate_sweep_on(sweep, input.cluster, nodes, facts), errors);
    }
  }
  if (has_phase(input, Phase::kSft)) {
    for (const Model& model : input.models) {
      const std::size_t before = errors.size();
      check_sharding(input, model, facts, errors);
      check_batch(input, model, facts, errors);
      if (errors.size() == before) check_memory(input, model, facts, errors);
    }
  }
  check_gpu_phases(input, facts, errors);
}

}  // namespace

int ranks_on(const Cluster& cluster, const config::Node& node, const DeviceFacts& facts) {
  if (!facts.cuda) return node.slots > 0 ? node.slots : facts.cpu_slots;
  if (!node.gpus.empty()) return static_cast<int>(node.gpus.size());
  return cluster.gpu.per_node > 0 ? cluster.gpu.per_node : facts.gpus_per_node;
}

int world_size(const Cluster& cluster, int nodes, const DeviceFacts& facts) {
  int world = 0;
  for (int i = 0; i < nodes; ++i)
    world += ranks_on(cluster, cluster.nodes.at(static_cast<std::size_t>(i)), facts);
  return world;
}

Ranks ranks_of(const Cluster& cluster, int nodes, const DeviceFacts& facts) {
  Ranks ranks;
  ranks.nodes = nodes;
  ranks.world = world_size(cluster, nodes, facts);
  ranks.per_node = ranks_on(cluster, cluster.nodes.front(), facts);
  for (int i = 1; i < nodes; ++i) {
    const config::Node& node = cluster.nodes.at(static_cast<std::size_t>(i));
    if (ranks_on(cluster, node, facts) != ranks.per_node) {
      ranks.per_node = 0;
      break;
    }
  }
  ranks.cuda = facts.cuda;
  ranks.memory_bytes = memory_per_rank(cluster, nodes, facts);
  return ranks;
}

std::int64_t memory_per_rank(const Cluster& cluster, int nodes, const DeviceFacts& facts) {
  if (facts.cuda) {
    if (facts.memory_bytes > 0) return facts.memory_bytes;
    return static_cast<std::int64_t>(std::llround(cluster.gpu.memory_gib * static_cast<double>(kGiB)));
  }
  std::map<std::string, int> ranks;  // per machine
  int most = 1;
  for (int i = 0; i < nodes; ++i) {
    const config::Node& node = cluster.nodes.at(static_cast<std::size_t>(i));
    most = std::max(most, ranks[node.host] += ranks_on(cluster, node, facts));
  }
  return facts.memory_bytes / most;
}

Status validate(const PlanInput& input, const DeviceFacts& facts) {
  Errors errors;
  const auto add = [&](const Errors& found) { errors.insert(errors.end(), found.begin(), found.end()); };
  if (has_phase(input, Phase::kNccl)) {
    if (input.sweeps.empty())
      errors.push_back({"no collective is named", "--collectives", "name one, or all"});
    for (const CollectiveSweep& sweep : input.sweeps) append_new(validate_sweep(sweep), errors);
  }
  if (has_phase(input, Phase::kLocate)) add(validate_locate(input.locate).errors());
  if (input.repeats < 1) errors.push_back({"no repeats", "--repeats", "use --repeats 1 or more"});
  const Errors devices = check_devices(input, facts);
  add(devices);
  if (has_phase(input, Phase::kSft)) {
    for (const Model& model : input.models) {
      check_precision(model, facts, errors);
      check_shape(model, facts, errors);
    }
    if (input.models.empty()) errors.push_back({"no model is named", "--models", "write e.g. --models tiny"});
  }
  const bool sound = errors.empty();  // sizes of the world mean nothing until these are mended
  Errors counts = check_node_counts(input, devices.empty() ? &facts : nullptr);
  errors.insert(errors.begin(), counts.begin(), counts.end());
  if (sound) check_on_nodes(input, possible_counts(input), facts, errors);
  if (!errors.empty()) return errors;
  return ok_status();
}

}  // namespace sxb::plan
