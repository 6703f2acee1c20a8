// Every kind of record.
#pragma once

#include "record/kinds/checkpoint.h"  // IWYU pragma: export
#include "record/kinds/collective.h"  // IWYU pragma: export
#include "record/kinds/gpu.h"         // IWYU pragma: export
#include "record/kinds/locate.h"      // IWYU pragma: export
#include "record/kinds/node.h"        // IWYU pragma: export
#include "record/kinds/run.h"         // IWYU pragma: export
#include "record/kinds/saved.h"       // IWYU pragma: export
#include "record/kinds/training.h"    // IWYU pragma: export
