// Whether a run record is the one that the head wrote.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "record/kinds/run.h"

namespace sxb::launch {

/// A plan says which program the head starts, so it is taken only as the head itself has written it: the run
/// record must have the hash that manifest.json was given when the run began.
Status check_seal(const std::filesystem::path& dir, const record::Run& run);

}  // namespace sxb::launch
