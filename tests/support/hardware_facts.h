// The shipped hardware tables, for tests of what is derived from them.
#pragma once

#include "analysis/read/hardware.h"

namespace sxb::testing {

config::Interconnects shipped_paths();
/// Shipped GPU types and paths.
analysis::Hardware shipped_hardware();

}  // namespace sxb::testing
