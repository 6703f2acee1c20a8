#include "engine/locate/network.h"

#include <utility>

namespace sxb::engine::locate {

NetworkWatch::NetworkWatch(record::Device device, bool listen, const Emitter& emitter)
    : device_(std::move(device)), listen_(listen), emitter_(emitter) {
  if (!listen_) emit_device();
}

void NetworkWatch::begin() {
  if (listen_ && !heard_) log_.emplace("INIT,NET,P2P,SHM,GRAPH");
}

std::optional<comm::Transports> NetworkWatch::end(bool network) {
  if (!log_) return std::nullopt;
  comm::Transports transports = comm::parse_transports(log_->text());
  log_.reset();
  if (!network) {
    inside_ = std::move(transports);
    return std::nullopt;
  }
  // A ring of several nodes has one rank of each: it says nothing of the inside.
  transports.shared_memory = inside_.shared_memory;
  transports.intra_node = inside_.intra_node;
  device_.net = transports.net;
  heard_ = true;
  emit_device();
  return transports;
}

void NetworkWatch::emit_device() {
  if (emitted_) return;
  emitted_ = true;
  emitter_.emit(device_);
}

Json to_json(const comm::Transports& transports) {
  return {{"net", transports.net},
          {"gpu_direct", transports.gpu_direct},
          {"shared_memory", transports.shared_memory},
          {"intra_node", transports.intra_node}};
}

comm::Transports transports_of(const Json& json) {
  return {json.at("net").get<std::string>(), json.at("gpu_direct").get<bool>(),
          json.at("shared_memory").get<bool>(), json.at("intra_node").get<std::string>()};
}

}  // namespace sxb::engine::locate
