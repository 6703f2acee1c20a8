// The JSON that nccl-tests writes with -J (version 3 of its layout), per task. Two differences: of the
// environment only the NCCL variables that the run recorded, and what nccl-tests does not know stands in
// objects named "sxbench".
#include <fmt/format.h>

#include <map>

#include "analysis/read/json_read.h"
#include "base/clock.h"
#include "base/text.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/nccl_tests/nccl_records.h"

namespace sxb::report {
namespace {

using analysis::Entry;
using analysis::integer;
using analysis::member;
using analysis::number;
using analysis::TaskData;
using analysis::text;

using RowsByGroup = std::map<int, std::vector<record::Record>>;

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

Json environment(const Json& run) {
  Json list = Json::array();
  for (const auto& [name, value] : member(run, "nccl_env").items()) {
    if (name.starts_with("NCCL_") && value.is_string()) list.push_back(name + "=" + value.get<std::string>());
  }
  return list;
}

Json devices_json(const TaskData& task, const std::map<int, int>& groups) {
  std::map<int, const record::Record*> by_rank;
  for (const Entry& entry : task.of(record::kind::kDevice)) by_rank[entry.record.rank] = &entry.record;
  Json list = Json::array();
  for (const auto& [rank, device] : by_rank) {
    const auto group = groups.find(rank);
    const std::string pci = text(device->data, "pci");
    list.push_back({{"rank", rank},
                    {"group", group == groups.end() ? 0 : group->second},
                    {"pid", integer(device->data, "pid").value_or(0)},
                    {"hostname", device->node},
                    {"device", integer(device->data, "gpu").value_or(-1)},
                    {"device_hex", pci.empty() ? "cpu" : pci},
                    {"device_info", text(device->data, "name")}});
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
Json figure(const Json& object, const char* key) {
  const auto value = number(object, key);
  return value ? Json(*value) : Json("nan");
}

Json placement_json(const Json& placement) {
  const auto wrong = wrong_elements(placement);
  return {{"time", figure(placement, "time_us")},
          {"alg_bw", figure(placement, "algbw_gBps")},
          {"bus_bw", figure(placement, "busbw_gBps")},
          {"nwrong", json_or_null(wrong)}};
}

Json iterations_json(const Json& iterations, std::int64_t skipped) {
  Json json = {{"skipped_iterations", skipped}, {"avg_us", figure(iterations, "mean_us")}};
  for (const char* key : {"min_us", "max_us", "p50_us", "p95_us", "p99_us", "cv_pct"})
    json[key] = figure(iterations, key);
  const auto mean = number(iterations, "mean_us");
  const auto cv = number(iterations, "cv_pct");
  json["stdev_us"] = mean && cv ? Json(*mean * *cv / 100) : Json("nan");
  return json;
}

Json result_json(const Json& data, const Json& sweep) {
  Json json = {{"size", integer(data, "size_bytes").value_or(0)},
               {"count", integer(data, "count").value_or(0)},
               {"type", text(data, "dtype")},
               {"redop", text(data, "redop")},
               {"root", fmt::format("{:6}", integer(data, "root").value_or(-1))},
               {"experiment_name", ""}};
  for (const std::string placement : {"out_of_place", "in_place"}) {
    const Json& values = member(data, placement);
    json[placement] = placement_json(values);
    const Json& single = member(values, "per_iteration");
    if (single.is_object()) {
      Json& each = json[placement + "_per_iter"];
      each = iterations_json(single, integer(sweep, "per_iteration_skip").value_or(0));
      if (const Json& times = member(values, "times_us"); !times.is_null()) each["times_us"] = times;
      if (const Json& ranks = member(values, "rank_times_us"); !ranks.is_null())
        each["per_process_max_times_us"] = ranks;
    }
  }
  json["actual_iterations"] = integer(data, "iterations").value_or(0);
  Json own = Json::object();
  for (const char* key : {"ranks", "group", "groups", "group_ranks", "path", "algorithm", "protocol",
                          "channels", "registration", "cta_policy", "timestamp", "first_wrong"}) {
    if (const Json& value = member(data, key); !value.is_null()) own[key] = value;
  }
  for (const char* key : {"slowest_rank", "rank_spread_pct", "wrong_timed"}) {
    const Json& value = member(member(data, "out_of_place"), key);
    if (!value.is_null()) own[key] = value;
  }
  json["sxbench"] = std::move(own);
  return json;
}

std::string task_json(const TaskData& task, const analysis::Dataset& dataset) {
  const Json& run = dataset.run.record.data;
  const std::vector<Entry>& entries = task.of(record::kind::kCollective);
  const Json& sweep = member(task.plan, "sweep");
  RowsByGroup by_group;
  std::vector<record::Record> rows;
  Json results = Json::array();
  for (const Entry& entry : entries) {
    by_group[static_cast<int>(integer(entry.record.data, "group").value_or(0))].push_back(entry.record);
    rows.push_back(entry.record);
    results.push_back(result_json(entry.record.data, sweep));
  }
  const SweepTotals totals = sum_up(rows);
  const std::vector<Entry>& devices = task.of(record::kind::kDevice);
  const Json first = devices.empty() ? Json() : devices.front().record.data;
  const auto code = nccl_version_code(text(first, "nccl"));
  Json own = {{"version", measured_by(dataset)},
              {"run_id", text(run, "run_id")},
              {"task", task.id},
              {"collective", text(sweep, "collective")},
              {"nodes", task.nodes},
              {"repeat", task.repeat},
              {"backend", text(first, "backend")},
              {"split", text(sweep, "split")},
              {"average", integer(sweep, "average").value_or(3)}};
  for (const Entry& entry : task.of(record::kind::kOverhead))
    own["null_call_us"] = member(entry.record.data, "null_call_us");
  Json errors = Json::array();
  if (!task.reason().empty()) errors.push_back(task.reason());
  const std::vector<Entry>& starts = task.of(record::kind::kTaskStart);
  const std::int64_t begin = starts.empty() ? entries.front().record.wall_ns : starts.back().record.wall_ns;
  const std::int64_t end = task.end ? task.end->record.wall_ns : entries.back().record.wall_ns;
  return readable_json({{"version", 3},
                        {"sxbench", std::move(own)},
                        {"start_time", time_text(begin)},
                        {"args", words_of(text(run, "command"))},
                        {"env", environment(run)},
                        {"nccl_version", json_or_null(code)},
                        {"config", config_json(task, group_of_ranks(by_group))},
                        {"results", std::move(results)},
                        {"out_of_bounds",
                         {{"count", json_or_null(totals.wrong)},
                          {"okay", totals.wrong ? truth(*totals.wrong == 0) : "unchecked"}}},
                        {"average_bus_bandwidth",
                         {{"bandwidth", totals.average_busbw ? Json(*totals.average_busbw) : Json("nan")},
                          {"okay", "unchecked"}}},
                        {"errors", std::move(errors)},
                        {"end_time", time_text(end)}});
}

}  // namespace

std::vector<std::pair<std::string, std::string>> nccl_tests_json(const analysis::Analysis& analysis) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const TaskData& task : analysis.dataset->tasks) {
    const std::vector<Entry>& rows = task.of(record::kind::kCollective);
    if (task.phase != "nccl" || rows.empty()) continue;
    std::string name = fmt::format("nccl_{}_{}n", text(rows.front().record.data, "collective"), task.nodes);
    if (task.repeat > 0) name += fmt::format("_repeat{}", task.repeat + 1);
    files.emplace_back("reports/" + name + ".json", task_json(task, *analysis.dataset));
  }
  return files;
}

}  // namespace sxb::report
