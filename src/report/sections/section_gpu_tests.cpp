// GPU micro-benchmarks: every figure over all GPUs, the matrices of the pairs, and the GPUs' state meanwhile.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::GpuFigure;
using analysis::GpuGroup;
using analysis::GpuValue;

bool is_pairs(const GpuFigure& figure) { return figure.values.front().peer.has_value(); }

std::string who(const GpuFigure& figure, const GpuValue& value) {
  return figure.values.size() == 1 ? sensible(value.value)
                                   : fmt::format("{} ({})", sensible(value.value), value.name());
}

/// The widest p5 to p95 of one device, relative to its median: how steady the runs were.
std::string steadiness(const GpuFigure& figure) {
  double widest = 0;
  for (const GpuValue& value : figure.values) {
    if (value.value > 0) widest = std::max(widest, (value.p95 - value.p5) / value.value);
  }
  return fmt::format("{:.1f}", 100 * widest);
}

std::string slow_cell(const GpuFigure& figure) {
  std::vector<std::string> names;
  for (const stats::Outlier& outlier : figure.slow) {
    names.push_back(
        fmt::format("{} ({:.1f} %)", figure.values[outlier.index].name(), 100 * outlier.deviation));
  }
  return join(names, ", ");
}

void add_figures(const GpuGroup& group, Document& document) {
  Table table{{{"Figure"},
               {"Of"},
               {"Median", true},
               {"Unit"},
               {"Slow"},
               {"Least"},
               {"Most"},
               {"Devices", true},
               {"Runs", true},
               {"Widest p5–p95 (%)", true},
               {"Wrong"}},
              {}};
  for (const GpuFigure& figure : group.figures) {
    const bool max = figure.group == "gemm_max";
    table.rows.push_back({fmt::format("`{}`", figure.test),
                          max ? fmt::format("the fastest: {}", figure.most().shape) : figure.shape,
                          sensible(figure.median), figure.metric,
                          figure.slow.empty() ? "–" : slow_cell(figure), who(figure, figure.least()),
                          who(figure, figure.most()), std::to_string(figure.values.size()),
                          fmt::format("{:g}", figure.values.front().runs), steadiness(figure),
                          figure.checked() ? fmt::format("{:g}", figure.wrong()) : "no data"});
  }
  document.add(std::move(table));
}

/// Rows and columns are GPUs of one node.
Table matrix(const GpuFigure& figure, const std::string& node) {
  std::set<int> gpus;
  for (const GpuValue& value : figure.values) {
    if (value.node == node) gpus.insert({value.gpu, *value.peer});
  }
  Table table{{{"GPU"}}, {}};
  for (const int gpu : gpus) table.columns.push_back({std::to_string(gpu), true});
  for (const int gpu : gpus) {
    std::vector<std::string> cells = {std::to_string(gpu)};
    for (const int peer : gpus) {
      const auto it = std::find_if(figure.values.begin(), figure.values.end(), [&](const GpuValue& value) {
        return value.node == node && value.gpu == gpu && value.peer == peer;
      });
      cells.push_back(it == figure.values.end() ? "–" : sensible(it->value));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

/// Of many nodes the matrix of each would bury the report: then those with the slowest and the fastest pair.
std::set<std::string> nodes_with_matrix(const GpuFigure& figure) {
  constexpr std::size_t kMost = 4;
  std::set<std::string> nodes;
  for (const GpuValue& value : figure.values) nodes.insert(value.node);
  return nodes.size() <= kMost ? nodes : std::set{figure.least().node, figure.most().node};
}

void add_matrices(const GpuGroup& group, Document& document) {
  for (const GpuFigure& figure : group.figures) {
    if (!is_pairs(figure)) continue;
    for (const std::string& node : nodes_with_matrix(figure)) {
      document.add(Paragraph{
          fmt::format("`{}` on {}, {}: row = the GPU whose engine or kernel works, column = its peer.",
                      figure.test, node, figure.metric)});
      document.add(matrix(figure, node));
    }
  }
}

/// Mean over the GPUs of what each has.
template <typename Member>
std::optional<double> mean_of(const analysis::TaskSamples& samples, Member member) {
  double sum = 0, count = 0;
  for (const analysis::GpuUse& use : samples.gpus) {
    if (use.*member) sum += *(use.*member), count += 1;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

void add_states(const GpuGroup& group, Document& document) {
  Table table{{{"Test"},
               {"SM clock (MHz)", true},
               {"Power per GPU (W)", true},
               {"Hottest GPU (°C)", true},
               {"Held down by"}},
              {}};
  for (const analysis::TestState& state : group.states) {
    std::optional<double> hottest;
    std::set<std::string> reasons;
    for (const analysis::GpuUse& use : state.samples.gpus) {
      if (use.temp_max_c) hottest = std::max(hottest.value_or(0), *use.temp_max_c);
      for (const auto& [reason, share] : use.throttle) reasons.insert(reason);
    }
    table.rows.push_back({fmt::format("`{}`", state.test),
                          cell(mean_of(state.samples, &analysis::GpuUse::sm_mhz)),
                          cell(mean_of(state.samples, &analysis::GpuUse::power_w)), cell(hottest),
                          join({reasons.begin(), reasons.end()}, ", ")});
  }
  if (table.rows.empty()) return;
  document.add(Paragraph{"The GPUs while each test ran, from the samples in its window:"});
  document.add(std::move(table));
}

void add_group(const GpuGroup& group, Document& document) {
  document.add(Heading{3, analysis::on_nodes(group.nodes)});
  if (!group.cuda && !group.figures.empty()) {
    document.add(Paragraph{"Host tests: they say nothing about a GPU."});
  }
  if (group.figures.empty()) {
    document.add(Paragraph{fmt::format("No result: {}.", group.tasks.front()->reason())});
  } else {
    add_figures(group, document);
    add_matrices(group, document);
    add_states(group, document);
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> waived_for;
  for (const analysis::Waived& waived : group.waived) {
    auto it = std::find_if(waived_for.begin(), waived_for.end(),
                           [&](const auto& known) { return known.first == waived.why; });
    if (it == waived_for.end()) it = waived_for.insert(waived_for.end(), {waived.why, {}});
    it->second.push_back(fmt::format("`{}`", waived.test));
  }
  List list;
  for (const auto& [why, tests] : waived_for) {
    list.items.push_back(fmt::format("{} waived: {}", join(tests, ", "), why));
  }
  if (!list.items.empty()) document.add(std::move(list));
}

}  // namespace

void add_gpu_tests(const analysis::Analysis& analysis, Document& document) {
  document.add(
      Paragraph{"Each figure is the median over the devices of the median over a device's runs; TFLOP/s, and "
                "GB/s of 10^9 bytes. "
                "Memory figures count bytes read plus bytes written. `docs/gpu.md` has the formulas, and how "
                "they compare with "
                "nvbandwidth. All devices, one a row: `gpu_benchmarks.csv`."});
  for (const GpuGroup& group : analysis.gpu) add_group(group, document);
}

}  // namespace sxb::report
