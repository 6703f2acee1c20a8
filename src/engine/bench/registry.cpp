#include "engine/bench/collective.h"
#include "sxbench/base/text.h"

namespace sxb::engine {

extern const Collective kAllReduce;
extern const Collective kAllGather;
extern const Collective kReduceScatter;
extern const Collective kBroadcast;

const std::vector<const Collective*>& collectives() {
  static const std::vector<const Collective*> list = {&kAllReduce, &kAllGather, &kReduceScatter, &kBroadcast};
  return list;
}

const Collective& find_collective(const std::string& name) {
  std::vector<std::string> known;
  for (const Collective* collective : collectives()) {
    if (name == collective->name) return *collective;
    known.emplace_back(collective->name);
  }
  throw EngineError("collective \"" + name + "\" is not known", "bad_argument", suggest(name, known),
                    ExitCode::kUsage);
}

}  // namespace sxb::engine
