// Collectives that are a group of sends and receives where the library has no better.
#include "engine/comm/communicator.h"

namespace sxb::engine::comm {

void Communicator::gather(const void* from, void* to, std::int64_t count, DType dtype, int root,
                          Stream stream) {
  const std::int64_t bytes = count * dtype_size(dtype);
  group_begin();
  send(from, count, dtype, root, stream);
  for (int peer = 0; rank() == root && peer < world(); ++peer) {
    recv(static_cast<char*>(to) + peer * bytes, count, dtype, peer, stream);
  }
  group_end();
}

void Communicator::scatter(const void* from, void* to, std::int64_t count, DType dtype, int root,
                           Stream stream) {
  const std::int64_t bytes = count * dtype_size(dtype);
  group_begin();
  for (int peer = 0; rank() == root && peer < world(); ++peer) {
    send(static_cast<const char*>(from) + peer * bytes, count, dtype, peer, stream);
  }
  recv(to, count, dtype, root, stream);
  group_end();
}

}  // namespace sxb::engine::comm
