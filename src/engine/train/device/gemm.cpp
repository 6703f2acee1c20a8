#include "engine/train/device/gemm.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <tuple>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "engine/blas/matmul.h"
#include "engine/train/device/device.h"

namespace sxb::engine::train {
namespace {

/// The GPUs reach their power cap within the second; after that the ranking is that of a long run.
constexpr std::int64_t kHeatNs = 2'000'000'000;
/// Under the cap a product's time follows its own energy, but only once the clock has settled to it:
/// candidates timed for a few milliseconds run at the clock of their neighbours, and the fast and
/// hungry ones win. (Ranked so, five of twelve products of 7B took a candidate that is 1-4 % slower in
/// a long run.)
constexpr double kSettleMs = 100;
constexpr double kTimedMs = 120;
/// A candidate this much slower than the best in a first call is not timed further.
constexpr double kHopeless = 1.1;

/// A BF16 product (engine/blas/matmul.h), as key of the choices.
struct Problem {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  bool accumulate;

  static Problem forward(std::int64_t M, std::int64_t N, std::int64_t K) {
    return {N, M, K, true, false, false};
  }
  static Problem input_grad(std::int64_t M, std::int64_t N, std::int64_t K) {
    return {K, M, N, false, false, false};
  }
  static Problem weight_grad(std::int64_t M, std::int64_t N, std::int64_t K, bool accumulate) {
    return {K, N, M, false, true, accumulate};
  }
  Product product() const { return {m, n, k, transpose_a, transpose_b, accumulate, Numeric::kBf16}; }
  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + (transpose_a ? "T" : "N") +
           (transpose_b ? "T" : "N") + (accumulate ? "+" : "");
  }
  bool operator<(const Problem& other) const {
    const auto key = [](const Problem& p) {
      return std::tuple(p.m, p.n, p.k, p.transpose_a, p.transpose_b, p.accumulate);
    };
    return key(*this) < key(other);
  }
};

struct Entry {
  std::unique_ptr<Matmul> matmul;
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  std::size_t chosen = 0;
};

}  // namespace

struct Gemm::Impl {
  cublasLtHandle_t handle = nullptr;
  at::Tensor workspace;
  std::map<Problem, Entry> entries;

  ~Impl() {
    if (handle != nullptr) cublasLtDestroy(handle);
  }

  Entry& entry(const Problem& problem) {
    Entry& entry = entries[problem];
    if (entry.matmul) return entry;
    if (handle == nullptr) {
      check_cublas(cublasLtCreate(&handle), "cublasLtCreate");
      workspace = at::empty({static_cast<std::int64_t>(kMatmulWorkspaceBytes)},
                            at::TensorOptions().dtype(at::kByte).device(at::kCUDA));
    }
    entry.matmul = std::make_unique<Matmul>(problem.product());
    entry.algorithms = entry.matmul->candidates(handle);
    if (entry.algorithms.empty()) {
      throw EngineError("cuBLASLt has no algorithm for " + problem.name(), "cublas_error",
                        "use dimensions that are multiples of 8");
    }
    return entry;
  }

  void run(const Problem& problem, const at::Tensor& a, const at::Tensor& b, at::Tensor& c) {
    const Entry& e = entry(problem);
    e.matmul->run(handle, e.algorithms[e.chosen], a.data_ptr(), b.data_ptr(), c.data_ptr(),
                  workspace.data_ptr(), c10::cuda::getCurrentCUDAStream().stream());
  }

  /// Mean milliseconds of one call; operands hold at least the matrices a, b, c of the problem.
  double time_ms(const Entry& e, std::size_t algorithm, int iterations,
                 const std::array<at::Tensor, 3>& operands) {
    const auto stream = c10::cuda::getCurrentCUDAStream();
    CudaEvent begin, end;
    begin.record(stream);
    for (int i = 0; i < iterations; ++i) {
      e.matmul->run(handle, e.algorithms[algorithm], operands[0].data_ptr(), operands[1].data_ptr(),
                    operands[2].data_ptr(), workspace.data_ptr(), stream.stream());
    }
    end.record(stream);
    end.synchronize();
    return begin.milliseconds_to(end) / iterations;
  }

  /// An accumulating product takes the algorithm of the plain one: the same tiles and one more read.
  void choose(Problem problem, std::size_t algorithm) {
    for (const bool accumulate : {false, true}) {
      problem.accumulate = accumulate;
      Entry& e = entry(problem);
      e.chosen = std::min(algorithm, e.algorithms.size() - 1);
    }
  }

  /// times[i][a]: milliseconds of candidate a of problem i, summed over ranks, which all work at once;
  /// infinity for candidates that a first call ruled out.
  std::vector<std::vector<double>> time_all(const std::vector<Problem>& problems, comm::Communicator& comm);
  std::vector<double> time_candidates(const Entry& e, const std::array<at::Tensor, 3>& operands,
                                      comm::Communicator& comm);
};

std::vector<std::vector<double>> Gemm::Impl::time_all(const std::vector<Problem>& problems,
                                                      comm::Communicator& comm) {
  std::int64_t largest[3] = {};
  for (const Problem& p : problems) {
    const std::int64_t sizes[3] = {p.m * p.k, p.k * p.n, p.m * p.n};
    for (int i = 0; i < 3; ++i) largest[i] = std::max(largest[i], sizes[i]);
  }
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(at::kCUDA);
  const std::array<at::Tensor, 3> operands = {
      at::randn({largest[0]}, options), at::randn({largest[1]}, options), at::randn({largest[2]}, options)};
  comm.barrier();
  for (const std::int64_t until = monotonic_ns() + kHeatNs; monotonic_ns() < until;) {
    for (const Problem& p : problems) time_ms(entry(p), 0, 2, operands);
  }
  std::vector<std::vector<double>> times;
  for (const Problem& p : problems) times.push_back(time_candidates(entry(p), operands, comm));
  return times;
}

std::vector<double> Gemm::Impl::time_candidates(const Entry& e, const std::array<at::Tensor, 3>& operands,
                                                comm::Communicator& comm) {
  std::vector<double> once(e.algorithms.size());
  for (std::size_t a = 0; a < once.size(); ++a) {
    time_ms(e, a, 1, operands);  // the first call loads the kernel
    once[a] = comm.sum_over_ranks(time_ms(e, a, 2, operands)) / comm.world();
  }
  const double best = *std::min_element(once.begin(), once.end());
  std::vector<double> times(once.size(), std::numeric_limits<double>::infinity());
  for (std::size_t a = 0; a < once.size(); ++a) {
    if (a > 0 && once[a] > kHopeless * best)
      continue;  // the first choice is what the gain is measured against
    const auto iterations = [&](double milliseconds) { return 1 + static_cast<int>(milliseconds / once[a]); };
    time_ms(e, a, iterations(kSettleMs), operands);
    times[a] = comm.sum_over_ranks(time_ms(e, a, iterations(kTimedMs), operands));
  }
  return times;
}

Gemm::Gemm() : impl_(std::make_unique<Impl>()) {}
Gemm::~Gemm() = default;

std::string Gemm::cache_file() {
  std::string gpu = at::cuda::getDeviceProperties(0)->name;
  std::replace(gpu.begin(), gpu.end(), ' ', '-');
  const Result<std::filesystem::path> cache = usable_cache_dir();
  if (!cache.ok()) return "";  // each run times anew: choices that another user wrote are none
  return (*cache / "gemm" / (gpu + "-cublaslt-" + version() + ".json")).string();
}

std::string Gemm::version() { return std::to_string(cublasLtGetVersion()); }

void Gemm::linear(at::Tensor& y, const at::Tensor& x, const at::Tensor& w) {
  if (y.scalar_type() == at::kBFloat16) {
    impl_->run(Problem::forward(x.size(0), w.size(0), w.size(1)), w, x, y);
  } else {
    at::mm_out(y, x, w.t());
  }
}

void Gemm::input_grad(at::Tensor& dx, const at::Tensor& dy, const at::Tensor& w) {
  if (dx.scalar_type() == at::kBFloat16) {
    impl_->run(Problem::input_grad(dy.size(0), w.size(0), w.size(1)), w, dy, dx);
  } else {
    at::mm_out(dx, dy, w);
  }
}

void Gemm::weight_grad(at::Tensor& dw, bool accumulate, const at::Tensor& dy, const at::Tensor& x) {
  if (dw.scalar_type() == at::kBFloat16) {
    impl_->run(Problem::weight_grad(dy.size(0), dw.size(0), dw.size(1), accumulate), x, dy, dw);
  } else if (accumulate) {
    at::addmm_out(dw, dw, dy.t(), x);
  } else {
    at::mm_out(dw, dy.t(), x);
  }
}

Gemm::Tuning Gemm::tune(const std::vector<Layer>& layers, comm::Communicator& comm,
                        const std::string& cache_file) {
  std::map<Problem, int> distinct;
  for (const Layer& l : layers) {
    distinct[Problem::forward(l.tokens, l.out, l.in)];
    distinct[Problem::input_grad(l.tokens, l.out, l.in)];
    distinct[Problem::weight_grad(l.tokens, l.out, l.in, false)];
  }
  std::vector<Problem> problems;
  for (const auto& [problem, unused] : distinct) problems.push_back(problem);
  Tuning result;
  result.products = static_cast<int>(problems.size());

  const auto loaded = load_json(cache_file);
  Json cache = loaded.ok() && loaded->is_object() ? *loaded : Json::object();
  const auto known = [&](const Problem& p) {
    return cache.contains(p.name()) && cache[p.name()].is_number_unsigned();
  };
  const bool complete = std::all_of(problems.begin(), problems.end(), known);
  // One rank without the choices makes all of them time: timing is a joint act.
  result.cached = comm.max_over_ranks(complete ? 0 : 1) == 0;
  if (!result.cached) {
    const auto times = impl_->time_all(problems, comm);
    double first = 0;
    double chosen = 0;
    for (std::size_t i = 0; i < problems.size(); ++i) {
      const auto least = std::min_element(times[i].begin(), times[i].end());
      cache[problems[i].name()] = static_cast<std::size_t>(least - times[i].begin());
      first += times[i].front();
      chosen += *least;
    }
    result.gain = first / chosen;
    // A cache that cannot be written costs the next run these seconds again and nothing else.
    if (!cache_file.empty()) static_cast<void>(write_file_atomic(cache_file, pretty_json(cache)));
  }
  for (const Problem& p : problems) {
    const auto algorithm = cache[p.name()].get<std::size_t>();
    impl_->choose(p, algorithm);
    result.changed += algorithm > 0 ? 1 : 0;
  }
  return result;
}

}  // namespace sxb::engine::train
