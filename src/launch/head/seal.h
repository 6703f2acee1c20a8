// What a run was asked for, as a hash, and whether a run record still has it.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "record/kinds/run.h"

namespace sxb::launch {

/// Of what a run was asked for: the resolved cluster, without the values of secrets, and the tasks.
std::string config_hash_of(const Json& cluster, const Json& plan);

/// A plan says which program the head starts, so it is taken only as the head itself has written it: the run
/// record must have the hash that manifest.json in `dir` was given when the run began. That manifest.
Result<Json> sealed_manifest(const std::filesystem::path& dir, const record::Run& run);

}  // namespace sxb::launch
