#include "support/nccl_run.h"

#include "support/synthetic_run.h"

namespace sxb::testing {
namespace {

constexpr int kNodes = 2, kPerNode = 2;

Json task_of(const std::string& id, const Json& sweep) {
  return {{"id", id}, {"phase", "nccl"}, {"nodes", kNodes}, {"repeat", 0}, {"sweep", sweep}};
}

Json sweep_of(const std::string& collective) {
  return {{"collective", collective}, {"min_bytes", 1024}, {"max_bytes", 1048576}, {"step_factor", 1024},
          {"step_bytes", 0},          {"iterations", 20},  {"warmup", 5},          {"check", 1},
          {"dtype", "float"},         {"redop", "sum"}};
}

/// Iterations spread by 10 % around the time.
Json placement(double time_us, double algbw, double factor, const Json& wrong, int wrong_timed, int slowest) {
  return {{"time_us", time_us},
          {"algbw_gBps", algbw},
          {"busbw_gBps", algbw * factor},
          {"wrong", wrong},
          {"wrong_timed", wrong.is_null() ? Json(nullptr) : Json(wrong_timed)},
          {"per_iteration",
           {{"count", 20},
            {"min_us", time_us * 0.9},
            {"p50_us", time_us},
            {"p95_us", time_us * 1.08},
            {"p99_us", time_us * 1.1},
            {"max_us", time_us * 1.1},
            {"mean_us", time_us},
            {"cv_pct", 5.0}}},
          {"slowest_rank", slowest},
          {"rank_spread_pct", 1.5}};
}

Json row_of(const std::string& collective, std::int64_t size, int ranks) {
  return {{"collective", collective},
          {"size_bytes", size},
          {"count", size / 4},
          {"dtype", "float"},
          {"redop", collective == "all_reduce" ? "sum" : "none"},
          {"root", -1},
          {"ranks", ranks},
          {"iterations", 20},
          {"agg_iterations", 1},
          {"graph_launches", 0},
          {"cta_policy", -1},
          {"registration", "none"},
          {"group", 0},
          {"groups", 1},
          {"path", size > 1024 ? "ncclDevKernel_AllReduce_Sum_f32_RING_LL, 16 CTAs"
                               : "ncclDevKernel_AllReduce_Sum_f32_TREE_LL, 2 CTAs"},
          {"algorithm", size > 1024 ? "RING" : "TREE"},
          {"protocol", size > 1024 ? "SIMPLE" : "LL"},
          {"channels", size > 1024 ? 16 : 2}};
}

void add_all_reduce(SyntheticRun& run, const std::string& id) {
  start_task(run, id, "nccl", "nccl all_reduce on 2 nodes", kNodes, kPerNode, true, false);
  run.add("overhead", {{"null_call_us", 0.1875}, {"iterations", 20}}, id, "synthetic1", 0);
  for (const std::int64_t size : {1024, 1048576}) {
    const double time = size > 1024 ? 50 : 20;
    Json row = row_of("all_reduce", size, 4);
    const double algbw = static_cast<double>(size) / time * 1e-3;
    row["timestamp"] = "2026-09-21 14:13:25";
    row["out_of_place"] = placement(time, algbw, 1.5, 0, 0, 3);
    row["in_place"] = placement(time, algbw, 1.5, nullptr, 0, 2);
    if (size > 1024) {
      row["out_of_place"]["times_us"] = {55.0, 45.0};
      row["out_of_place"]["rank_times_us"] = {{55.0, 40.0}, {50.0, 45.0}};
    }
    run.add("collective", row, id, "synthetic1", 0);
  }
  end_task(run, id, "ok", "");
}

void add_rails(SyntheticRun& run, const std::string& id) {
  start_task(run, id, "nccl", "nccl all_gather (rails) on 2 nodes", kNodes, kPerNode, true, false);
  for (const std::int64_t size : {1024, 1048576}) {
    for (int rail = 0; rail < kPerNode; ++rail) {
      const double time = (size > 1024 ? 40 : 10) * (rail == 1 ? 2 : 1);
      Json row = row_of("all_gather", size, kNodes);
      row["group"] = rail;
      row["groups"] = kPerNode;
      row["group_ranks"] = {rail, rail + kPerNode};
      row.erase("algorithm");
      row.erase("protocol");
      row.erase("channels");
      for (const char* key : {"out_of_place", "in_place"})
        row[key] = placement(time, static_cast<double>(size) / time * 1e-3, 0.5, 0, 0, rail + kPerNode);
      run.add("collective", row, id, "synthetic1", 0);
    }
  }
  end_task(run, id, "ok", "");
}

void add_wrong_broadcast(SyntheticRun& run, const std::string& id) {
  start_task(run, id, "nccl", "nccl broadcast on 2 nodes", kNodes, kPerNode, true, false);
  for (int root = 0; root < kNodes; ++root) {
    const bool bad = root == 1;
    Json row = row_of("broadcast", 1024, 4);
    row["root"] = root;
    row["out_of_place"] = placement(16, 0.064, 1, bad ? 1 : 0, bad ? 2 : 0, 0);
    row["in_place"] = placement(16, 0.064, 1, 0, 0, 0);
    if (bad) {
      row["first_wrong"] = {{"rank", 3},
                            {"offset", 17},
                            {"expected", "1.5"},
                            {"found", "-nan"},
                            {"placement", "out_of_place"},
                            {"when", "timed"}};
    }
    run.add("collective", row, id, "synthetic1", 0);
  }
  end_task(run, id, "failed", "3 elements were wrong in broadcast of float");
}

}  // namespace

Json detailed_sweep() {
  Json sweep = sweep_of("all_reduce");
  sweep["per_iteration"] = 1;
  sweep["timestamps"] = true;
  return sweep;
}

void make_nccl_run(const std::filesystem::path& folder) {
  SyntheticRun run(folder);
  Json rails = sweep_of("all_gather");
  rails["split"] = "rails";
  Json broadcast = sweep_of("broadcast");
  broadcast["root"] = -1;
  broadcast["max_bytes"] = 1024;
  Json data = run_data("synthetic-nccl",
                       {task_of("dada00000001", detailed_sweep()), task_of("dada00000002", rails),
                        task_of("dada00000003", broadcast)},
                       Json::object());
  data["command"] = "sxbench nccl --collectives all_reduce,all_gather --name 'two words'";
  data["nccl_env"] = {{"NCCL_DEBUG", "WARN"}, {"PASSWORD", "of the shell"}};
  run.add("run", data);
  add_all_reduce(run, "dada00000001");
  add_rails(run, "dada00000002");
  add_wrong_broadcast(run, "dada00000003");
  run.add("run_end", {{"status", "failed"}, {"exit_code", 1}});
  run.write();
}

}  // namespace sxb::testing
