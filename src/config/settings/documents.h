// What is written from the tables of settings: configs/schema and the tables of docs/configuration.md. A test
// holds the files against it; SXB_UPDATE_GOLDENS=1 with that test writes them.
#pragma once

#include <string>

#include "config/settings/flags.h"

namespace sxb::config {

/// configs/schema/cluster.schema.json or model.schema.json.
std::string schema_document(Document document);

/// The page with the text between each "<!-- settings:NAME -->" and the next "<!-- /settings -->" made new.
/// NAME is cluster, model or flags. Panics at any other name.
std::string with_settings_tables(const std::string& page);

}  // namespace sxb::config
