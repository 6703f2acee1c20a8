#include "cli/ui/fold.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "config/cluster/node_set.h"

namespace sxb::cli {
namespace {

/// "8 x NVIDIA H200, 141 GiB, 700 W, ECC on": one part per kind of GPU. Serial numbers, bus addresses and
/// clocks of the moment differ everywhere and are left out.
std::string gpus_text(const std::vector<record::NodeGpu>& gpus) {
  std::vector<std::pair<std::string, int>> kinds;
  for (const record::NodeGpu& gpu : gpus) {
    std::string kind = gpu.name.empty() ? "?" : gpu.name;
    if (gpu.memory_bytes) kind += ", " + format_bytes(*gpu.memory_bytes);
    if (gpu.power_limit_w) kind += fmt::format(", {} W", format_fixed(*gpu.power_limit_w, 0));
    for (const auto& [mode, name] :
         {std::pair{gpu.ecc, "ECC"}, {gpu.mig, "MIG"}, {gpu.persistence, "persistence"}}) {
      if (mode) kind += fmt::format(", {} {}", name, *mode ? "on" : "off");
    }
    if (gpu.nvlinks) kind += fmt::format(", {} NVLinks", *gpu.nvlinks);
    const auto it =
        std::find_if(kinds.begin(), kinds.end(), [&](const auto& known) { return known.first == kind; });
    if (it == kinds.end()) {
      kinds.emplace_back(kind, 1);
    } else {
      ++it->second;
    }
  }
  std::vector<std::string> parts;
  for (const auto& [kind, count] : kinds) parts.push_back(fmt::format("{} x {}", count, kind));
  return parts.empty() ? "none" : join(parts, "; ");
}

std::string nic_text(const record::NodeNic& nic) {
  std::vector<std::string> parts = {nic.state.empty() ? "?" : nic.state};
  if (nic.speed_mbps) parts.push_back(fmt::format("{} Mb/s", *nic.speed_mbps));
  if (nic.mtu) parts.push_back(fmt::format("MTU {}", *nic.mtu));
  return join(parts, ", ");
}

Lines lines_of(const record::Node& facts) {
  Lines lines;
  const auto add = [&](const char* title, const std::string& value) {
    if (!value.empty()) lines.emplace_back(title, value);
  };
  add("sxbench", facts.build_id);
  add("system", facts.os);
  add("kernel", facts.kernel);
  if (facts.cpus) {
    add("CPU", fmt::format("{} x {}", *facts.cpus, facts.cpu_model.empty() ? "?" : facts.cpu_model));
  }
  if (facts.memory_bytes) {
    // To the GiB: firmware takes a little more on one node than on the next.
    const double gib = static_cast<double>(*facts.memory_bytes) / static_cast<double>(kGiB);
    add("memory", fmt::format("{:.0f} GiB", gib));
  }
  add("driver", facts.driver);
  add("GPUs", gpus_text(facts.gpus));
  for (const record::NodeNic& nic : facts.nics) {
    if (nic.name != "lo") lines.emplace_back(nic.name.empty() ? "?" : nic.name, nic_text(nic));
  }
  return lines;
}

/// The values of one fact, and who has each.
struct Fact {
  std::string title;
  std::vector<std::pair<std::string, std::vector<std::string>>> values;
  void add(const std::string& value, const std::string& node) {
    auto it =
        std::find_if(values.begin(), values.end(), [&](const auto& known) { return known.first == value; });
    if (it == values.end()) it = values.insert(values.end(), {value, {}});
    it->second.push_back(node);
  }
};

}  // namespace

std::string fold_lines(const std::vector<std::string>& names, const std::vector<Lines>& lines) {
  std::vector<Fact> facts;
  for (const Lines& known_of_node : lines) {
    for (const auto& [title, value] : known_of_node) {
      const auto known = [&, &title = title](const Fact& fact) { return fact.title == title; };
      if (std::none_of(facts.begin(), facts.end(), known)) facts.push_back({title, {}});
    }
  }
  std::size_t width = 0;
  for (Fact& fact : facts) {
    width = std::max(width, fact.title.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto it = std::find_if(lines[i].begin(), lines[i].end(),
                                   [&](const auto& line) { return line.first == fact.title; });
      fact.add(it == lines[i].end() ? "missing" : printable_line(it->second), names[i]);
    }
    std::stable_sort(fact.values.begin(), fact.values.end(),
                     [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  }
  std::string text = fmt::format("{}  ({} node{})\n", config::fold_node_set(names), names.size(),
                                 names.size() == 1 ? "" : "s");
  for (const Fact& fact : facts) {
    for (std::size_t i = 0; i < fact.values.size(); ++i) {
      const auto& [value, who] = fact.values[i];
      text += fmt::format("  {:<{}}  {}", i == 0 ? fact.title : "", width, value);
      if (fact.values.size() > 1) text += fmt::format("  <- {}", config::fold_node_set(who));
      text += '\n';
    }
  }
  return text;
}

std::string fold_facts(const std::vector<std::pair<std::string, record::Node>>& nodes) {
  std::vector<std::string> names;
  std::vector<Lines> lines;
  for (const auto& [name, facts] : nodes) {
    names.push_back(name);
    lines.push_back(lines_of(facts));
  }
  return fold_lines(names, lines);
}

}  // namespace sxb::cli
