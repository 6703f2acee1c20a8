// How many files this process may have open.
#pragma once

#include "base/result.h"

namespace sxb::rendezvous {

/// Raises the limit of this process so that it may open `count` files beside its others. Error if it cannot.
Status need_descriptors(long count);

}  // namespace sxb::rendezvous
