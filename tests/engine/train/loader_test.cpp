#include "engine/train/loop/loader.h"

#include <gtest/gtest.h>

#include <set>

namespace sxb::engine::train {
namespace {

using data::kDocumentStartBit;
using data::kLossBit;
using data::kPaddingBit;

TEST(BatchBuilder, KeepsDocumentsApart) {
  // Two documents of 3 and 2 tokens, then padding of 1; only the marked words are predicted.
  const std::uint32_t words[6] = {5u | kDocumentStartBit, 6u | kLossBit, 7u | kLossBit,
                                  8u | kDocumentStartBit, 9u | kLossBit, 0u | kPaddingBit};
  BatchBuilder builder(1, 6);
  builder.add_row(words);
  const HostBatch batch = builder.finish();
  EXPECT_EQ(batch.token, (std::vector<std::int32_t>{5, 6, 7, 8, 9, 0}));
  EXPECT_EQ(batch.target, (std::vector<std::int32_t>{6, 7, -1, 9, -1, -1}));
  EXPECT_EQ(batch.position, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 0}));
  EXPECT_EQ(batch.start, (std::vector<std::int32_t>{0, 3, 5, 6}));
  EXPECT_EQ(batch.documents, 2);
  EXPECT_EQ(batch.tokens, 5);
  EXPECT_EQ(batch.loss_tokens, 3);
  EXPECT_EQ(batch.max_document, 3);
  EXPECT_EQ(batch.sum_len_sq, 13.0);
  EXPECT_FALSE(batch.whole_rows);
}

TEST(BatchBuilder, ALossBitOnAFirstTokenPredictsNothing) {
  const std::uint32_t words[4] = {5u | kDocumentStartBit, 6u, 7u | kDocumentStartBit | kLossBit, 8u};
  BatchBuilder builder(1, 4);
  builder.add_row(words);
  EXPECT_EQ(builder.finish().target, (std::vector<std::int32_t>{-1, -1, -1, -1}));
}

TEST(Loader, RanksShareTheGlobalBatchWithoutOverlap) {
  LoaderOptions one;
  one.micro_batch = 4, one.seq_len = 8, one.vocab = 100, one.seed = 3;
  const Loader whole(nullptr, one);
  for (std::int64_t step = 0; step < 3; ++step) {
    const HostBatch all = whole.build(step);
    std::vector<std::int32_t> joined;
    for (int rank = 0; rank < 2; ++rank) {
      LoaderOptions half = one;
      half.micro_batch = 2, half.world = 2, half.rank = rank;
      const Loader loader(nullptr, half);
      const HostBatch part = loader.build(step);
      joined.insert(joined.end(), part.token.begin(), part.token.end());
    }
    EXPECT_EQ(joined, all.token);
  }
}

TEST(Loader, ResumesWhereItStopped) {
  LoaderOptions options;
  options.micro_batch = 2, options.seq_len = 8, options.vocab = 100, options.seed = 3;
  Loader from_start(nullptr, options);
  std::vector<HostBatch> batches;
  for (int i = 0; i < 5; ++i) batches.push_back(from_start.next());
  options.first_micro_step = 3;
  Loader resumed(nullptr, options);
  EXPECT_EQ(resumed.next().token, batches[3].token);
  EXPECT_EQ(resumed.next().token, batches[4].token);
  EXPECT_NE(batches[3].token, batches[4].token);
}

}  // namespace
}  // namespace sxb::engine::train
