#include "launch/head/seal.h"

#include "base/hash.h"

namespace sxb::launch {

std::string config_hash_of(const Json& cluster, const Json& plan) {
  return hash_hex(canonical_json({{"cluster", cluster}, {"plan", plan}}));
}

Result<Json> sealed_manifest(const std::filesystem::path& dir, const record::Run& run) {
  const std::filesystem::path path = dir / "manifest.json";
  SXB_ASSIGN_OR_RETURN(Json manifest, load_json(path));
  const auto sealed = manifest.is_object() ? manifest.find("config_hash") : manifest.end();
  const std::string told = sealed != manifest.end() && sealed->is_string() ? sealed->get<std::string>() : "";
  const std::string is = config_hash_of(run.cluster, run.plan);
  if (told == is && run.config_hash == is) return manifest;
  return Error{"the plan in records.jsonl is not the one that this run was started with", path.string(),
               "nothing of it is started: records.jsonl or manifest.json was changed; make a new run"};
}

}  // namespace sxb::launch
