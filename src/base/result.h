// Errors that teach, and the type that carries them.
//
// Core modules return Result<T>; they do not throw. An Error says what went wrong, where (a file, a
// JSON pointer, a node), what to do about it, and which exit code the process should end with.
#pragma once

#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sxb {

/// Exit codes of the `sxbench` process. Documented in docs/exit-codes.md.
enum class ExitCode : int {
  kOk = 0,
  kTaskFailed = 1,    ///< a task ran and failed
  kUsage = 2,         ///< wrong flag, config or input
  kGoalMissed = 3,    ///< a goal or threshold was missed
  kEnvironment = 4,   ///< node unreachable, GPU lost, library missing
  kPartial = 5,       ///< some tasks have results, some have none
  kInterrupted = 130  ///< Ctrl-C
};

struct Error {
  std::string what;   ///< one sentence: what is wrong
  std::string where;  ///< "configs/clusters/x.json:/nodes/3/gpus", a path, a node; may be empty
  std::string help;   ///< what to do: the exact flag, key or command; may be empty
  ExitCode code = ExitCode::kUsage;
};

using Errors = std::vector<Error>;

/// "error: what\n  --> where\nhelp: help\n", the layout every message of sxbench has.
std::string format_error(const Error& error);
std::string format_errors(const Errors& errors);

/// What to tell of an exception that reached the end of a program: our own functions return errors, the
/// libraries below them may throw (no memory, a file system that went away, a stream that cannot be written).
Error unexpected(const std::exception& exception);

/// Stops the process: a bug in sxbench, not in its input.
[[noreturn]] void panic(const char* file, int line, const char* what);

/// Either a value or a non-empty list of errors. Configuration collects all of its errors before it
/// gives up, hence the list; most functions carry exactly one.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}              // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, Errors{std::move(error)}) {}  // NOLINT
  Result(Errors errors) : state_(std::in_place_index<1>, std::move(errors)) {}       // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    require_ok();
    return std::get<0>(state_);
  }
  const T& value() const& {
    require_ok();
    return std::get<0>(state_);
  }
  T&& value() && {
    require_ok();
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// The errors; empty if ok().
  const Errors& errors() const {
    static const Errors kNone;
    return ok() ? kNone : std::get<1>(state_);
  }
  /// The first error. Call only if !ok().
  const Error& error() const {
    if (ok()) panic(__FILE__, __LINE__, "Result::error() on a value");
    return std::get<1>(state_).front();
  }

 private:
  void require_ok() const {
    if (!ok()) panic(__FILE__, __LINE__, error().what.c_str());
  }
  std::variant<T, Errors> state_;
};

/// Result without a value.
struct Unit {};
using Status = Result<Unit>;
inline Status ok_status() { return Status(Unit{}); }

}  // namespace sxb

#define SXB_CONCAT_IMPL(a, b) a##b
#define SXB_CONCAT(a, b) SXB_CONCAT_IMPL(a, b)

/// Returns the errors of `expr` from the enclosing function, if it has any.
#define SXB_RETURN_IF_ERROR(expr)                                    \
  do {                                                               \
    auto&& sxb_status = (expr);                                      \
    if (!sxb_status.ok()) return ::sxb::Errors(sxb_status.errors()); \
  } while (false)

/// `SXB_ASSIGN_OR_RETURN(auto x, f());`: the value of f(), or its errors returned.
#define SXB_ASSIGN_OR_RETURN(lhs, expr) SXB_ASSIGN_OR_RETURN_IMPL(SXB_CONCAT(sxb_r_, __LINE__), lhs, expr)
#define SXB_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr)    \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return ::sxb::Errors(tmp.errors()); \
  lhs = std::move(tmp).value()
