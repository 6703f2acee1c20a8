// The table of a model file's settings.
#pragma once

#include "config/model/model.h"
#include "config/table.h"

namespace sxb::config {

const Table<Model>& model_settings();

}  // namespace sxb::config
