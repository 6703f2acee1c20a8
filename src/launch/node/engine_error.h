// Why the engine could not be loaded, and what to do about it.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace sxb::launch {

/// How to get an engine at all.
extern const char* const kEngineRemedy;

/// `loader`: what dlopen() says of the engine at `path`. `wheels`: the folder of libtorch and CUDA that
/// engines of this build look into beside their own tree; empty if there is none.
Error engine_load_error(const std::string& loader, const std::filesystem::path& path,
                        const std::filesystem::path& wheels);
/// The same for this build.
Error engine_load_error(const std::string& loader, const std::filesystem::path& path);

}  // namespace sxb::launch
