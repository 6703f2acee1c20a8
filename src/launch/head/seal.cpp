#include "launch/head/seal.h"

#include "base/hash.h"
#include "base/json.h"

namespace sxb::launch {

Status check_seal(const std::filesystem::path& dir, const record::Run& run) {
  const std::filesystem::path path = dir / "manifest.json";
  SXB_ASSIGN_OR_RETURN(const Json manifest, load_json(path));
  const auto sealed = manifest.is_object() ? manifest.find("config_hash") : manifest.end();
  const std::string told = sealed != manifest.end() && sealed->is_string() ? sealed->get<std::string>() : "";
  const std::string is = hash_hex(canonical_json({{"cluster", run.cluster}, {"plan", run.plan}}));
  if (told == is && run.config_hash == is) return ok_status();
  return Error{"the plan in records.jsonl is not the one that this run was started with", path.string(),
               "nothing of it is started: records.jsonl or manifest.json was changed; make a new run"};
}

}  // namespace sxb::launch
