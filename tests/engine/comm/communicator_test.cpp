// Every collective over Gloo against a result worked out by hand, on 1 to 4 ranks.
#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "engine/comm/group.h"
#include "engine/support/ranks.h"

namespace sxb::engine::comm {
namespace {

// Rank r's element i; products of four of them stay exact in every type.
double value(int rank, int i) { return 1 + (rank * 3 + i * 5) % 4; }

double reduced(RedOp op, int world, int i) {
  double result = value(0, i);
  for (int r = 1; r < world; ++r) {
    const double v = value(r, i);
    if (op == RedOp::kSum || op == RedOp::kAvg) result += v;
    if (op == RedOp::kProd) result *= v;
    if (op == RedOp::kMin) result = std::min(result, v);
    if (op == RedOp::kMax) result = std::max(result, v);
    if (op == RedOp::kMulSum) result += v * premul_scalar(r);
  }
  return op == RedOp::kAvg ? result / world : result;
}

template <typename T>
std::vector<T> input(int rank, int count) {
  std::vector<T> data(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) data[static_cast<std::size_t>(i)] = static_cast<T>(value(rank, i));
  return data;
}

template <typename T>
void expect_value(T actual, double expected, const std::string& where) {
  if constexpr (std::is_integral_v<T>) {
    EXPECT_EQ(actual, static_cast<T>(expected)) << where;
  } else {
    EXPECT_NEAR(actual, expected, 1e-6 * expected) << where;
  }
}

template <typename T>
void check_reductions(Communicator& comm, DType dtype) {
  const int n = comm.world();
  const int count = 1000;
  for (const RedOp op : {RedOp::kSum, RedOp::kProd, RedOp::kMin, RedOp::kMax, RedOp::kAvg, RedOp::kMulSum}) {
    const std::string where = std::string(dtype_name(dtype)) + " " + redop_name(op);
    const auto send = input<T>(comm.rank(), count * n);
    std::vector<T> recv(send.size());
    comm.all_reduce(send.data(), recv.data(), count * n, dtype, op, nullptr);
    auto in_place = send;
    comm.all_reduce(in_place.data(), in_place.data(), count * n, dtype, op, nullptr);
    EXPECT_EQ(send, input<T>(comm.rank(), count * n)) << where << ": the input was changed";
    for (int i = 0; i < count * n; ++i)
      expect_value(recv[static_cast<std::size_t>(i)], reduced(op, n, i), where);
    EXPECT_EQ(recv, in_place) << where;

    std::vector<T> chunk(static_cast<std::size_t>(count));
    comm.reduce_scatter(send.data(), chunk.data(), count, dtype, op, nullptr);
    auto both = send;
    T* own = both.data() + count * comm.rank();
    comm.reduce_scatter(both.data(), own, count, dtype, op, nullptr);
    for (int i = 0; i < count; ++i) {
      expect_value(chunk[static_cast<std::size_t>(i)], reduced(op, n, comm.rank() * count + i), where);
      EXPECT_EQ(chunk[static_cast<std::size_t>(i)], own[i]) << where;
    }

    for (int root = 0; root < n; ++root) {
      std::vector<T> total(send.size(), T(77));
      comm.reduce(send.data(), total.data(), count * n, dtype, op, root, nullptr);
      for (int i = 0; i < count * n; ++i) {
        const double expected = comm.rank() == root ? reduced(op, n, i) : 77;
        expect_value(total[static_cast<std::size_t>(i)], expected, where);
      }
    }
  }
}

void check_copies(Communicator& comm) {
  const int n = comm.world();
  const int me = comm.rank();
  const int count = 37;
  const auto send = input<float>(me, count);
  std::vector<float> gathered(static_cast<std::size_t>(count * n), -1);
  comm.all_gather(send.data(), gathered.data(), count, DType::kFloat32, nullptr);
  std::vector<float> in_place(gathered.size(), -1);
  std::copy(send.begin(), send.end(), in_place.begin() + me * count);
  comm.all_gather(in_place.data() + me * count, in_place.data(), count, DType::kFloat32, nullptr);
  EXPECT_EQ(gathered, in_place);

  const auto blocks = input<float>(me, count * n);
  std::vector<float> exchanged(blocks.size(), -1);
  comm.all_to_all(blocks.data(), exchanged.data(), count, DType::kFloat32, nullptr);
  auto exchanged_in_place = blocks;
  comm.all_to_all(exchanged_in_place.data(), exchanged_in_place.data(), count, DType::kFloat32, nullptr);
  EXPECT_EQ(exchanged, exchanged_in_place);
  for (int s = 0; s < n; ++s) {
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(s * count + i);
      EXPECT_EQ(gathered[at], static_cast<float>(value(s, i)));
      EXPECT_EQ(exchanged[at], static_cast<float>(value(s, me * count + i)));
    }
  }
  for (int root = 0; root < n; ++root) {
    auto data = input<float>(me, count);
    comm.broadcast(data.data(), data.data(), count, DType::kFloat32, root, nullptr);
    EXPECT_EQ(data, input<float>(root, count));

    std::vector<float> parts(static_cast<std::size_t>(count * n), -1);
    comm.gather(send.data(), parts.data(), count, DType::kFloat32, root, nullptr);
    EXPECT_EQ(parts, me == root ? gathered : std::vector<float>(parts.size(), -1));

    std::vector<float> part(static_cast<std::size_t>(count), -1);
    comm.scatter(blocks.data(), part.data(), count, DType::kFloat32, root, nullptr);
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(part[static_cast<std::size_t>(i)], static_cast<float>(value(root, me * count + i)));
    }
  }
}

/// Every rank sends two messages to every rank, itself too, in an order that would block without a group.
void check_group(Communicator& comm) {
  const int n = comm.world();
  std::vector<std::int64_t> sent(static_cast<std::size_t>(2 * n));
  std::vector<std::int64_t> received(sent.size(), -1);
  comm.group_begin();
  comm.group_begin();  // groups nest
  for (int peer = 0; peer < n; ++peer) {
    for (int message = 0; message < 2; ++message) {
      const auto at = static_cast<std::size_t>(2 * peer + message);
      sent[at] = 100 * comm.rank() + 10 * peer + message;
      comm.send(&sent[at], 1, DType::kInt64, peer, nullptr);
      comm.recv(&received[at], 1, DType::kInt64, peer, nullptr);
    }
  }
  comm.group_end();
  EXPECT_EQ(received, std::vector<std::int64_t>(received.size(), -1)) << "before the end of the group";
  comm.group_end();
  for (int peer = 0; peer < n; ++peer) {
    EXPECT_EQ(received[static_cast<std::size_t>(2 * peer)], 100 * peer + 10 * comm.rank());
    EXPECT_EQ(received[static_cast<std::size_t>(2 * peer + 1)], 100 * peer + 10 * comm.rank() + 1);
  }
}

void check_exchange(Communicator& comm) {
  const auto all = from_every_rank(comm, std::array<double, 3>{1.5 * comm.rank(), -1, 7});
  ASSERT_EQ(all.size(), static_cast<std::size_t>(comm.world()));
  for (int rank = 0; rank < comm.world(); ++rank) {
    EXPECT_EQ(all[static_cast<std::size_t>(rank)][0], 1.5 * rank);
    EXPECT_EQ(all[static_cast<std::size_t>(rank)][2], 7);
  }
}

class Gloo : public testing::TestWithParam<int> {};

TEST_P(Gloo, Reductions) {
  run_gloo(GetParam(), [](Communicator& comm) {
    check_reductions<float>(comm, DType::kFloat32);
    check_reductions<double>(comm, DType::kFloat64);
    check_reductions<std::int8_t>(comm, DType::kInt8);
    check_reductions<std::uint8_t>(comm, DType::kUint8);
    check_reductions<std::int32_t>(comm, DType::kInt32);
    check_reductions<std::int64_t>(comm, DType::kInt64);
  });
}

TEST_P(Gloo, Half) {
  run_gloo(GetParam(), [](Communicator& comm) {
    std::vector<std::uint16_t> data(64, 0x3c00);  // 1.0
    comm.all_reduce(data.data(), data.data(), 64, DType::kFloat16, RedOp::kSum, nullptr);
    const std::uint16_t sums[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400};  // 1, 2, 3, 4
    EXPECT_EQ(data, std::vector<std::uint16_t>(64, sums[comm.world()]));
  });
}

TEST_P(Gloo, Copies) { run_gloo(GetParam(), check_copies); }

TEST_P(Gloo, GroupsOfSendsAndReceives) { run_gloo(GetParam(), check_group); }
TEST_P(Gloo, ResultsOfEveryRank) { run_gloo(GetParam(), check_exchange); }

TEST_P(Gloo, SendAndReceiveInARing) {
  run_gloo(GetParam(), [](Communicator& comm) {
    if (comm.world() == 1) return;
    const int next = (comm.rank() + 1) % comm.world();
    const int previous = (comm.rank() + comm.world() - 1) % comm.world();
    const std::int64_t mine = 100 + comm.rank();
    std::int64_t theirs = 0;
    if (comm.rank() == 0) {
      comm.send(&mine, 1, DType::kInt64, next, nullptr);
      comm.recv(&theirs, 1, DType::kInt64, previous, nullptr);
    } else {
      comm.recv(&theirs, 1, DType::kInt64, previous, nullptr);
      comm.send(&mine, 1, DType::kInt64, next, nullptr);
    }
    EXPECT_EQ(theirs, 100 + previous);
  });
}

TEST_P(Gloo, ScalarsAndEmptyCalls) {
  run_gloo(GetParam(), [](Communicator& comm) {
    EXPECT_EQ(comm.max_over_ranks(-1.5 + comm.rank()), -1.5 + comm.world() - 1);
    EXPECT_EQ(comm.sum_over_ranks(1), comm.world());
    comm.all_reduce(nullptr, nullptr, 0, DType::kFloat32, RedOp::kSum, nullptr);
    comm.all_gather(nullptr, nullptr, 0, DType::kFloat32, nullptr);
    comm.reduce_scatter(nullptr, nullptr, 0, DType::kFloat32, RedOp::kSum, nullptr);
    comm.broadcast(nullptr, nullptr, 0, DType::kFloat32, 0, nullptr);
    comm.all_to_all(nullptr, nullptr, 0, DType::kFloat32, nullptr);
    comm.reduce(nullptr, nullptr, 0, DType::kFloat32, RedOp::kSum, 0, nullptr);
    comm.gather(nullptr, nullptr, 0, DType::kFloat32, 0, nullptr);
    comm.scatter(nullptr, nullptr, 0, DType::kFloat32, 0, nullptr);
  });
}

INSTANTIATE_TEST_SUITE_P(Worlds, Gloo, testing::Values(1, 2, 3, 4));

TEST(GlooDeterminism, SameInputsGiveTheSameBits) {
  std::vector<float> first(999);
  for (int run = 0; run < 2; ++run) {
    run_gloo(3, [&](Communicator& comm) {
      std::vector<float> data(999);
      for (std::size_t i = 0; i < data.size(); ++i) {
        data[i] = 1.0F / static_cast<float>(3 * i + 1 + static_cast<std::size_t>(comm.rank()));
      }
      comm.all_reduce(data.data(), data.data(), 999, DType::kFloat32, RedOp::kSum, nullptr);
      if (comm.rank() != 0) return;
      if (run == 0) first = data;
      EXPECT_EQ(first, data);
    });
  }
}

TEST(GlooErrors, BFloat16IsRefusedWithARemedy) {
  run_gloo(1, [](Communicator& comm) {
    std::uint16_t data = 0;
    try {
      comm.all_reduce(&data, &data, 1, DType::kBFloat16, RedOp::kSum, nullptr);
      FAIL() << "no error";
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "unsupported");
      EXPECT_NE(error.help.find("-d float"), std::string::npos);
    }
  });
}

TEST(GlooErrors, DeadPeerIsAnErrorAtOnce) {
  const int port = free_port();
  const auto begin = std::chrono::steady_clock::now();
  try {
    run_ranks(2, [&](int rank) {
      Rendezvous rendezvous(local_rendezvous(rank, 2, port));
      const auto comm = create_gloo_communicator(rendezvous, {});
      comm->barrier();
      if (rank == 1) return;  // closes its connections
      comm->max_over_ranks(1);
    });
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "gloo_error");
    EXPECT_NE(error.help.find("another rank has ended"), std::string::npos);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Names, AreThoseOfNcclTests) {
  EXPECT_EQ(parse_dtype("bfloat16"), DType::kBFloat16);
  EXPECT_STREQ(dtype_name(DType::kFloat16), "half");
  EXPECT_EQ(parse_redop("avg"), RedOp::kAvg);
  EXPECT_EQ(parse_dtype("f8e4m3"), DType::kFloat8E4M3);
  EXPECT_STREQ(redop_name(RedOp::kMulSum), "mulsum");
  try {
    parse_dtype("flaot");
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_NE(error.help.find("float"), std::string::npos);
    EXPECT_EQ(error.exit_code, ExitCode::kUsage);
  }
}

/// Two nodes of two: pairs of neighbours, and pairs of equal place, as hybrid sharding needs them.
TEST(Gloo, SplitsIntoCommunicatorsThatDoNotMix) {
  run_gloo(4, [](Communicator& world) {
    CommunicatorOptions options;
    options.name = "node";
    const auto node = world.split(world.rank() / 2, world.rank(), options);
    options.name = "across";
    const auto across = world.split(world.rank() % 2, world.rank(), options);
    EXPECT_EQ(node->world(), 2);
    EXPECT_EQ(node->rank(), world.rank() % 2);
    EXPECT_EQ(across->rank(), world.rank() / 2);
    EXPECT_EQ(node->sum_over_ranks(world.rank()), world.rank() < 2 ? 1 : 5);
    EXPECT_EQ(across->sum_over_ranks(world.rank()), world.rank() % 2 == 0 ? 2 : 4);
    EXPECT_EQ(world.sum_over_ranks(world.rank()), 6);
  });
}

TEST(Gloo, SplitOrdersByKey) {
  run_gloo(3, [](Communicator& world) {
    const auto turned = world.split(0, -world.rank(), {});
    EXPECT_EQ(turned->rank(), 2 - world.rank());
    const auto alone = world.split(world.rank(), 0, {});
    EXPECT_EQ(alone->world(), 1);
    EXPECT_EQ(alone->sum_over_ranks(7), 7);
  });
}

/// Ranks 0 and 2 meet; rank 1 takes no part in it.
TEST(Gloo, SomeRanksMakeACommunicatorWithoutTheOthers) {
  const int port = free_port();
  run_ranks(3, [&](int rank) {
    Rendezvous rendezvous(local_rendezvous(rank, 3, port));
    if (rank != 1) {
      CommunicatorOptions options;
      options.name = "outer";
      const auto pair = create_gloo_group(rendezvous, options, rank / 2, 2);
      EXPECT_EQ(pair->rank(), rank / 2);
      EXPECT_EQ(pair->sum_over_ranks(rank), 2);
    }
    create_gloo_communicator(rendezvous, {})->barrier();  // rank 0 serves the rendezvous until all are done
  });
}

TEST(Gloo, AGroupDoesNotWaitLongerForAPeerThatNeverComes) {
  const int port = free_port();
  const auto begin = std::chrono::steady_clock::now();
  Rendezvous rendezvous(local_rendezvous(0, 1, port));
  CommunicatorOptions options;
  options.timeout = std::chrono::milliseconds(200);
  EXPECT_THROW(create_gloo_group(rendezvous, options, 0, 2), EngineError);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, rendezvous.timeout() / 2);
}

}  // namespace
}  // namespace sxb::engine::comm
