// Runs a function as the ranks of one task, on threads of this process (each with its own sockets).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "engine/comm/communicator.h"
#include "engine/comm/rendezvous.h"

namespace sxb::engine {

/// A TCP port that is free at the moment.
inline int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || getsockname(fd, generic, &size) != 0) std::abort();
  close(fd);
  return ntohs(address.sin_port);
}

inline comm::RendezvousOptions local_rendezvous(int rank, int world, int port) {
  comm::RendezvousOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  options.token = "00112233445566778899aabbccddeeff";
  options.build_id = "test";
  options.node = "node" + std::to_string(rank);
  options.rank = rank;
  options.world = world;
  options.timeout = std::chrono::seconds(20);
  return options;
}

/// Calls body(rank) on `world` threads; rethrows the exception of the lowest rank that threw.
inline void run_ranks(int world, const std::function<void(int rank)>& body) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(world));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        body(rank);
      } catch (...) {
        errors[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

/// run_ranks with a Gloo communicator for each.
inline void run_gloo(int world, const std::function<void(comm::Communicator&)>& body) {
  const int port = free_port();
  run_ranks(world, [&](int rank) {
    comm::Rendezvous rendezvous(local_rendezvous(rank, world, port));
    const auto comm = comm::create_gloo_communicator(rendezvous, {});
    body(*comm);
    comm->barrier();  // rank 0 serves the rendezvous until all are done
  });
}

}  // namespace sxb::engine
