// An engine without devices: emits the records that a real one would, with figures of its own
// making, and fails on demand, so that everything around the engine is tested without libtorch.
//
// Faults come in the environment, which a cluster config's "env" gives to the ranks:
//   SXB_FAKE_FAULT = "<what>:<rank>:<phase>", what = sigkill, freeze, deadlock, stubborn, error, disk,
//                    exit, noise, chatter, damage, port, short; of a burn also mismatch, slow
//   SXB_FAKE_EXIT_CODE = of the fault exit, default 17
//   SXB_FAKE_GPUS = the ranks pretend to have a GPU each
//   SXB_FAKE_ECHO = "<prefix>": the device record's name is the JSON of the variables with that prefix;
//                   "rendezvous": it is the host at which the ranks meet
//   SXB_FAKE_ONCE = path: only in the first attempt that comes so far, which that link marks
//   SXB_FAKE_STEP_MS = duration of a step
//   SXB_FAKE_LINK = ranks meet over TCP at the rendezvous in every step, and wait for each other forever
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/json.h"
#include "plan/gpu.h"
#include "sxbench/engine.h"

namespace {

using sxb::Json;

class FakeRank {
 public:
  FakeRank(Json task, SxbEmit send, void* user) : task_(std::move(task)), emit_(send), user_(user) {
    rank_ = task_.at("rank").get<int>();
    world_ = task_.at("world").get<int>();
    phase_ = task_.at("task").at("phase").get<std::string>();
  }

  int run() {
    const bool gpus = std::getenv("SXB_FAKE_GPUS") != nullptr;
    gpu_ = gpus ? task_.at("local_rank").get<int>() : -1;
    emit("device", {{"device", gpus ? "cuda" : "cpu"},
                    {"name", name()},
                    {"gpu", gpu_},
                    {"backend", "gloo"},
                    {"threads", 1},
                    {"pid", ::getpid()},
                    {"torch", "fake"}});
    const std::int64_t begin = sxb::monotonic_ns();
    if (const int code = misbehave(); code != 0) return code;
    if (phase_ == "nccl" && rank_ == 0) sweep();
    if (phase_ == "sft") train();
    if (phase_ == "gpu") bench();
    if (phase_ == "burn" && !burn()) return 1;
    if (phase_ != "check" && task_.at("local_rank").get<int>() == 0) {
      emit("window", {{"name", phase_ == "sft"    ? "measured"
                               : phase_ == "burn" ? "burn"
                                                  : "sweep"},
                      {"begin_ns", begin},
                      {"end_ns", sxb::monotonic_ns()}});
    }
    return 0;
  }

 private:
  void emit(const char* kind, Json data) {
    emit_(user_, Json({{"kind", kind}, {"data", std::move(data)}}).dump().c_str());
  }

  /// "fake", or what SXB_FAKE_ECHO asks for.
  std::string name() const {
    const char* text = std::getenv("SXB_FAKE_ECHO");
    const std::string prefix = text != nullptr ? text : "";
    if (prefix.empty()) return "fake";
    if (prefix == "rendezvous") return task_.at("rendezvous_host").get<std::string>();
    Json found = Json::object();
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string variable = *entry;
      const std::size_t equals = variable.find('=');
      if (variable.rfind(prefix, 0) == 0) found[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
    return found.dump();
  }

  int misbehave() {
    const char* text = std::getenv("SXB_FAKE_FAULT");
    const std::string fault = text != nullptr ? text : "";
    const std::size_t rank_at = fault.find(':') + 1, phase_at = fault.find(':', rank_at) + 1;
    if (fault.empty() || fault.substr(phase_at) != phase_) return 0;
    if (!first_time()) return 0;
    const std::string what = fault.substr(0, rank_at - 1);
    if (what == "chatter") {
      for (int i = 0; i < 4000; ++i) std::printf("line %d of a rank that prints too much\n", i);
      std::fflush(stdout);
      return 0;
    }
    if (what == "stubborn") {
      ::signal(SIGTERM, SIG_IGN);
      return wait_for_peer();
    }
    if (what == "damage") {
      emit("window", {{"name", "measured"}, {"begin_ns", "soon"}});
      emit("window", nullptr);
      emit_(user_, "{\"kind\":");
      return 0;
    }
    if (what == "noise") {
      std::printf("half a line without its end");
      std::fflush(stdout);
      return 0;
    }
    if (what == "slow" || what == "mismatch" || what == "short") return 0;  // burn() and train() do it
    if (std::stoi(fault.substr(rank_at)) != rank_) {
      return what == "sigkill" || what == "disk" ? lose_peer() : wait_for_peer();
    }
    if (what == "sigkill") ::raise(SIGKILL);
    if (what == "freeze") ::raise(SIGSTOP);
    if (what == "deadlock") return wait_for_peer();
    if (what == "error") {
      emit("finding", {{"severity", "error"},
                       {"code", "nan_loss"},
                       {"message", "the loss is not a number"},
                       {"help", "lower the learning rate"}});
      return 1;
    }
    if (what == "disk") {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // its peers notice first
      emit(
          "finding",
          {{"severity", "error"}, {"code", "weights"}, {"message", "no space left on device"}, {"help", ""}});
      return 4;
    }
    if (what == "port") {
      emit("finding", {{"severity", "error"},
                       {"code", "rendezvous_port"},
                       {"message", "rank 0 cannot serve the rendezvous: Address already in use"},
                       {"help", "free that port, or choose another with rendezvous.port"}});
      return 4;
    }
    if (what == "exit") {
      const char* code = std::getenv("SXB_FAKE_EXIT_CODE");
      std::exit(code != nullptr ? std::stoi(code) : 17);
    }
    return 0;
  }

  /// Of all ranks the attempt is known by its token: a rank that never came so far in the first attempt, as
  /// its peers had failed before, does nothing of it in the second.
  bool first_time() const {
    const char* path = std::getenv("SXB_FAKE_ONCE");
    if (path == nullptr) return true;
    const std::string attempt = task_.at("token").get<std::string>().substr(0, 8);
    if (::symlink(attempt.c_str(), path) == 0) return true;  // made with its content at once, unlike a file
    char marked[16] = "";
    return ::readlink(path, marked, sizeof marked - 1) > 0 && attempt == marked;
  }

  /// As a rank does whose connection to a peer breaks.
  int lose_peer() {
    emit("finding",
         {{"severity", "error"}, {"code", "comm"}, {"message", "connection reset by peer"}, {"help", ""}});
    return 1;
  }

  /// As a rank does in a collective that a peer never joins.
  static int wait_for_peer() {
    std::this_thread::sleep_for(std::chrono::seconds(120));
    return 1;
  }

  /// Rank 0 listens at the rendezvous, the others connect to it.
  void link() {
    addrinfo hints = {};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string host = rank_ == 0 ? "0.0.0.0" : task_.at("rendezvous_host").get<std::string>();
    const std::string port = std::to_string(task_.at("rendezvous_port").get<int>());
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) std::exit(18);
    const int one = 1;
    if (rank_ == 0) {
      const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
      ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      if (::bind(listener, found->ai_addr, found->ai_addrlen) != 0 || ::listen(listener, world_) != 0)
        std::exit(19);
      while (static_cast<int>(peers_.size()) < world_ - 1)
        peers_.push_back(::accept(listener, nullptr, nullptr));
    } else {
      peers_.push_back(::socket(AF_INET, SOCK_STREAM, 0));
      while (::connect(peers_[0], found->ai_addr, found->ai_addrlen) != 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        ::close(peers_[0]);
        peers_[0] = ::socket(AF_INET, SOCK_STREAM, 0);
      }
    }
    ::freeaddrinfo(found);
  }

  /// One byte to rank 0 and one back, as a barrier.
  void meet() {
    char byte = 'x';
    for (const int peer : peers_) {
      if (rank_ != 0 && ::write(peer, &byte, 1) != 1) std::exit(20);
      if (::read(peer, &byte, 1) != 1) std::exit(21);
    }
    for (const int peer : peers_) {
      if (rank_ == 0 && ::write(peer, &byte, 1) != 1) std::exit(22);
    }
  }

  void sweep() {
    const Json& sweep = task_.at("task").at("sweep");
    for (std::int64_t size = sweep.at("min_bytes"); size <= sweep.at("max_bytes"); size *= 2) {
      const Json half = {{"time_us", 10.0}, {"algbw_gBps", 0.5}, {"busbw_gBps", 0.75}, {"wrong", 0}};
      emit("collective", {{"collective", sweep.at("collective")},
                          {"size_bytes", size},
                          {"count", size / 4},
                          {"dtype", "float"},
                          {"redop", "sum"},
                          {"root", -1},
                          {"ranks", world_},
                          {"iterations", 1},
                          {"out_of_place", half},
                          {"in_place", half}});
    }
  }

  void bench() {
    Json tests = task_.at("task").at("gpu").at("tests");
    for (const sxb::plan::GpuTest& test : sxb::plan::gpu_tests()) {
      if (task_.at("task").at("gpu").at("tests").empty()) tests.push_back(test.name);
    }
    for (const Json& test : tests) {
      emit("gpu_bench", {{"group", test},
                         {"test", test},
                         {"gpu", gpu_},
                         {"shape", "made up"},
                         {"metric", "GB/s"},
                         {"value", 10.0},
                         {"p5", 9.0},
                         {"p95", 11.0},
                         {"runs", 5},
                         {"stable", true},
                         {"wrong", 0}});
    }
    emit("gpu_bench", {{"group", "p2p"}, {"test", "p2p"}, {"gpu", gpu_}, {"waived", "one GPU on this node"}});
  }

  /// One second of figures; false if a result differed.
  bool burn() {
    const char* fault = std::getenv("SXB_FAKE_FAULT");
    const bool mine =
        fault != nullptr && std::string(fault).find(":" + std::to_string(rank_) + ":") != std::string::npos;
    const bool slow = mine && std::string(fault).starts_with("slow");
    const bool mismatch = mine && std::string(fault).starts_with("mismatch");
    for (int second = 1; second <= 2; ++second) {
      emit("burn", {{"gpu", gpu_},
                    {"second", second},
                    {"span_s", 1.0},
                    {"tflops", slow ? 80.0 : 100.0},
                    {"iterations", 10},
                    {"mismatches", mismatch ? 3 : 0},
                    {"memory_bytes", 1000}});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(mismatch ? 300 : 0));  // the others have ended
    if (!mismatch) return true;
    emit("finding", {{"severity", "error"},
                     {"code", "burn_mismatch"},
                     {"message", "GPU 1 of n0 (rank 1) does not compute the same twice"},
                     {"help", "take it out of service"}});
    return false;
  }

  void train() {
    const Json& training = task_.at("task").at("model").at("training");
    const std::int64_t steps = training.at("steps"), warmup = training.at("warmup");
    const bool linked = std::getenv("SXB_FAKE_LINK") != nullptr;
    if (linked) link();
    const char* fault = std::getenv("SXB_FAKE_FAULT");
    const std::int64_t last = fault != nullptr && std::string(fault).starts_with("short") ? steps - 1 : steps;
    for (std::int64_t step = 1; step <= last && (linked || rank_ == 0); ++step) {
      const std::int64_t begin = sxb::monotonic_ns();
      const char* step_ms = std::getenv("SXB_FAKE_STEP_MS");
      std::this_thread::sleep_for(std::chrono::milliseconds(step_ms != nullptr ? std::stoi(step_ms) : 2));
      if (linked) meet();
      if (rank_ != 0) continue;
      const std::int64_t end = sxb::monotonic_ns();
      const double ms = static_cast<double>(end - begin) * 1e-6;
      emit("step", {{"step", step},
                    {"loss", 5.0 / static_cast<double>(step)},
                    {"lr", 1e-4},
                    {"grad_norm", 1.0},
                    {"tokens", 100},
                    {"loss_tokens", 50},
                    {"samples", world_},
                    {"documents", world_},
                    {"sum_len_sq", 0},
                    {"step_time_ms", ms},
                    {"data_wait_ms", 0.0},
                    {"tokens_per_s", 1e5 / ms},
                    {"mfu", nullptr},
                    {"memory_bytes", 1 << 20},
                    {"begin_ns", begin},
                    {"end_ns", end},
                    {"measured", step > warmup}});
    }
    emit("rank", {{"gpu", -1}, {"step_time_ms_median", 2.0}, {"peak_memory_bytes", 1 << 20}});
    if (rank_ == 0) {
      emit("training", {{"model", "tiny"},
                        {"parameters", 1000},
                        {"matmul_parameters", 900},
                        {"precision", "fp32"},
                        {"sharding", "none"},
                        {"recompute", "none"},
                        {"attention_kernel", "reference"},
                        {"seq_len", 16},
                        {"micro_batch", 1},
                        {"grad_accumulation", 1},
                        {"world", world_},
                        {"flops_per_token_causal", 6000.0},
                        {"flops_per_token_full", 7000.0},
                        {"peak_tflops", nullptr},
                        {"dataset", "synthetic"},
                        {"dataset_hash", ""},
                        {"init", "random(1)"},
                        {"steps", steps},
                        {"warmup", warmup}});
    }
  }

  Json task_;
  SxbEmit emit_;
  void* user_;
  int rank_ = 0, world_ = 1, gpu_ = -1;
  std::string phase_;
  std::vector<int> peers_;
};

const char* describe() { return R"({"torch": "2.0", "devices": [{"name": "NVIDIA H200"}]})"; }

int bench_kernels(const char* json, SxbEmit emit, void* user) {
  const Json task = Json::parse(json)["task"];
  if (task["id"].get<std::string>().empty()) return 2;  // as the engine's parser refuses it
  const std::string rows = std::to_string(task["model"]["training"]["micro_batch"].get<int>());
  const auto kernel = [&](const char* name, const std::string& shape, double us, double bytes, double flops,
                          const Json& aten_us) {
    const Json row = {{"kernel", name}, {"shape", shape}, {"us", us},
                      {"bytes", bytes}, {"flops", flops}, {"aten_us", aten_us}};
    emit(user, Json{{"kind", "kernel"}, {"data", row}}.dump().c_str());
  };
  kernel("copy", "x", 100, 4.32e8, 0, 150.0);
  kernel("product", "y", 1000, 0, 4.947e11, nullptr);
  kernel("rows", rows, 1, 1, 0, nullptr);
  return 0;
}

int run_rank(const char* json, SxbEmit emit, void* user) {
  return FakeRank(Json::parse(json), emit, user).run();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const SxbEngine* sxbench_engine() {
  static const SxbEngine engine = {
      kSxbEngineAbi, std::getenv("SXB_FAKE_BUILD") != nullptr ? "another build" : sxb::build_id().c_str(),
      describe, run_rank, bench_kernels};
  return &engine;
}
