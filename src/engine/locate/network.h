// What NCCL connects a rank with, heard while the search's groups first connect.
#pragma once

#include <optional>

#include "base/json.h"
#include "engine/base/emitter.h"
#include "engine/comm/nccl/nccl_log.h"

namespace sxb::engine {

/// Listens until a group that reaches other nodes has been used once, then emits the rank's "device" record.
/// A search cannot connect all ranks first, as other phases do: it must go on where a link is cut.
class NetworkWatch {
 public:
  /// `device`: the record's fields so far. `listen`: false where NCCL reaches no other node; the record is
  /// then emitted now.
  NetworkWatch(Json device, bool listen, const Emitter& emitter);
  /// A search that broke off has the record too.
  ~NetworkWatch() { emit_device(); }
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  /// Around connecting and first use of a group; `network`: of several nodes.
  void begin();
  /// What was heard, once: at the end of the first group of several nodes.
  std::optional<Transports> end(bool network);

 private:
  /// With what is known; once.
  void emit_device();

  Json device_;
  bool listen_;
  const Emitter& emitter_;
  bool emitted_ = false;
  Transports inside_;  ///< of the node
  bool heard_ = false;
  std::optional<NcclLog> log_;
};

Json to_json(const Transports& transports);
Transports transports_of(const Json& json);

}  // namespace sxb::engine
