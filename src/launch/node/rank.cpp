#include "launch/node/rank.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/build_info.h"
#include "base/files.h"
#include "base/output.h"
#include "base/text.h"
#include "launch/node/emitter.h"
#include "launch/node/engine_error.h"
#include "plan/task.h"

namespace sxb::launch {
namespace fs = std::filesystem;
namespace {

/// What the engine says: {"kind": ..., "data": {...}}.
std::optional<record::Record> record_of(std::string_view text) {
  const std::optional<Json> json = try_parse_json(text);
  if (!json || !json->is_object()) return std::nullopt;
  const auto kind = json->find("kind"), data = json->find("data");
  if (kind == json->end() || !kind->is_string()) return std::nullopt;
  record::Record record;
  record.kind = kind->get<std::string>();
  if (data != json->end()) record.data = *data;
  if (!record.data.is_object()) return std::nullopt;
  return record;
}

/// Wraps what the engine says into a record.
void emit_record(Emitter& emitter, const char* text) {
  if (auto record = record_of(text)) return emitter.emit(record->kind, std::move(record->data));
  emitter.emit_error("engine_record", {"the engine sent something that is no record: " + std::string(text),
                                       "", "", ExitCode::kTaskFailed});
}

/// Hears what the engine says. No exception may pass through it, which is C: the first one waits until it has
/// returned.
class Receiver {
 public:
  using Take = std::function<void(const char* text)>;
  explicit Receiver(Take take) : take_(std::move(take)) {}

  /// SxbEmit; `user` is the receiver.
  static void emit(void* user, const char* text) noexcept {
    auto& self = *static_cast<Receiver*>(user);
    try {
      const std::lock_guard lock(self.mutex_);
      if (self.thrown_ == nullptr) self.take_(text);
    } catch (...) {
      const std::lock_guard lock(self.mutex_);
      if (self.thrown_ == nullptr) self.thrown_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }

 private:
  Take take_;
  std::mutex mutex_;  // the engine may call from any thread
  std::exception_ptr thrown_;
};

/// Gives fd 1 to the records alone: what libraries print on stdout goes to stderr, because half a
/// line of theirs in front of a record would spoil it.
int take_stdout() {
  std::fflush(stdout);
  const int records = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return records;
}

ExitCode as_exit_code(int code) {
  switch (code) {
    case 0:
      return ExitCode::kOk;
    case 2:
      return ExitCode::kUsage;
    case 3:
      return ExitCode::kGoalMissed;
    case 4:
      return ExitCode::kEnvironment;
    case 130:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kTaskFailed;
  }
}

}  // namespace

std::vector<fs::path> engine_candidates() {
  if (const char* path = std::getenv("SXBENCH_ENGINE_LIB"); path != nullptr && *path != '\0') return {path};
  const fs::path bin = executable_dir();
  return {bin.parent_path() / "lib" / kSxbEngineLibrary, bin / kSxbEngineLibrary};
}

Result<const SxbEngine*> load_engine() {
  const std::string remedy = kEngineRemedy;
  std::vector<std::string> tried;
  std::error_code ec;
  for (const fs::path& path : engine_candidates()) {
    tried.push_back(path.string());
    if (!fs::exists(path, ec)) continue;
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      return engine_load_error(::dlerror(), path);
    }
    const auto entry = reinterpret_cast<const SxbEngine* (*)()>(::dlsym(library, "sxbench_engine"));
    const SxbEngine* engine = entry != nullptr ? entry() : nullptr;
    if (engine == nullptr) {
      return Error{"this library is not an sxbench engine", path.string(), remedy, ExitCode::kEnvironment};
    }
    if (engine->abi != kSxbEngineAbi || build_id() != engine->build_id) {
      return Error{fmt::format("engine and command are from different builds: engine \"{}\", command \"{}\"",
                               engine->abi == kSxbEngineAbi ? engine->build_id : "another ABI", build_id()),
                   path.string(), remedy, ExitCode::kEnvironment};
    }
    return engine;
  }
  return Error{fmt::format("{} was not found", kSxbEngineLibrary), join(tried, ", "), remedy,
               ExitCode::kEnvironment};
}

Result<Json> engine_facts() {
  SXB_ASSIGN_OR_RETURN(const SxbEngine* engine, load_engine());
  return parse_json(engine->describe(), "the engine's description");
}

Result<ExitCode> bench_kernels(const plan::RankTask& task, const std::function<void(const Json&)>& take) {
  SXB_ASSIGN_OR_RETURN(const SxbEngine* engine, load_engine());
  Receiver receiver([&](const char* text) { take(parse_json(text, "the engine").value()); });
  const int code = engine->bench_kernels(dump(plan::to_json(task)).c_str(), Receiver::emit, &receiver);
  receiver.rethrow();
  return as_exit_code(code);
}

namespace {

ExitCode run_engine(const plan::RankTask& task, Emitter& emitter) {
  const Result<const SxbEngine*> engine = load_engine();
  if (!engine.ok()) {
    emitter.emit_error("engine_missing", engine.error());
    return engine.error().code;
  }
  const std::string text = dump(plan::to_json(task));
  Receiver receiver([&](const char* record) { emit_record(emitter, record); });
  const int code = (*engine)->run_rank(text.c_str(), Receiver::emit, &receiver);
  receiver.rethrow();
  return as_exit_code(code);
}

/// What is thrown is an error of the rank, told as a record.
ExitCode run_or_tell(const plan::RankTask& task, Emitter& emitter) {
  try {
    const Heartbeat heartbeat(emitter);
    return run_engine(task, emitter);
  } catch (const std::exception& exception) {
    const Error error = unexpected(exception);
    emitter.emit_error("rank_exception", error);
    write_stderr(format_error(error));
    return error.code;
  }
}

/// `records`: the descriptor that wire lines go to.
ExitCode run_rank(int records) {
  const auto read_task = []() -> Result<plan::RankTask> {
    SXB_ASSIGN_OR_RETURN(const InputLine line, read_line(STDIN_FILENO, "a rank task"));
    SXB_ASSIGN_OR_RETURN(const Json json, parse_json(line.text, "stdin"));
    return plan::parse_rank_task(json, "stdin");
  };
  const Result<plan::RankTask> task = read_task();
  if (!task.ok()) {
    write_stderr(format_errors(task.errors()));
    return task.error().code;
  }
  Emitter emitter(records, {task->task.id, task->node, task->rank, task->nonce});
  const ExitCode code = run_or_tell(*task, emitter);
  emitter.end(record::RankEnd{static_cast<int>(code), {}, ""});
  return code;
}

}  // namespace

ExitCode run_rank_worker() {
  const int records = take_stdout();
  try {
    return run_rank(records);
  } catch (const std::exception& exception) {
    // The agent shows the last lines of a rank that failed.
    const Error error = unexpected(exception);
    write_stderr(format_error(error));
    return error.code;
  }
}

}  // namespace sxb::launch
