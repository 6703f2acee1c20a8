#include "launch/node/rank.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "base/build_info.h"
#include "base/files.h"
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

/// SxbEmit: wraps what the engine says into a record. No exception may pass into the engine.
void emit_from_engine(void* user, const char* text) {
  auto& emitter = *static_cast<Emitter*>(user);
  if (auto record = record_of(text)) return emitter.emit(record->kind, std::move(record->data));
  emitter.emit_error("engine_record", {"the engine sent something that is no record: " + std::string(text),
                                       "", "", ExitCode::kTaskFailed});
}

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
  struct Receiver {
    const std::function<void(const Json&)>& take;
    std::exception_ptr thrown;
  } receiver = {take, nullptr};
  // No exception may pass through the engine: the first one waits until it has returned.
  const auto emit = [](void* user, const char* text) {
    auto& to = *static_cast<Receiver*>(user);
    try {
      if (to.thrown == nullptr) to.take(parse_json(text, "the engine").value());
    } catch (...) {
      to.thrown = std::current_exception();
    }
  };
  const int code = engine->bench_kernels(dump(plan::to_json(task)).c_str(), emit, &receiver);
  if (receiver.thrown != nullptr) std::rethrow_exception(receiver.thrown);
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
  return as_exit_code((*engine)->run_rank(text.c_str(), emit_from_engine, &emitter));
}

/// `records`: the descriptor that wire lines go to.
ExitCode run_rank(int records) {
  const auto read_task = []() -> Result<plan::RankTask> {
    SXB_ASSIGN_OR_RETURN(const std::string line, read_line(STDIN_FILENO, "a rank task"));
    SXB_ASSIGN_OR_RETURN(const Json json, parse_json(line, "stdin"));
    return plan::parse_rank_task(json, "stdin");
  };
  const Result<plan::RankTask> task = read_task();
  if (!task.ok()) {
    fmt::print(stderr, "{}", format_errors(task.errors()));
    return ExitCode::kUsage;
  }
  Emitter emitter(records, {task->task.id, task->node, task->rank, task->nonce});
  const Heartbeat heartbeat(emitter);
  const ExitCode code = run_engine(*task, emitter);
  emitter.end(record::RankEnd{static_cast<int>(code), {}, ""});
  return code;
}

}  // namespace

ExitCode run_rank_worker() {
  ::signal(SIGPIPE, SIG_IGN);
  const int records = take_stdout();
  try {
    return run_rank(records);
  } catch (const std::exception& exception) {
    // The agent shows the last lines of a rank that failed.
    const Error error = unexpected(exception);
    std::fputs(format_error(error).c_str(), stderr);
    return error.code;
  }
}

}  // namespace sxb::launch
