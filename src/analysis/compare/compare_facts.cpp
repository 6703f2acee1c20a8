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
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
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

void add_node(const Entry& entry, Facts& facts) {
  const Json& node = entry.record.data;
  const std::string& name = entry.record.node;
  for (const char* field : {"os", "kernel", "cpu_model", "cpus", "driver"}) {
    facts.add(field, plain(member(node, field)), name);
  }
  std::map<std::string, int> kinds;
  for (const Json& gpu : member(node, "gpus")) {
    ++kinds[text(gpu, "name")];
    for (const char* field : {"power_limit_w", "sm_clock_max_mhz", "ecc", "mig", "persistence", "nvlinks"}) {
      facts.add(fmt::format("GPU {}", field), plain(member(gpu, field)), name);
    }
  }
  std::vector<std::string> gpus;
  for (const auto& [kind, count] : kinds) gpus.push_back(fmt::format("{} x {}", count, kind));
  facts.add("GPUs of a node", join(gpus, ", "), name);
}

void add_device(const Entry& entry, Facts& facts) {
  for (const auto& [field, fact] : {std::pair{"backend", "backend"},
                                    {"net", "NCCL network"},
                                    {"nccl", "NCCL"},
                                    {"cuda", "CUDA"},
                                    {"cudnn", "cuDNN"},
                                    {"torch", "libtorch"}}) {
    facts.add(fact, text(entry.record.data, field), entry.record.node);
  }
}

void add_run(const Json& run, Facts& facts) {
  facts.add("sxbench", text(run, "build_id"));
  const Json& cluster = member(run, "cluster");
  facts.add("cluster", text(cluster, "name"));
  facts.add("NCCL profile", text(cluster, "nccl_profile"));
  add_members(member(run, "nccl_env"), "", {}, facts);
  add_members(member(cluster, "env"), "", {}, facts);
}

/// Facts and results of the training record that are no settings, and what add_explained_settings() adds.
const std::set<std::string> kNoSetting = {"name",
                                          "description",
                                          "model",
                                          "parameters",
                                          "matmul_parameters",
                                          "flops_per_token_causal",
                                          "sharding",
                                          "sharding_reason",
                                          "flops_per_token_full",
                                          "cuda_graph",
                                          "gemm"};

/// Settings whose record also says why, in words and figures that are no setting: how much memory there was,
/// how much faster the chosen GEMMs were timed.
void add_explained_settings(const Json& training, const std::string& prefix, Facts& facts) {
  const std::string reason = text(training, "sharding_reason");
  facts.add_explained(prefix + "sharding", text(training, "sharding"), reason == "set" ? "" : reason);
  const std::string graph = text(training, "cuda_graph");
  const bool replayed = graph == "replayed";
  facts.add_explained(prefix + "cuda_graph", graph.empty() || replayed ? graph : "not replayed",
                      replayed ? "" : graph);
  const std::string gemm = text(training, "gemm");
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
  std::set<std::string> but = kNoSetting;
  add_members(training, prefix, kNoSetting, facts);
  add_explained_settings(training, prefix, facts);
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
    add_run(dataset.run.record.data, facts);
    for (const TaskData& task : dataset.tasks) {
      for (const Entry& entry : task.of(record::kind::kNode)) {
        nodes.insert(entry.record.node);
        add_node(entry, facts);
      }
      for (const Entry& entry : task.of(record::kind::kDevice)) add_device(entry, facts);
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
