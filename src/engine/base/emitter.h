// Sends records of this rank to the worker.
#pragma once

#include <string>

#include "base/json.h"
#include "sxbench/engine.h"

namespace sxb::engine {

class Emitter {
 public:
  Emitter(SxbEmit emit, void* user) : emit_(emit), user_(user) {}

  /// `kind` and the fields of `data`: src/record/fields.cpp.
  void record(const std::string& kind, Json data) const {
    Json json;
    json["kind"] = kind;
    json["data"] = std::move(data);
    // Text from a library (an error message) may not be UTF-8: replaced, because dump() would throw.
    emit_(user_, json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  }

  /// `severity`: error, warning or info.
  void finding(const std::string& severity, const std::string& code, const std::string& message,
               const std::string& help) const {
    record("finding", {{"severity", severity}, {"code", code}, {"message", message}, {"help", help}});
  }

 private:
  SxbEmit emit_;
  void* user_;
};

}  // namespace sxb::engine
