// Where, with what and how the figures were measured.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/read/json_read.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::Entry;
using analysis::integer;
using analysis::member;
using analysis::number;
using analysis::TaskData;
using analysis::text;

std::string or_dash(const std::string& value) { return value.empty() ? "–" : value; }

std::string code(const std::string& value) { return value.empty() ? "–" : fmt::format("`{}`", value); }

/// The distinct values of a text field over all records of a kind, in order of appearance.
std::string distinct(const Analysis& analysis, const char* kind, const char* field) {
  std::vector<std::string> values;
  for (const TaskData& task : analysis.dataset->tasks) {
    for (const Entry& entry : task.of(kind)) {
      const std::string value = text(entry.record.data, field);
      if (!value.empty() && std::find(values.begin(), values.end(), value) == values.end())
        values.push_back(value);
    }
  }
  return or_dash(join(values, ", "));
}

void add_run(const Analysis& analysis, Document& document) {
  const analysis::Dataset& dataset = *analysis.dataset;
  const Json& run = dataset.run.record.data;
  Table table{{{"What"}, {"Value"}}, {}};
  const auto row = [&](const char* what, const std::string& value) { table.rows.push_back({what, value}); };
  row("Run", code(text(run, "run_id")));
  row("Command", code(text(run, "command")));
  row("Started, ended",
      fmt::format("{} – {}{}", format_utc(dataset.start_wall_ns), format_utc(dataset.end_wall_ns),
                  dataset.complete ? "" : " (last record; the run did not end)"));
  row("sxbench", code(text(run, "build_id")));
  row("Config hash", code(text(run, "config_hash")));
  const Json& cluster = member(run, "cluster");
  row("Cluster", or_dash(text(cluster, "name")));
  const Json& network = member(cluster, "network");
  std::vector<std::string> nics;
  for (const Json& nic : member(network, "nics")) {
    nics.push_back(
        fmt::format("{} {:g} Gbit/s", text(nic, "name"), number(nic, "line_rate_gbps").value_or(0)));
  }
  row("Network (as configured)",
      fmt::format("{}{}{}", or_dash(text(network, "fabric")), nics.empty() ? "" : ": ", join(nics, ", ")));
  row("Devices", distinct(analysis, record::kind::kDevice, "name"));
  row("Backend", distinct(analysis, record::kind::kDevice, "backend"));
  row("libtorch", distinct(analysis, record::kind::kDevice, "torch"));
  row("CUDA", distinct(analysis, record::kind::kDevice, "cuda"));
  row("NCCL", distinct(analysis, record::kind::kDevice, "nccl"));
  row("cuDNN", distinct(analysis, record::kind::kDevice, "cudnn"));
  row("NVIDIA driver", distinct(analysis, record::kind::kNode, "driver"));
  document.add(std::move(table));
  const Json& env = member(run, "nccl_env");
  if (!env.is_object() || env.empty()) return;
  std::string lines;
  for (const auto& item : env.items()) {
    lines += fmt::format("{}{}={}", lines.empty() ? "" : "\n", item.key(),
                         item.value().is_string() ? item.value().get<std::string>() : item.value().dump());
  }
  document.add(Paragraph{"NCCL variables applied to the ranks:"});
  document.add(Preformatted{lines});
}

/// Facts of a node as one row; nodes that agree share it.
std::vector<std::string> node_facts(const Json& node) {
  std::set<std::string> names, caps, clocks;
  for (const Json& gpu : member(node, "gpus")) {
    names.insert(text(gpu, "name"));
    caps.insert(cell(number(gpu, "power_limit_w")));
    clocks.insert(cell(number(gpu, "sm_clock_max_mhz"), record::Hint::kCount));
  }
  const Json& gpus = member(node, "gpus");
  const std::size_t count = gpus.is_array() ? gpus.size() : 0;
  const auto list = [](const std::set<std::string>& values) {
    return values.empty() ? std::string("–") : join({values.begin(), values.end()}, ", ");
  };
  const auto memory = integer(node, "memory_bytes");
  return {or_dash(text(node, "os")),
          or_dash(text(node, "kernel")),
          or_dash(text(node, "cpu_model")),
          cell(number(node, "cpus"), record::Hint::kCount),
          memory ? format_bytes(*memory) : "–",
          count == 0 ? "none" : fmt::format("{} × {}", count, list(names)),
          list(caps),
          list(clocks)};
}

std::string topology_text(const Json& topology) {
  std::vector<std::string> lines;
  for (const Json& row : topology) {
    std::string line;
    for (const Json& value : row)
      line += fmt::format("{:>6}", value.is_string() ? value.get<std::string>() : value.dump());
    lines.push_back(line);
  }
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
    for (const Entry& entry : task.of(record::kind::kNode)) {
      if (!seen.insert(entry.record.node).second) continue;
      SameNodes node{{entry.record.node},
                     node_facts(entry.record.data),
                     topology_text(member(entry.record.data, "topology"))};
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const SameNodes& other) {
        return other.facts == node.facts && other.topology == node.topology;
      });
      if (same == groups.end()) {
        groups.push_back(std::move(node));
      } else {
        same->names.push_back(entry.record.node);
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

void add_recipes(const Analysis& analysis, Document& document) {
  constexpr const char* kFields[] = {
      "parameters",  "precision",         "sharding", "recompute", "attention_kernel", "seq_len",
      "micro_batch", "grad_accumulation", "steps",    "warmup",    "dataset",          "init"};
  Table table{{{"Model"}, {"Nodes", true}}, {}};
  for (const char* field : kFields) table.columns.push_back({field});
  for (const analysis::SftGroup& group : analysis.sft) {
    for (const analysis::SftTask& item : group.tasks) {
      if (item.task->training().is_null()) continue;
      std::vector<std::string> row = {group.model, std::to_string(group.nodes)};
      for (const char* field : kFields) {
        const Json& value = member(item.task->training(), field);
        row.push_back(value.is_string() ? value.get<std::string>() : value.is_null() ? "–" : value.dump());
      }
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
