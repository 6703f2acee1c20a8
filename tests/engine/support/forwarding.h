// A communicator that does what another one does, for tests to override a part of.
#pragma once

#include "engine/comm/communicator.h"

namespace sxb::engine {

class Forwarding : public comm::Communicator {
 public:
  explicit Forwarding(comm::Communicator& inner) : inner_(inner) {}
  int rank() const override { return inner_.rank(); }
  int world() const override { return inner_.world(); }
  const char* backend() const override { return inner_.backend(); }
  std::string version() const override { return inner_.version(); }
  void all_reduce(const void* s, void* r, std::int64_t n, DType d, RedOp o, Stream t) override {
    inner_.all_reduce(s, r, n, d, o, t);
  }
  void all_gather(const void* s, void* r, std::int64_t n, DType d, Stream t) override {
    inner_.all_gather(s, r, n, d, t);
  }
  void reduce_scatter(const void* s, void* r, std::int64_t n, DType d, RedOp o, Stream t) override {
    inner_.reduce_scatter(s, r, n, d, o, t);
  }
  void reduce(const void* s, void* r, std::int64_t n, DType d, RedOp o, int root, Stream t) override {
    inner_.reduce(s, r, n, d, o, root, t);
  }
  void broadcast(const void* s, void* r, std::int64_t n, DType d, int root, Stream t) override {
    inner_.broadcast(s, r, n, d, root, t);
  }
  void all_to_all(const void* s, void* r, std::int64_t n, DType d, Stream t) override {
    inner_.all_to_all(s, r, n, d, t);
  }
  void send(const void* b, std::int64_t n, DType d, int peer, Stream t) override {
    inner_.send(b, n, d, peer, t);
  }
  void recv(void* b, std::int64_t n, DType d, int peer, Stream t) override { inner_.recv(b, n, d, peer, t); }
  void group_begin() override { inner_.group_begin(); }
  void group_end() override { inner_.group_end(); }
  void copy(void* to, const void* from, std::int64_t bytes, Stream t) override {
    inner_.copy(to, from, bytes, t);
  }
  void synchronize(Stream stream) override { inner_.synchronize(stream); }
  void barrier() override { inner_.barrier(); }
  double max_over_ranks(double value) override { return inner_.max_over_ranks(value); }
  double sum_over_ranks(double value) override { return inner_.sum_over_ranks(value); }
  std::vector<char> exchange(const void* data, std::int64_t bytes) override {
    return inner_.exchange(data, bytes);
  }
  std::unique_ptr<comm::Communicator> split(int color, int key,
                                            const comm::CommunicatorOptions& options) override {
    return inner_.split(color, key, options);
  }

 protected:
  comm::Communicator& inner_;
};

}  // namespace sxb::engine
