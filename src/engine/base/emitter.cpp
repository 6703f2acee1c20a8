#include "engine/base/emitter.h"

namespace sxb::engine {

void Emitter::send(const char* kind, const Json& data) const {
  emit_(user_, dump({{"kind", kind}, {"data", data}}).c_str());
}

}  // namespace sxb::engine
