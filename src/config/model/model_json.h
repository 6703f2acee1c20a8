// Pieces of the model reader that live in files of their own.
#pragma once

#include "config/model/model.h"
#include "config/reader.h"

namespace sxb::config {

/// True for a config.json of the transformers library.
bool is_hugging_face(const Json& json);
/// Its dimensions as a Model with the default recipe. Refuses what our Llama-2 cannot compute.
Result<Model> from_hugging_face(const Json& json, const std::string& where);

/// Keys that would change the mathematics and are set.
void refuse_changing_keys(ObjectReader& reader);
/// What is to be said of a config.json that is taken: keys that are set and that nobody here knows.
Errors hugging_face_warnings(const Json& json, const std::string& where);

}  // namespace sxb::config
