// Sends records of this rank to the worker.
#pragma once

#include <string>

#include "base/json.h"
#include "record/kinds/run.h"
#include "record/typed.h"
#include "sxbench/engine.h"

namespace sxb::engine {

class Emitter {
 public:
  Emitter(SxbEmit callback, void* user) : emit_(callback), user_(user) {}

  /// `fields`: a struct of src/record/kinds.
  template <typename Kind>
  void emit(const Kind& fields) const {
    send(Kind::kKind, record::write(fields));
  }
  /// A record::Finding. `severity`: error, warning or info.
  void finding(const std::string& severity, const std::string& code, const std::string& message,
               const std::string& help) const {
    emit(record::Finding{severity, code, message, help});
  }
  /// Of a kind that no journal holds.
  void send(const char* kind, const Json& data) const;

 private:
  SxbEmit emit_;
  void* user_;
};

}  // namespace sxb::engine
