// What NCCL connects a rank with, heard while the search's groups first connect.
#pragma once

#include <optional>

#include "base/json.h"
#include "engine/base/emitter.h"
#include "engine/comm/nccl/nccl_log.h"
#include "record/kinds/node.h"

namespace sxb::engine::locate {

/// Listens until a group that reaches other nodes has been used once, then emits the rank's "device" record.
/// A search cannot connect all ranks first, as other phases do: it must go on where a link is cut.
class NetworkWatch {
 public:
  /// `device`: what is known so far. `listen`: false where NCCL reaches no other node; the record is
  /// then emitted now.
  NetworkWatch(record::Device device, bool listen, const Emitter& emitter);
  /// A search that broke off has the record too.
  ~NetworkWatch() { emit_device(); }
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  /// Around connecting and first use of a group; `network`: of several nodes.
  void begin();
  /// What was heard, once: at the end of the first group of several nodes.
  std::optional<comm::Transports> end(bool network);

 private:
  /// With what is known; once.
  void emit_device();

  record::Device device_;
  bool listen_;
  const Emitter& emitter_;
  bool emitted_ = false;
  comm::Transports inside_;  ///< of the node
  bool heard_ = false;
  std::optional<comm::NcclLog> log_;
};

Json to_json(const comm::Transports& transports);
comm::Transports transports_of(const Json& json);

}  // namespace sxb::engine::locate
