#include "engine/locate/network.h"

#include <utility>

namespace sxb::engine {

NetworkWatch::NetworkWatch(Json device, bool listen, const Emitter& emitter)
    : device_(std::move(device)), listen_(listen), emitter_(emitter) {
  if (!listen_) emit_device();
}

void NetworkWatch::begin() {
  if (listen_ && !heard_) log_.emplace("INIT,NET,P2P,SHM,GRAPH");
}

std::optional<Transports> NetworkWatch::end(bool network) {
  if (!log_) return std::nullopt;
  Transports transports = parse_transports(log_->text());
  log_.reset();
  if (!network) {
    inside_ = std::move(transports);
    return std::nullopt;
  }
  // A ring of several nodes has one rank of each: it says nothing of the inside.
  transports.shared_memory = inside_.shared_memory;
  transports.intra_node = inside_.intra_node;
  if (!transports.net.empty()) device_["net"] = transports.net;
  heard_ = true;
  emit_device();
  return transports;
}

void NetworkWatch::emit_device() {
  if (emitted_) return;
  emitted_ = true;
  emitter_.record("device", device_);
}

Json to_json(const Transports& transports) {
  return {{"net", transports.net},
          {"gpu_direct", transports.gpu_direct},
          {"shared_memory", transports.shared_memory},
          {"intra_node", transports.intra_node}};
}

Transports transports_of(const Json& json) {
  return {json.at("net").get<std::string>(), json.at("gpu_direct").get<bool>(),
          json.at("shared_memory").get<bool>(), json.at("intra_node").get<std::string>()};
}

}  // namespace sxb::engine
