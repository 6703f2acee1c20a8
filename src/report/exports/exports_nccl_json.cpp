// The JSON that nccl-tests writes with -J (version 3 of its layout), per task. Two differences: of the
// environment only the NCCL variables that the run recorded, and what nccl-tests does not know stands in
// objects named "sxbench".
#include <fmt/format.h>

#include <map>

#include "analysis/read/json_read.h"
#include "base/clock.h"
#include "base/redact.h"
#include "base/text.h"
#include "record/kinds/collective.h"
#include "record/kinds/node.h"
#include "record/kinds/run.h"
#include "record/typed.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/nccl_tests/nccl_records.h"

namespace sxb::report {
namespace {

using analysis::integer;
using analysis::member;
using analysis::TaskData;
using analysis::text;

/// nccl-tests writes truth values as text.
const char* truth(bool value) { return value ? "true" : "false"; }

/// "2026-09-21 14:13:20", in UTC, so that a report gives the same bytes everywhere.
std::string time_text(std::int64_t wall_ns) {
  std::string time = format_utc(wall_ns);
  time[time.find('T')] = ' ';
  time.pop_back();
  return time;
}

/// The words of a command line that cli::command_line() quoted.
Json words_of(const std::string& command) {
  Json words = Json::array();
  std::string word;
  bool quoted = false;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == '\\' && !quoted && i + 1 < command.size()) {
      word += command[++i];
    } else if (c == ' ' && !quoted) {
      words.push_back(word);
      word.clear();
    } else {
      word += c;
    }
  }
  words.push_back(word);
  return words;
}

Json environment(const record::Run& run) {
  Json list = Json::array();
  for (const auto& [name, value] : redacted(run.nccl_env)) {
    if (name.starts_with("NCCL_")) list.push_back(name + "=" + value);
  }
  return list;
}

Json devices_json(const TaskData& task, const std::map<int, int>& groups) {
  std::map<int, const analysis::Typed<record::Device>*> by_rank;
  for (const analysis::Typed<record::Device>& device : task.of<record::Device>())
    by_rank[device.rank] = &device;
  Json list = Json::array();
  for (const auto& [rank, record] : by_rank) {
    const record::Device& device = record->data;
    const auto group = groups.find(rank);
    list.push_back({{"rank", rank},
                    {"group", group == groups.end() ? 0 : group->second},
                    {"pid", device.pid.value_or(0)},
                    {"hostname", record->node},
                    {"device", device.gpu.value_or(-1)},
                    {"device_hex", device.pci.empty() ? "cpu" : device.pci},
                    {"device_info", device.name}});
  }
  return list;
}

Json config_json(const TaskData& task, const std::map<int, int>& groups) {
  const Json& sweep = member(task.plan, "sweep");
  const auto value = [&](const char* key, std::int64_t usual) { return integer(sweep, key).value_or(usual); };
  Json json = {{"nthreads", 1},
               {"ngpus", 1},
               {"minimum_bytes", value("min_bytes", 0)},
               {"maximum_bytes", value("max_bytes", 0)},
               {"warmup_iters", value("warmup", 0)},
               {"iterations", value("iterations", 0)},
               {"aggregated_iterations", value("agg_iterations", 1)},
               {"validation", value("check", 0)},
               {"graph", value("graph_launches", 0)},
               {"blocking_collectives", truth(value("blocking", 0) != 0)},
               {"per_iter_timing", truth(value("per_iteration", 0) != 0)},
               {"per_iter_skip", value("per_iteration_skip", 0)},
               {"parallel_init", truth(true)},
               {"devices", devices_json(task, groups)}};
  const bool additive = value("step_bytes", 0) > 0;
  json[additive ? "step_bytes" : "step_factor"] = additive ? value("step_bytes", 0) : value("step_factor", 0);
  return json;
}

/// nccl-tests has "nan" where a figure does not exist.
Json figure(const std::optional<double>& value) { return value ? Json(*value) : Json("nan"); }

Json placement_json(const record::Placement& placement) {
  return {{"time", figure(placement.time_us)},
          {"alg_bw", figure(placement.algbw_gBps)},
          {"bus_bw", figure(placement.busbw_gBps)},
          {"nwrong", json_or_null(wrong_elements(placement))}};
}

Json iterations_json(const record::Placement& placement, std::int64_t skipped) {
  const record::Iterations& iterations = *placement.per_iteration;
  const auto& mean = iterations.mean_us;
  const auto& cv = iterations.cv_pct;
  Json json = {{"skipped_iterations", skipped},
               {"avg_us", figure(mean)},
               {"min_us", figure(iterations.min_us)},
               {"max_us", figure(iterations.max_us)},
               {"p50_us", figure(iterations.p50_us)},
               {"p95_us", figure(iterations.p95_us)},
               {"p99_us", figure(iterations.p99_us)},
               {"cv_pct", figure(cv)},
               {"stdev_us", mean && cv ? Json(*mean * *cv / 100) : Json("nan")}};
  if (!placement.times_us.empty()) json["times_us"] = placement.times_us;
  if (!placement.rank_times_us.empty()) json["per_process_max_times_us"] = placement.rank_times_us;
  return json;
}

/// What nccl-tests has no place for; what a record lacks is left out.
Json own_json(const record::Collective& row) {
  const record::Placement placement = row.out_of_place.value_or(record::Placement{});
  Json json = Json::object();
  const auto put = [&](const char* name, const auto& value) {
    if constexpr (requires { value.has_value(); }) {
      if (value) json[name] = *value;
    } else {
      if (!value.empty()) json[name] = value;
    }
  };
  put("ranks", row.ranks);
  put("group", row.group);
  put("groups", row.groups);
  put("group_ranks", row.group_ranks);
  put("path", row.path);
  put("algorithm", row.algorithm);
  put("protocol", row.protocol);
  put("channels", row.channels);
  put("registration", row.registration);
  put("cta_policy", row.cta_policy);
  put("timestamp", row.timestamp);
  if (row.first_wrong) json["first_wrong"] = record::write(*row.first_wrong);
  put("slowest_rank", placement.slowest_rank);
  put("rank_spread_pct", placement.rank_spread_pct);
  put("wrong_timed", placement.wrong_timed);
  return json;
}

Json result_json(const record::Collective& row, const Json& sweep) {
  Json json = {{"size", row.size_bytes.value_or(0)},
               {"count", row.count.value_or(0)},
               {"type", row.dtype},
               {"redop", row.redop},
               {"root", fmt::format("{:6}", row.root.value_or(-1))},
               {"experiment_name", ""}};
  const std::int64_t skipped = integer(sweep, "per_iteration_skip").value_or(0);
  for (const auto& [name, given] :
       {std::pair<std::string, const std::optional<record::Placement>*>{"out_of_place", &row.out_of_place},
        {"in_place", &row.in_place}}) {
    const record::Placement placement = given->value_or(record::Placement{});
    json[name] = placement_json(placement);
    if (placement.per_iteration) json[name + "_per_iter"] = iterations_json(placement, skipped);
  }
  json["actual_iterations"] = row.iterations.value_or(0);
  json["sxbench"] = own_json(row);
  return json;
}

std::string task_json(const TaskData& task, const record::Run& run, const std::string& version) {
  const auto& entries = task.of<record::Collective>();
  const Json& sweep = member(task.plan, "sweep");
  RowsByGroup by_group;
  std::vector<record::Collective> rows;
  Json results = Json::array();
  for (const analysis::Typed<record::Collective>& entry : entries) {
    rows.push_back(entry.data);
    by_group[rows.back().group.value_or(0)].push_back(rows.back());
    results.push_back(result_json(rows.back(), sweep));
  }
  const SweepTotals totals = sum_up(rows);
  const auto& devices = task.of<record::Device>();
  const record::Device first = devices.empty() ? record::Device{} : devices.front().data;
  const auto code = nccl_version_code(first.nccl);
  Json own = {{"version", version},
              {"run_id", run.run_id},
              {"task", task.id},
              {"collective", text(sweep, "collective")},
              {"nodes", task.nodes},
              {"repeat", task.repeat},
              {"backend", first.backend},
              {"split", text(sweep, "split")},
              {"average", integer(sweep, "average").value_or(3)}};
  for (const analysis::Typed<record::Overhead>& overhead : task.of<record::Overhead>())
    own["null_call_us"] = json_or_null(overhead.data.null_call_us);
  Json errors = Json::array();
  if (!task.reason().empty()) errors.push_back(task.reason());
  const auto& starts = task.of<record::TaskStart>();
  const std::int64_t begin = starts.empty() ? entries.front().wall_ns : starts.back().wall_ns;
  const std::int64_t end = task.end ? task.end->record.wall_ns : entries.back().wall_ns;
  return readable_json(
      {{"version", 3},
       {"sxbench", std::move(own)},
       {"start_time", time_text(begin)},
       {"args", words_of(run.command)},
       {"env", environment(run)},
       {"nccl_version", json_or_null(code)},
       {"config", config_json(task, group_of_ranks(by_group))},
       {"results", std::move(results)},
       {"out_of_bounds",
        {{"count", json_or_null(totals.wrong)},
         {"okay", totals.wrong ? truth(*totals.wrong == 0) : "unchecked"}}},
       {"average_bus_bandwidth", {{"bandwidth", figure(totals.average_busbw)}, {"okay", "unchecked"}}},
       {"errors", std::move(errors)},
       {"end_time", time_text(end)}});
}

}  // namespace

std::vector<std::pair<std::string, std::string>> nccl_tests_json(const analysis::Analysis& analysis) {
  const record::Run& run = analysis.dataset->asked;
  std::vector<std::pair<std::string, std::string>> files;
  for (const TaskData& task : analysis.dataset->tasks) {
    const auto& rows = task.of<record::Collective>();
    if (task.phase != "nccl" || rows.empty()) continue;
    std::string name = fmt::format("nccl_{}_{}n", rows.front().data.collective, task.nodes);
    if (task.repeat > 0) name += fmt::format("_repeat{}", task.repeat + 1);
    files.emplace_back("reports/" + name + ".json", task_json(task, run, measured_by(run)));
  }
  return files;
}

}  // namespace sxb::report
