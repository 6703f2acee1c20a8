// Where, with what and how the figures were measured.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/read/json_read.h"
#include "base/clock.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/units.h"
#include "record/kinds/node.h"
#include "record/kinds/run.h"
#include "record/kinds/training.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::member;
using analysis::number;
using analysis::TaskData;
using analysis::text;

std::string or_dash(const std::string& value) { return value.empty() ? "–" : value; }

std::string code(const std::string& value) { return value.empty() ? "–" : fmt::format("`{}`", value); }

/// The distinct values of a text field over all records of a kind, in order of appearance.
template <typename Kind>
std::string distinct(const Analysis& analysis, std::string Kind::*field) {
  std::vector<std::string> values;
  for (const TaskData& task : analysis.dataset->tasks) {
    for (const analysis::Typed<Kind>& row : task.of<Kind>()) {
      const std::string& value = row.data.*field;
      if (!value.empty() && std::find(values.begin(), values.end(), value) == values.end())
        values.push_back(value);
    }
  }
  return or_dash(join(values, ", "));
}

void add_run(const Analysis& analysis, Document& document) {
  const analysis::Dataset& dataset = *analysis.dataset;
  const record::Run& run = dataset.asked;
  Table table{{{"What"}, {"Value"}}, {}};
  const auto row = [&](const char* what, const std::string& value) { table.rows.push_back({what, value}); };
  row("Run", code(run.run_id));
  row("Command", code(run.command));
  row("Started, ended",
      fmt::format("{} – {}{}", format_utc(dataset.start_wall_ns), format_utc(dataset.end_wall_ns),
                  dataset.complete ? "" : " (last record; the run did not end)"));
  row("sxbench", code(run.build_id));
  row("Config hash", code(run.config_hash));
  row("Cluster", or_dash(text(run.cluster, "name")));
  const Json& network = member(run.cluster, "network");
  std::vector<std::string> nics;
  for (const Json& nic : member(network, "nics")) {
    nics.push_back(
        fmt::format("{} {:g} Gbit/s", text(nic, "name"), number(nic, "line_rate_gbps").value_or(0)));
  }
  row("Network (as configured)",
      fmt::format("{}{}{}", or_dash(text(network, "fabric")), nics.empty() ? "" : ": ", join(nics, ", ")));
  row("Devices", distinct(analysis, &record::Device::name));
  row("Backend", distinct(analysis, &record::Device::backend));
  row("libtorch", distinct(analysis, &record::Device::torch));
  row("CUDA", distinct(analysis, &record::Device::cuda));
  row("NCCL", distinct(analysis, &record::Device::nccl));
  row("cuDNN", distinct(analysis, &record::Device::cudnn));
  row("NVIDIA driver", distinct(analysis, &record::Node::driver));
  document.add(std::move(table));
  if (run.nccl_env.empty()) return;
  std::vector<std::string> lines;
  for (const auto& [name, value] : redacted(run.nccl_env)) lines.push_back(name + "=" + value);
  document.add(Paragraph{"NCCL variables applied to the ranks:"});
  document.add(Preformatted{join(lines, "\n")});
}

/// Facts of a node as one row; nodes that agree share it.
std::vector<std::string> node_facts(const record::Node& node) {
  std::set<std::string> names, caps, clocks;
  for (const record::NodeGpu& gpu : node.gpus) {
    names.insert(gpu.name);
    caps.insert(cell(gpu.power_limit_w));
    clocks.insert(cell(gpu.sm_clock_max_mhz, record::Hint::kCount));
  }
  const auto list = [](const std::set<std::string>& values) {
    return values.empty() ? std::string("–") : join({values.begin(), values.end()}, ", ");
  };
  return {or_dash(node.os),
          or_dash(node.kernel),
          or_dash(node.cpu_model),
          cell(node.cpus, record::Hint::kCount),
          node.memory_bytes ? format_bytes(*node.memory_bytes) : "–",
          node.gpus.empty() ? "none" : fmt::format("{} × {}", node.gpus.size(), list(names)),
          list(caps),
          list(clocks)};
}

std::string topology_text(const std::vector<std::vector<std::string>>& topology) {
  std::vector<std::string> lines;
  for (const auto& row : topology) lines.push_back(fmt::format("{:>6}", fmt::join(row, "")));
  return join(lines, "\n");
}

struct SameNodes {
  std::vector<std::string> names, facts;
  std::string topology;
};

void add_nodes(const Analysis& analysis, Document& document) {
  std::vector<SameNodes> groups;
  std::set<std::string> seen;
  for (const TaskData& task : analysis.dataset->tasks) {
    for (const analysis::Typed<record::Node>& row : task.of<record::Node>()) {
      if (!seen.insert(row.node).second) continue;
      SameNodes node{{row.node}, node_facts(row.data), topology_text(row.data.topology)};
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const SameNodes& other) {
        return other.facts == node.facts && other.topology == node.topology;
      });
      if (same == groups.end()) {
        groups.push_back(std::move(node));
      } else {
        same->names.push_back(row.node);
      }
    }
  }
  if (groups.empty()) return;
  Table table{{{"Nodes"},
               {"OS"},
               {"Kernel"},
               {"CPU"},
               {"CPUs", true},
               {"Memory", true},
               {"GPUs"},
               {"Power cap (W)", true},
               {"Max SM clock (MHz)", true}},
              {}};
  for (const SameNodes& group : groups) {
    std::vector<std::string> row = {analysis::fold_nodes(group.names)};
    row.insert(row.end(), group.facts.begin(), group.facts.end());
    table.rows.push_back(std::move(row));
  }
  document.add(Heading{3, "Nodes"});
  document.add(std::move(table));
  for (const SameNodes& group : groups) {
    if (group.topology.empty()) continue;
    document.add(Paragraph{fmt::format("Links between the GPUs of {}:", analysis::fold_nodes(group.names))});
    document.add(Preformatted{group.topology});
  }
}

/// The settings of a fine-tuning task that its figures depend on: name and value.
std::vector<std::pair<const char*, std::string>> recipe_of(const record::Training& training) {
  const auto whole = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : std::string("–");
  };
  return {{"parameters", whole(training.parameters)},
          {"precision", or_dash(training.precision)},
          {"sharding", or_dash(training.sharding)},
          {"recompute", or_dash(training.recompute)},
          {"attention_kernel", or_dash(training.attention_kernel)},
          {"seq_len", whole(training.seq_len)},
          {"micro_batch", whole(training.micro_batch)},
          {"grad_accumulation", whole(training.grad_accumulation)},
          {"steps", whole(training.steps)},
          {"warmup", whole(training.warmup)},
          {"dataset", or_dash(training.dataset)},
          {"init", or_dash(training.init)}};
}

void add_recipes(const Analysis& analysis, Document& document) {
  Table table{{{"Model"}, {"Nodes", true}}, {}};
  for (const auto& [name, value] : recipe_of({})) table.columns.push_back({name});
  for (const analysis::SftGroup& group : analysis.sft) {
    for (const analysis::SftTask& item : group.tasks) {
      if (item.task->of<record::Training>().empty()) continue;
      std::vector<std::string> row = {group.model, std::to_string(group.nodes)};
      for (const auto& [name, value] : recipe_of(item.task->last<record::Training>())) row.push_back(value);
      table.rows.push_back(std::move(row));
      break;
    }
  }
  if (table.rows.empty()) return;
  document.add(Heading{3, "Training recipes"});
  document.add(std::move(table));
}

}  // namespace

void add_provenance(const Analysis& analysis, Document& document) {
  add_run(analysis, document);
  add_nodes(analysis, document);
  add_recipes(analysis, document);
}

}  // namespace sxb::report
