#include "base/text.h"
#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kAllReduce;
extern const Collective kAllGather;
extern const Collective kReduceScatter;
extern const Collective kAllToAll;
extern const Collective kAllToAllV;
extern const Collective kBroadcast;
extern const Collective kReduce;
extern const Collective kGather;
extern const Collective kScatter;
extern const Collective kSendRecv;
extern const Collective kHypercube;

const std::vector<const Collective*>& collectives() {
  static const std::vector<const Collective*> list = {&kAllReduce, &kAllGather, &kReduceScatter, &kAllToAll,
                                                      &kAllToAllV, &kBroadcast, &kReduce,        &kGather,
                                                      &kScatter,   &kSendRecv,  &kHypercube};
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

}  // namespace sxb::engine::bench
