// The one exception of the engine; engine.cpp turns it into a record at the border.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "base/result.h"

namespace sxb::engine {

/// What went wrong on this rank, with the exit code and remedy that the user sees.
class EngineError : public std::runtime_error {
 public:
  EngineError(const std::string& what, std::string code_name, std::string remedy = "",
              ExitCode exit = ExitCode::kTaskFailed)
      : std::runtime_error(what), code(std::move(code_name)), help(std::move(remedy)), exit_code(exit) {}
  std::string code;  ///< stable short name, e.g. "nccl_error", "nan_loss"
  std::string help;
  ExitCode exit_code;
};

}  // namespace sxb::engine
