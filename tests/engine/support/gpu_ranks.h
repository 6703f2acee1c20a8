// Runs a function as the ranks of one task on GPUs: one process per GPU, which sees that one alone, as
// in a run. The parent never touches CUDA.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "engine/support/ranks.h"

namespace sxb::engine {

/// Runs the body in a child process, which ends with the code it returns.
inline pid_t start_child(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  int code = 1;
  try {
    code = body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
  }
  std::fflush(nullptr);
  _exit(code);
}

inline int exit_code_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// The body in one child per GPU; expectations that fail there fail the test here.
inline void on_every_gpu(const std::function<void(int rank, int world)>& body) {
  const int gpus = exit_code_of(start_child([] {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
  }));
  ASSERT_GT(gpus, 0) << "no GPU: exclude the label gpu";
  std::vector<pid_t> children;
  for (int rank = 0; rank < gpus; ++rank) {
    children.push_back(start_child([&] {
      setenv("CUDA_VISIBLE_DEVICES", std::to_string(rank).c_str(), 1);
      body(rank, gpus);
      return testing::Test::HasFailure() ? 1 : 0;
    }));
  }
  for (std::size_t rank = 0; rank < children.size(); ++rank) {
    EXPECT_EQ(exit_code_of(children[rank]), 0) << "rank " << rank;
  }
}

/// on_every_gpu with an NCCL communicator for each.
inline void run_nccl(const std::function<void(comm::Communicator&)>& body) {
  const int port = free_port();
  on_every_gpu([&](int rank, int world) {
    auto options = local_rendezvous(rank, world, port);
    options.timeout = std::chrono::seconds(60);
    comm::Rendezvous rendezvous(options);
    const auto comm = comm::create_nccl_communicator(rendezvous, {});
    body(*comm);
    comm->barrier();
    rendezvous.leave(options.timeout);  // as a task ends
  });
}

}  // namespace sxb::engine
