// What an operator asks first when two runs differ: what was different about them.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/compare/compare.h"
#include "analysis/read/json_read.h"
#include "base/text.h"

namespace sxb::analysis {
namespace {

/// The values of each fact and who has them, in the order in which they came.
class Facts {
 public:
  /// `who`: a node, or "" for a fact of the run.
  void add(const std::string& fact, const std::string& value, const std::string& who = "") {
    if (value.empty()) return;
    if (!values_.contains(fact)) order_.push_back(fact);
    values_[fact][value].insert(who);
  }
  /// A value and why it is so; another reason does not make it another value.
  void add_explained(const std::string& fact, const std::string& value, const std::string& why) {
    add(fact, value);
    if (!value.empty() && !why.empty()) why_.emplace(std::pair(fact, value), why);
  }
  const std::vector<std::string>& names() const { return order_; }
  bool contains(const std::string& fact) const { return values_.contains(fact); }

  /// "580.1"; "580.1 (15 nodes), 575.2 (node7)" where the nodes differ; "–" if the fact is not known.
  /// Explained: "full (auto: none would take 160 GiB of 140 GiB)".
  std::string text(const std::string& fact, bool explained) const {
    const auto it = values_.find(fact);
    if (it == values_.end()) return "–";
    std::vector<std::string> parts;
    for (const auto& [value, who] : it->second) {
      std::vector<std::string> remarks;
      const auto why = why_.find({fact, value});
      if (explained && why != why_.end()) remarks.push_back(why->second);
      if (it->second.size() > 1 && !who.contains("")) remarks.push_back(nodes_text(who));
      parts.push_back(remarks.empty() ? value : fmt::format("{} ({})", value, join(remarks, "; ")));
    }
    return join(parts, ", ");
  }

 private:
  static std::string nodes_text(const std::set<std::string>& who) {
    return who.size() > 4 ? on_nodes(static_cast<int>(who.size())) : fold_nodes({who.begin(), who.end()});
  }
  std::vector<std::string> order_;
  std::map<std::string, std::map<std::string, std::set<std::string>>> values_;
  std::map<std::pair<std::string, std::string>, std::string> why_;  ///< of a fact's value
};

std::string plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : dump(value);
}

/// Members of an object and of the objects in it: "lr" -> "optimizer.lr".
void add_members(const Json& object, const std::string& prefix, const std::set<std::string>& but,
                 Facts& facts) {
  if (!object.is_object()) return;
  for (const auto& item : object.items()) {
    if (but.contains(item.key())) continue;
    const std::string name = prefix + item.key();
    if (item.value().is_object()) {
      add_members(item.value(), name + ".", but, facts);
    } else {
      facts.add(name, plain(item.value()));
    }
  }
}

template <typename T>
std::string plain(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "";
}

void add_node(const Typed<record::Node>& entry, Facts& facts) {
  const record::Node& node = entry.data;
  for (const auto& [field, value] : {std::pair{&record::Node::os, node.os},
                                     {&record::Node::kernel, node.kernel},
                                     {&record::Node::cpu_model, node.cpu_model}})
    facts.add(record::row_of(field).name, value, entry.node);
  facts.add(record::row_of(&record::Node::cpus).name, plain(node.cpus), entry.node);
  facts.add(record::row_of(&record::Node::driver).name, node.driver, entry.node);
  std::map<std::string, int> kinds;
  for (const record::NodeGpu& gpu : node.gpus) {
    ++kinds[gpu.name];
    facts.add("GPU power_limit_w", plain(gpu.power_limit_w), entry.node);
    facts.add("GPU sm_clock_max_mhz", plain(gpu.sm_clock_max_mhz), entry.node);
    facts.add("GPU ecc", plain(gpu.ecc), entry.node);
    facts.add("GPU mig", plain(gpu.mig), entry.node);
    facts.add("GPU persistence", plain(gpu.persistence), entry.node);
    facts.add("GPU nvlinks", plain(gpu.nvlinks), entry.node);
  }
  std::vector<std::string> gpus;
  for (const auto& [kind, count] : kinds) gpus.push_back(fmt::format("{} x {}", count, kind));
  facts.add("GPUs of a node", join(gpus, ", "), entry.node);
}

void add_device(const Typed<record::Device>& entry, Facts& facts) {
  const record::Device& device = entry.data;
  facts.add("backend", device.backend, entry.node);
  facts.add("NCCL network", device.net, entry.node);
  facts.add("NCCL", device.nccl, entry.node);
  facts.add("CUDA", device.cuda, entry.node);
  facts.add("cuDNN", device.cudnn, entry.node);
  facts.add("libtorch", device.torch, entry.node);
}

void add_run(const record::Run& run, Facts& facts) {
  facts.add("sxbench", run.build_id);
  facts.add("cluster", text(run.cluster, "name"));
  facts.add("NCCL profile", text(run.cluster, "nccl_profile"));
  for (const auto& [name, value] : run.nccl_env) facts.add(name, value);
  add_members(member(run.cluster, "env"), "", {}, facts);
}

/// Facts and results of the training record that are no settings, and what add_explained_settings() adds.
std::set<std::string> no_settings() {
  using record::row_of;
  using Training = record::Training;
  return {"name",  // these two of the planned model
          "description",
          row_of(&Training::model).name,
          row_of(&Training::parameters).name,
          row_of(&Training::matmul_parameters).name,
          row_of(&Training::flops_per_token_causal).name,
          row_of(&Training::flops_per_token_full).name,
          row_of(&Training::sharding).name,
          row_of(&Training::sharding_reason).name,
          row_of(&Training::cuda_graph).name,
          row_of(&Training::gemm).name};
}

/// Settings whose record also says why, in words and figures that are no setting: how much memory there was,
/// how much faster the chosen GEMMs were timed.
void add_explained_settings(const record::Training& training, const std::string& prefix, Facts& facts) {
  const std::string& reason = training.sharding_reason;
  facts.add_explained(prefix + "sharding", training.sharding, reason == "set" ? "" : reason);
  const std::string& graph = training.cuda_graph;
  const bool replayed = graph == "replayed";
  facts.add_explained(prefix + "cuda_graph", graph.empty() || replayed ? graph : "not replayed",
                      replayed ? "" : graph);
  const std::string& gemm = training.gemm;
  const std::size_t colon = gemm.find(": ");
  facts.add_explained(prefix + "gemm", gemm.substr(0, colon),
                      colon == std::string::npos ? "" : gemm.substr(colon + 2));
}

/// Settings of a task: "7b: micro_batch". The training record says what "auto" became, so its fields
/// stand for those of the plan.
void add_task(const TaskData& task, Facts& facts) {
  std::string prefix =
      text(member(task.plan, "model"), "name") + text(member(task.plan, "sweep"), "collective");
  if (prefix.empty()) prefix = task.phase;
  prefix += ": ";
  const Json& training = task.training();
  std::set<std::string> but = no_settings();
  add_members(training, prefix, but, facts);
  add_explained_settings(task.last<record::Training>(), prefix, facts);
  if (training.is_object()) {
    for (const auto& item : training.items()) but.insert(item.key());
  }
  but.insert("collective");
  for (const auto& item : task.plan.items()) {
    if (item.value().is_object()) add_members(item.value(), prefix, but, facts);
  }
}

Facts collect_facts(const Side& side) {
  Facts facts;
  std::set<std::string> nodes;
  for (const auto& run : side) {
    const Dataset& dataset = run->dataset;
    add_run(dataset.asked, facts);
    for (const TaskData& task : dataset.tasks) {
      for (const auto& entry : task.of<record::Node>()) {
        nodes.insert(entry.node);
        add_node(entry, facts);
      }
      for (const auto& entry : task.of<record::Device>()) add_device(entry, facts);
      add_task(task, facts);
    }
  }
  if (!nodes.empty()) facts.add("nodes", fold_nodes({nodes.begin(), nodes.end()}));
  return facts;
}

/// Settings of a model that only one side trained say nothing about the other.
std::string task_of(const std::string& fact) {
  const std::size_t colon = fact.find(": ");
  return colon == std::string::npos ? "" : fact.substr(0, colon);
}

std::set<std::string> tasks_of(const Facts& facts) {
  std::set<std::string> tasks;
  for (const std::string& fact : facts.names()) tasks.insert(task_of(fact));
  return tasks;
}

}  // namespace

std::vector<FactChange> changed_facts(const Side& a, const Side& b) {
  const Facts in_a = collect_facts(a);
  const Facts in_b = collect_facts(b);
  const std::set<std::string> tasks_a = tasks_of(in_a);
  const std::set<std::string> tasks_b = tasks_of(in_b);
  std::vector<std::string> names = in_a.names();
  for (const std::string& name : in_b.names()) {
    if (!in_a.contains(name)) names.push_back(name);
  }
  std::vector<FactChange> changes;
  for (const std::string& name : names) {
    const std::string task = task_of(name);
    if (!task.empty() && !(tasks_a.contains(task) && tasks_b.contains(task))) continue;
    if (in_a.text(name, false) == in_b.text(name, false)) continue;
    changes.push_back({name, in_a.text(name, true), in_b.text(name, true)});
  }
  return changes;
}

}  // namespace sxb::analysis
