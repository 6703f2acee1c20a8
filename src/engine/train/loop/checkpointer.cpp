#include "engine/train/loop/checkpointer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

#include "base/hash.h"
#include "engine/base/cuda_check.h"
#include "record/kinds/checkpoint.h"

namespace sxb::engine::train {
namespace {

constexpr const char* kParts[] = {"master", "exp_avg", "exp_avg_sq"};
/// Steps that a rank tells the others of when they look for one that all have.
constexpr std::size_t kToldSteps = 64;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string in_gib(std::int64_t bytes) {
  const std::string tenths = std::to_string(bytes / (107'374'182));  // GiB / 10
  return (tenths.size() > 1 ? tenths.substr(0, tenths.size() - 1) : "0") + "." + tenths.back() + " GiB";
}

/// Not from PyTorch's pinned allocator: that one rounds up to powers of two.
at::Tensor host_bytes(std::int64_t bytes, bool pinned) {
  const auto options = at::TensorOptions().dtype(at::kByte);
  if (!pinned) return at::empty({bytes}, options);
  void* data = nullptr;
  const cudaError_t error = cudaMallocHost(&data, static_cast<std::size_t>(bytes));
  if (error == cudaErrorMemoryAllocation) {
    throw EngineError(
        "the host has no room for " + in_gib(bytes) + " of pinned memory, from which a checkpoint is written",
        "out_of_memory",
        "more nodes, fewer ranks on each, or no checkpoints: --set "
        "training.checkpoint.every_minutes=0 --set training.checkpoint.every_steps=0",
        ExitCode::kEnvironment);
  }
  SXB_CUDA(error);
  return at::from_blob(
      data, {bytes}, [](void* memory) { cudaFreeHost(memory); }, options);
}

[[noreturn]] void refuse(const Error& error, const char* code) {
  throw EngineError(error.what + (error.where.empty() ? "" : " (" + error.where + ")"), code, error.help,
                    error.code);
}

}  // namespace

Checkpointer::Checkpointer(const plan::RankTask& task, const Layout& layout, const Device& device,
                           comm::Communicator& comm, ShardedParameters& parameters,
                           const data::PackedDataset* dataset, bool bf16, const Emitter& emitter)
    : task_(task),
      settings_(task.task.model.training.checkpoint),
      device_(device),
      comm_(comm),
      parameters_(parameters),
      emitter_(emitter),
      last_(Clock::now()) {
  if (task.checkpoint_dir.empty()) return;
  const OptimizerState& state = parameters.state();
  for (int u = 0; u < layout.count(); ++u) {
    const auto parts = state.parts(static_cast<std::size_t>(u));
    for (std::size_t part = 0; part < parts.size(); ++part) {
      layout_.push_back({layout.units[static_cast<std::size_t>(u)].name + "." + kParts[part], nullptr,
                         parts[part].numel()});
      shard_bytes_ += static_cast<std::int64_t>(parts[part].nbytes());
    }
  }
  auto opened = data::RankCheckpoints::open(task.checkpoint_dir, task.rank, identity(bf16, dataset));
  if (!opened) refuse(opened.error(), "checkpoint_folder");
  files_.emplace(std::move(opened).value());
  if (device.cuda()) stream_ = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0);
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

/// What must be the same for the same rows, the same shares and the same losses.
Json Checkpointer::identity(bool bf16, const data::PackedDataset* dataset) const {
  const config::Model& model = task_.task.model;
  Json recipe = config::to_json(model);
  for (const char* key : {"name", "description", "data", "init_from"}) recipe.erase(key);
  // Those with a name of their own below, and those that change no bit.
  for (const char* key : {"seed", "sharding", "precision", "checkpoint", "warmup", "trace", "cuda_graph",
                          "recompute", "resident_blocks", "offload"}) {
    recipe["training"].erase(key);
  }
  std::int64_t numel = 0;
  for (const data::StateTensor& part : layout_) numel += part.numel;
  return {{"model", model.name},
          {"world", task_.world},
          {"rank", task_.rank},
          {"sharding", config::to_string(parameters_.sharding())},
          {"dataset", dataset != nullptr ? dataset->hash() : "synthetic"},
          {"seed", model.training.seed},
          {"init_from", model.init_from},
          {"device", task_.cuda ? "cuda" : "cpu"},
          {"precision", bf16 ? "bf16" : "fp32"},
          {"recipe", hash_hex(canonical_json(recipe))},
          {"shard_numel", numel}};
}

// --- back ------------------------------------------------------------------------------------------------

TrainStep::Progress Checkpointer::restore() {
  if (!files_) return {};
  const Clock::time_point begin = Clock::now();
  const std::vector<std::int64_t> own = files_->steps();
  const std::vector<std::int64_t> common = common_steps(own);
  TrainStep::Progress progress;
  Read found;
  refuse_others(own.empty() ? 0 : own.front());
  if (!common.empty()) found = newest_whole(common);
  if (found.shard) {
    put(*found.shard);
    progress.step = found.step;
    progress.updates = found.shard->state().at("updates").get<std::int64_t>();
  }
  // What is newer is not whole on all ranks, and what the others lack is of no use.
  for (const std::int64_t step : own) {
    const bool older = std::find(common.begin(), common.end(), step) != common.end() && step <= found.step;
    if (!older) files_->remove(step);
  }
  for (auto step = common.rbegin(); step != common.rend(); ++step) {
    if (*step <= found.step) whole_.push_back(*step);
  }
  saved_step_ = progress.step;
  const double some = comm_.sum_over_ranks(own.empty() ? 0 : 1);
  if (comm_.rank() == 0 && progress.step > 0) {
    send_lost_steps(progress.step);
    emitter_.emit(record::Resumed{progress.step, bytes_of_all(), seconds_since(begin)});
    emitter_.finding("info", "training_resumed",
                     "the training goes on after step " + std::to_string(progress.step) +
                         ", whose checkpoint all ranks have whole; steps computed again count once, and "
                         "throughput leaves out the time between",
                     "");
  } else if (comm_.rank() == 0 && some > 0) {
    emitter_.finding("warning", "training_restarted",
                     "the training starts at step 1: no checkpoint of this task is whole on all ranks",
                     "nodes that take over from others need a folder that all share: --set "
                     "training.checkpoint.folder=DIR");
  }
  return progress;
}

/// Whoever records steps has those up to task.recorded_steps. Of a step that was computed twice the last
/// counts.
void Checkpointer::send_lost_steps(std::int64_t last) {
  std::map<std::int64_t, record::Step> lost;
  for (const std::string& line : files_->logged()) {
    const std::optional<Json> json = try_parse_json(line);
    if (!json || !json->is_object()) continue;
    record::Step step = record::read<record::Step>(*json);
    const std::int64_t number = step.step.value_or(0);
    if (number > task_.recorded_steps && number <= last) lost[number] = std::move(step);
  }
  for (const auto& [number, step] : lost) emitter_.emit(step);
}

/// Newest first.
std::vector<std::int64_t> Checkpointer::common_steps(const std::vector<std::int64_t>& own) {
  std::array<std::int64_t, kToldSteps> told{};
  std::copy_n(own.begin(), std::min(own.size(), kToldSteps), told.begin());
  std::vector<std::int64_t> common;
  const auto of_all = comm::from_every_rank(comm_, told);
  for (const std::int64_t step : of_all.front()) {
    const bool everywhere = std::all_of(of_all.begin(), of_all.end(), [&](const auto& steps) {
      return std::find(steps.begin(), steps.end(), step) != steps.end();
    });
    if (step > 0 && everywhere) common.push_back(step);
  }
  return common;
}

/// All ranks fail alike, with the words of the first that has an objection.
void Checkpointer::refuse_others(std::int64_t step) {
  struct Objection {
    std::array<char, 600> what, where, help;
    int code;
  } mine = {{}, {}, {}, 0};
  if (const Status same = step > 0 ? files_->check_identity(step) : ok_status(); !same.ok()) {
    const Error& error = same.error();
    comm::put_text(mine.what, error.what);
    comm::put_text(mine.where, error.where);
    comm::put_text(mine.help, error.help);
    mine.code = static_cast<int>(error.code);
  }
  for (const Objection& objection : comm::from_every_rank(comm_, mine)) {
    if (objection.code == 0) continue;
    refuse({objection.what.data(), objection.where.data(), objection.help.data(),
            static_cast<ExitCode>(objection.code)},
           "checkpoint_mismatch");
  }
}

Checkpointer::Read Checkpointer::newest_whole(const std::vector<std::int64_t>& common) {
  for (const std::int64_t step : common) {
    auto shard = files_->read(step, layout_);
    if (!shard) {
      const Error& error = shard.error();
      emitter_.finding("warning", "checkpoint_damaged",
                       "the checkpoint of step " + std::to_string(step) + " cannot be used: " + error.what +
                           (error.where.empty() ? "" : " (" + error.where + ")"),
                       "the one before it is taken, if there is one; check the disk it lies on");
    }
    if (comm_.sum_over_ranks(shard ? 0 : 1) == 0) return {step, std::move(shard).value()};
  }
  return {};
}

void Checkpointer::put(const data::RankCheckpoints::Shard& shard) {
  const OptimizerState& state = parameters_.state();
  for (std::size_t i = 0; i < layout_.size(); ++i) {
    at::Tensor part = state.parts(i / std::size(kParts))[i % std::size(kParts)];
    // The file may hold floats at any byte: no tensor can be laid over it.
    if (part.is_cuda()) {
      SXB_CUDA(cudaMemcpyAsync(part.data_ptr(), shard.data(i), part.nbytes(), cudaMemcpyHostToDevice,
                               device_.compute_stream->stream()));
    } else {
      std::memcpy(part.data_ptr(), shard.data(i), part.nbytes());
    }
  }
  parameters_.take_state();
  device_.synchronize();  // the file is read until here
}

// --- out -------------------------------------------------------------------------------------------------

void Checkpointer::reserve() {
  last_ = Clock::now();
  if (!files_) return;
  copy_ = host_bytes(shard_bytes_, device_.cuda());
  float* at = reinterpret_cast<float*>(copy_.data_ptr());
  for (data::StateTensor& part : layout_) {
    part.data = at;
    at += part.numel;
  }
}

CheckpointVote Checkpointer::vote(std::int64_t step) const {
  if (!files_) return {};
  CheckpointVote vote;
  vote.busy = in_flight_ && !written_.load(std::memory_order_acquire);
  vote.failed = in_flight_ && !vote.busy && failure_.has_value();
  if (comm_.rank() == 0) {
    vote.due = (settings_.every_steps > 0 && step - saved_step_ >= settings_.every_steps) ||
               (settings_.every_minutes > 0 && seconds_since(last_) >= settings_.every_minutes * 60);
  }
  return vote;
}

bool Checkpointer::take(const StepResult& result) {
  if (!files_ || result.facts.step <= stale_until_ || result.checkpoint.busy) return false;
  if (in_flight_) settle(result.checkpoint.failed);
  return result.checkpoint.due && result.facts.step < task_.task.model.training.steps;
}

void Checkpointer::save(const TrainStep::Progress& progress, std::int64_t queued) {
  stale_until_ = queued;
  if (progress.step <= saved_step_) return;  // a graph has left the only new update to its next replay
  std::vector<std::int64_t> surplus;
  while (whole_.size() > static_cast<std::size_t>(settings_.keep)) {
    surplus.push_back(whole_.front());
    whole_.erase(whole_.begin());
  }
  last_ = Clock::now();
  saved_step_ = progress.step;
  written_ = false;
  failure_.reset();
  copy_state();
  in_flight_ = true;
  writer_ = std::thread([this, progress, surplus = std::move(surplus)] {
    // Not by who trains: a file system takes seconds for a file of 20 GB.
    for (const std::int64_t step : surplus) files_->remove(step);
    write(progress.step, progress.updates);
    written_.store(true, std::memory_order_release);
  });
}

/// On the copy stream, or where the state lies in host memory here and now.
void Checkpointer::copy_state() {
  const OptimizerState& state = parameters_.state();
  if (state.on_device()) {
    device_.record_compute(updated_);
    updated_.block(*stream_);
  } else {
    device_.synchronize();
  }
  for (std::size_t i = 0; i < layout_.size(); ++i) {
    const at::Tensor part = state.parts(i / std::size(kParts))[i % std::size(kParts)];
    if (state.on_device()) {
      SXB_CUDA(cudaMemcpyAsync(layout_[i].data, part.data_ptr(), part.nbytes(), cudaMemcpyDeviceToHost,
                               stream_->stream()));
    } else {
      std::memcpy(layout_[i].data, part.data_ptr(), part.nbytes());
    }
  }
  if (state.on_device()) copied_.record(*stream_);
}

/// The writer's thread: nothing may be thrown out of it.
void Checkpointer::write(std::int64_t step, std::int64_t updates) {
  try {
    copied_.synchronize();
    copy_s_ = seconds_since(last_);
    const Clock::time_point begin = Clock::now();
    double waited_s = 0;
    const Status status = files_->write(step, layout_, {{"updates", updates}}, [&] {
      const Clock::time_point wait = Clock::now();
      const bool recorded = wait_until_recorded(step);
      waited_s = seconds_since(wait);
      return recorded;
    });
    write_s_ = seconds_since(begin) - waited_s;
    if (!status.ok()) failure_ = status.error();
  } catch (const std::exception& error) {
    failure_ = unexpected(error);
  }
}

void Checkpointer::recorded(const record::Step& step) {
  if (!files_) return;
  const Status logged = files_->log(dump(record::write(step)));
  const std::lock_guard lock(mutex_);
  if (!logged.ok() && !log_failure_) log_failure_ = logged.error();
  recorded_ = step.step.value_or(0);
  changed_.notify_all();
}

bool Checkpointer::wait_until_recorded(std::int64_t step) {
  if (comm_.rank() != 0) return true;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return recorded_ >= step || stop_; });
  if (log_failure_) failure_ = log_failure_;
  return recorded_ >= step && !log_failure_;
}

/// All ranks have come to the end of the one under way.
void Checkpointer::settle(bool failed) {
  if (writer_.joinable()) writer_.join();
  in_flight_ = false;
  if (failure_) {
    emitter_.finding("warning", "checkpoint_failed",
                     "the checkpoint of step " + std::to_string(saved_step_) + " was not written: " +
                         failure_->what + (failure_->where.empty() ? "" : " (" + failure_->where + ")") +
                         "; training goes on, the one before it stays",
                     failure_->help);
  }
  if (failed) return files_->remove(saved_step_);
  whole_.push_back(saved_step_);
  if (comm_.rank() != 0) return;
  const double seconds = seconds_since(last_);
  record::Checkpoint checkpoint;
  checkpoint.step = saved_step_;
  checkpoint.bytes = bytes_of_all();
  checkpoint.seconds = seconds;
  checkpoint.copy_s = copy_s_;
  checkpoint.write_s = write_s_;
  if (seconds > 0) checkpoint.gBps = static_cast<double>(*checkpoint.bytes) / seconds * 1e-9;
  emitter_.emit(checkpoint);
}

/// Shares are equal: every unit is padded to them.
std::int64_t Checkpointer::bytes_of_all() const { return shard_bytes_ * comm_.world(); }

void Checkpointer::finish() {
  if (!files_) return;
  if (writer_.joinable()) writer_.join();
  const double failed = comm_.sum_over_ranks(in_flight_ && failure_ ? 1 : 0);
  if (in_flight_) settle(failed > 0);
  comm_.barrier();
  files_->remove_all();
}

}  // namespace sxb::engine::train
