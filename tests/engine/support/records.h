// What ranks on threads emit, kept for the test.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/json.h"

namespace sxb::engine {

struct Records {
  std::mutex mutex;
  std::vector<Json> list;

  static void add(void* user, const char* json) {
    auto* self = static_cast<Records*>(user);
    const std::lock_guard lock(self->mutex);
    self->list.push_back(Json::parse(json));
  }
  std::vector<Json> of(const std::string& kind) const {
    std::vector<Json> found;
    for (const Json& record : list) {
      if (record["kind"] == kind) found.push_back(record["data"]);
    }
    return found;
  }
};

}  // namespace sxb::engine
