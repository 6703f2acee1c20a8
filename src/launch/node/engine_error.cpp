#include "launch/node/engine_error.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/shell.h"

namespace sxb::launch {
namespace fs = std::filesystem;

// Given to this file alone (scripts/cmake/SxbInstall.cmake).
#ifndef SXB_WHEELS
#define SXB_WHEELS ""
#endif

const char* const kEngineRemedy =
    "build sxbench with its engine (scripts/setup.sh, then cmake --preset release), install both files "
    "together, "
    "or set SXBENCH_ENGINE_LIB";

Error engine_load_error(const std::string& loader, const fs::path& path, const fs::path& wheels) {
  Error error = {"cannot load the engine: " + loader, path.string(), kEngineRemedy, ExitCode::kEnvironment};
  // "libtorch_cuda.so: cannot open shared object file: No such file or directory"
  const std::size_t end = loader.find(": cannot open shared object file");
  if (end == std::string::npos || wheels.empty()) return error;
  const fs::path own = path.parent_path() / "libtorch";
  std::error_code ec;
  if (fs::exists(own, ec)) {
    error.what += fmt::format("; {} is not whole, or not readable for this user", own.string());
  } else if (::access((wheels / "torch" / "lib").c_str(), R_OK | X_OK) == 0) {
    return error;  // neither place lacks libtorch: the library is another one
  } else if (errno == EACCES) {
    error.what +=
        fmt::format("; it is in {}, which this user may not read, and not in the tree", wheels.string());
  } else {
    error.what +=
        fmt::format("; it is neither in the tree nor in {}, where it was at the build", wheels.string());
  }
  error.help = fmt::format(
      "the user who built it puts it into the tree: cmake --install build/release --prefix {} --component "
      "libtorch",
      shell_line({path.parent_path().parent_path().string()}));
  return error;
}

Error engine_load_error(const std::string& loader, const fs::path& path) {
  return engine_load_error(loader, path, SXB_WHEELS);
}

}  // namespace sxb::launch
