// Stands in PATH as `ssh` for scripts/bench/scale.sh and connects to nobody: it is the node.
//
//   SXB_BENCH_CONNECT_MS   pretended time of a connection, default 0
//   SXB_BENCH_SECONDS      unset: prints the node's name and ends, as a trivial command would. Set: acts as
//   the
//                          node's agent and sends, for that long, 10 times a second what 8 GPUs, the host and
//                          a NIC give; then what a fine-tuning task leaves. Numbers are made up, their form
//                          is not.
//   SXB_BENCH_UNPACED      set: the same lines, without waiting between them. Times in them are as if it had.
//
// On stderr, which lands in logs/NODE.log, it says how many samples it sent and how late the latest was: what
// a head that does not keep up shows as, since a full pipe stops the writer.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

namespace {

using sxb::Json;

constexpr int kGpus = 8;
constexpr std::int64_t kIntervalNs = 100'000'000;
constexpr double kForwardMs = 300, kBackwardMs = 600, kOptimizerMs = 50;  // of a step of a second

int number_from_env(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

void sleep_until(std::int64_t mono_ns) {
  std::this_thread::sleep_until(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(mono_ns)));
}

class PretendedAgent {
 public:
  explicit PretendedAgent(const Json& task)
      : node_(task.at("node")),
        task_(task.at("task").at("id")),
        mark_(":::SXB " + task.at("nonce").get<std::string>() + " "),
        ranks_(task.at("ranks")),
        training_(task.at("task")) {}

  void run(int seconds) {
    Json gpus = Json::array();
    for (int gpu = 0; gpu < kGpus; ++gpu) gpus.push_back({{"index", gpu}, {"name", "NVIDIA H200"}});
    record("node", -1, {{"hostname", node_}, {"build_id", sxb::build_id()}, {"cpus", 2}, {"gpus", gpus}});
    for (const Json& rank : ranks_) {
      record("device", rank.at("rank"),
             {{"device", "cuda"}, {"name", "NVIDIA H200"}, {"gpu", rank.at("gpu")}});
    }
    flush();
    const std::int64_t begin = sxb::monotonic_ns();
    const bool paced = std::getenv("SXB_BENCH_UNPACED") == nullptr;
    // As on a real cluster, the nodes do not sample at the same instant.
    const std::int64_t offset = std::hash<std::string>{}(node_) % kIntervalNs;
    const int ticks = seconds * static_cast<int>(1'000'000'000 / kIntervalNs);
    std::int64_t late = 0;
    for (int tick = 0; tick < ticks; ++tick) {
      const std::int64_t due = begin + static_cast<std::int64_t>(offset) + tick * kIntervalNs;
      if (paced) sleep_until(due);
      now_ = paced ? sxb::monotonic_ns() : due;
      take_samples(tick);
      if (tick % 10 == 0) record("heartbeat", -1, Json::object());
      if (tick % 10 == 9 && leads()) record("step", 0, step(tick / 10 + 1));
      flush();
      late = std::max(late, sxb::monotonic_ns() - due);
    }
    record("window", first_rank(), {{"name", "measured"}, {"begin_ns", begin}, {"end_ns", now_}});
    for (const Json& rank : ranks_) {
      record("rank", rank.at("rank"),
             {{"gpu", rank.at("gpu")}, {"step_time_ms_median", 900.0}, {"peak_memory_bytes", 1 << 30}});
      record("phases", rank.at("rank"),
             {{"steps", seconds - 1},
              {"step_ms", 1000.0},
              {"forward_ms", kForwardMs},
              {"backward_ms", kBackwardMs},
              {"optimizer_ms", kOptimizerMs}});
    }
    if (leads()) record("training", 0, totals(seconds));
    end();
    flush();
    fmt::print(stderr, "sent {} samples, at most {} ms late\n", samples_, paced ? late / 1'000'000 : 0);
  }

 private:
  int first_rank() const { return ranks_.at(0).at("rank"); }
  bool leads() const { return first_rank() == 0; }

  void record(const char* kind, int rank, const Json& data) {
    Json json = {{"v", 1}, {"kind", kind}, {"task", task_}, {"node", node_}};
    if (rank >= 0) json["rank"] = rank;
    json["mono_ns"] = sxb::monotonic_ns();
    json["wall_ns"] = sxb::wall_ns();
    json["data"] = data;
    line(json.dump());
  }

  void line(const std::string& json) {
    const std::string text = mark_ + json;
    sent_.add(text);
    text_ += text + "\n";
  }

  void sample(std::int64_t mono, std::int64_t wall, const std::string& data) {
    line(fmt::format(
        R"({{"v":1,"kind":"sample","task":"{}","node":"{}","mono_ns":{},"wall_ns":{},"data":{{"mono_ns":{},"wall_ns":{},{}}}}})",
        task_, node_, mono, wall, mono - 5'000, wall - 5'000, data));
    ++samples_;
  }

  void take_samples(int tick) {
    const std::int64_t mono = now_, wall = wall_offset_ + now_;
    sample(
        mono, wall,
        fmt::format(R"("source":"host","cpu_pct":{:.1f},"mem_used_bytes":{})", 3.5 + tick % 7, 64LL << 30));
    sample(
        mono, wall,
        fmt::format(
            R"("source":"nic","name":"eth0","rx_bytes":{0},"tx_bytes":{0},"rx_packets":{1},"tx_packets":{1},"rx_errors":0,"tx_errors":0,"rx_dropped":0,"tx_dropped":0)",
            1'000'000LL * tick, 700LL * tick));
    for (int gpu = 0; gpu < kGpus; ++gpu) {
      sample(
          mono, wall,
          fmt::format(
              R"("source":"gpu","index":{},"util_pct":{},"mem_used_bytes":81604378624,"power_w":{:.3f},"temp_c":{},"sm_mhz":{},"mem_mhz":3201,"throttle":"sw_power_cap","nvlink_tx_bytes":{},"nvlink_rx_bytes":{},"energy_mj":{},"sm_active_pct":{:.2f},"tensor_active_pct":57.25,"dram_active_pct":0.0008325841091974515)",
              gpu, 90 + tick % 10, 650 + (tick * 7 + gpu) % 40 / 3.0, 60 + tick % 5, 1440 + 15 * (tick % 9),
              2'000'000LL * tick, 2'000'000LL * tick, 4'088'720LL + 69'300LL * tick,
              80 + (tick + gpu) % 16 / 1.7));
    }
  }

  void end() {
    Json ranks = Json::array();
    for (const Json& rank : ranks_)
      ranks.push_back({{"rank", rank.at("rank")}, {"exit_code", 0}, {"proved", true}});
    record("agent_end", -1,
           {{"exit_code", 0}, {"lines", sent_.lines()}, {"hash", sent_.hex()}, {"ranks", std::move(ranks)}});
  }

  Json step(int number) const {
    const std::int64_t now = now_;
    return {{"step", number},
            {"loss", 5.0 / number},
            {"lr", 1e-4},
            {"grad_norm", 1.0},
            {"tokens", 100000},
            {"loss_tokens", 50000},
            {"samples", 64},
            {"documents", 64},
            {"sum_len_sq", 0},
            {"step_time_ms", 1000.0},
            {"data_wait_ms", 0.1},
            {"forward_ms", kForwardMs},
            {"backward_ms", kBackwardMs},
            {"optimizer_ms", kOptimizerMs},
            {"tokens_per_s", 1e5},
            {"mfu", nullptr},
            {"memory_bytes", 1 << 30},
            {"begin_ns", now - 1'000'000'000},
            {"end_ns", now},
            {"measured", number > 1}};
  }

  Json totals(int steps) const {
    return {{"model", training_.at("model").at("name")},
            {"parameters", 1000},
            {"matmul_parameters", 900},
            {"precision", "bf16"},
            {"sharding", "full"},
            {"recompute", "none"},
            {"attention_kernel", "pretended"},
            {"seq_len", 2048},
            {"micro_batch", 1},
            {"grad_accumulation", 1},
            {"world", ranks_.at(0).at("world")},
            {"flops_per_token_causal", 6000.0},
            {"flops_per_token_full", 7000.0},
            {"peak_tflops", nullptr},
            {"dataset", "synthetic"},
            {"dataset_hash", ""},
            {"init", "random(1)"},
            {"steps", steps},
            {"warmup", 1}};
  }

  /// In one piece, as ssh hands over what came in one packet.
  void flush() {
    for (std::size_t done = 0; done < text_.size();) {
      const ssize_t n = ::write(STDOUT_FILENO, text_.data() + done, text_.size() - done);
      if (n < 0) std::exit(1);
      done += static_cast<std::size_t>(n);
    }
    text_.clear();
  }

  std::string node_, task_, mark_;
  sxb::LineHash sent_;
  Json ranks_, training_;
  std::string text_;
  std::int64_t now_ = 0, wall_offset_ = sxb::wall_ns() - sxb::monotonic_ns();
  long samples_ = 0;
};

}  // namespace

/// argv: ssh's options, then "--", host, command.
int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "-V") {
    fmt::print(stderr, "OpenSSH_9.2p1\n");
    return 0;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(number_from_env("SXB_BENCH_CONNECT_MS")));
  const int seconds = number_from_env("SXB_BENCH_SECONDS");
  if (seconds == 0) {
    fmt::print("{}\n", argc > 2 ? argv[argc - 2] : "?");
    return 0;
  }
  std::string line;
  if (!std::getline(std::cin, line)) return 1;
  PretendedAgent(Json::parse(line)).run(seconds);
  return 0;
}
