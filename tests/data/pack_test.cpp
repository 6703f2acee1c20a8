#include "data/pack.h"

#include <gtest/gtest.h>

namespace sxb::data {
namespace {

constexpr std::uint32_t kStart = kDocumentStartBit;
constexpr std::uint32_t kLoss = kLossBit;
constexpr std::uint32_t kPad = kPaddingBit;

// A document of `size` words: BOS 1, prompt tokens of `id`, one response token, EOS 2.
Document document(std::size_t size, int id) {
  return make_document(std::vector<int>(size - 2, id), size - 3, 1, 2);
}

TEST(MakeDocument, OnlyResponseAndEosCountInTheLoss) {
  EXPECT_EQ(make_document({10, 11, 12, 20, 21}, 3, 1, 2),
            (Document{1 | kStart, 10, 11, 12, 20 | kLoss, 21 | kLoss, 2 | kLoss}));
}

TEST(MakeDocument, EmptyResponseStillTeachesEos) {
  EXPECT_EQ(make_document({10, 11}, 2, 1, 2), (Document{1 | kStart, 10, 11, 2 | kLoss}));
}

TEST(Pack, FillsRowsAndPadsTheRest) {
  const Packed packed = pack({document(4, 10), document(5, 11), document(3, 12)}, 8);
  const std::vector<std::uint32_t> first = {1 | kStart, 10, 10 | kLoss, 2 | kLoss, kPad, kPad, kPad, kPad};
  const std::vector<std::uint32_t> second = {1 | kStart, 11,         11,         11 | kLoss,
                                             2 | kLoss,  1 | kStart, 12 | kLoss, 2 | kLoss};
  ASSERT_EQ(packed.words.size(), 16u);
  EXPECT_EQ(std::vector(packed.words.begin(), packed.words.begin() + 8), first);
  EXPECT_EQ(std::vector(packed.words.begin() + 8, packed.words.end()), second);
  EXPECT_EQ(packed.counts.documents, 3);
  EXPECT_EQ(packed.counts.rows, 2);
  EXPECT_EQ(packed.counts.tokens, 12);
  EXPECT_EQ(packed.counts.loss_tokens, 6);
  EXPECT_EQ(packed.counts.padding, 4);
  EXPECT_EQ(packed.counts.truncated, 0);
}

TEST(Pack, PrefersTheTightestRow) {
  // Rows with 4, 3 and 3 free words: the document of 3 goes into the older of the tight ones.
  const Packed packed = pack({document(6, 10), document(7, 11), document(7, 12), document(3, 13)}, 10);
  EXPECT_EQ(packed.counts.rows, 3);
  EXPECT_EQ(packed.words[10 + 7], 1 | kStart);
  EXPECT_EQ(packed.words[10 + 8], 13 | kLoss);
}

TEST(Pack, CutsLongDocumentsAndCountsThem) {
  const Document long_response = make_document({10, 20, 21, 22}, 1, 1, 2);
  const Packed packed = pack({long_response, document(4, 11)}, 4);
  EXPECT_EQ(packed.counts.truncated, 1);
  EXPECT_EQ(packed.counts.left_out, 0);
  EXPECT_EQ(packed.counts.documents, 2);
  EXPECT_EQ(packed.counts.rows, 2);
  EXPECT_EQ(packed.counts.padding, 0);
  EXPECT_EQ(packed.words[3], 21 | kLoss);  // the cut one ends within its response
  EXPECT_EQ(packed.words[4], 1 | kStart);  // and the next starts its own row
  EXPECT_EQ(packed.words[7], 2 | kLoss);
}

// A row of them would be a step without a loss.
TEST(Pack, LeavesOutDocumentsOfWhichNothingWouldBeLearned) {
  // Three prompts of 3, 4 and 7 tokens behind BOS: of the first the response's first token fits, no more.
  const Packed packed = pack({make_document({10, 10, 20}, 2, 1, 2), make_document({11, 11, 11, 20}, 3, 1, 2),
                              make_document(std::vector<int>(8, 12), 7, 1, 2)},
                             4);
  EXPECT_EQ(packed.counts.documents, 1);
  EXPECT_EQ(packed.counts.truncated, 1);
  EXPECT_EQ(packed.counts.left_out, 2);
  EXPECT_EQ(packed.words, (std::vector<std::uint32_t>{1 | kStart, 10, 10, 20 | kLoss}));
  EXPECT_EQ(packed.counts.loss_tokens, 1);
}

TEST(Pack, CountsWhatTheTokenizerDoesNotKnow) {
  const std::vector<Document> documents = {make_document({10, 0, 0}, 1, 1, 2),
                                           make_document({0, 11}, 1, 1, 2)};
  EXPECT_EQ(pack(documents, 8, 0).counts.unknown, 3) << "padding, which has the id 0, is none";
  EXPECT_EQ(pack(documents, 8).counts.unknown, 0);
}

// Whatever the lengths: every document comes out whole, contiguous and in one row.
TEST(Pack, NeverSplitsOrMixesDocuments) {
  std::vector<Document> documents;
  for (int i = 0; i < 300; ++i)
    documents.push_back(document(static_cast<std::size_t>(3 + i * 37 % 61), 100 + i));
  constexpr std::int64_t kRow = 64;
  const Packed packed = pack(documents, kRow);
  std::vector<int> seen(documents.size());
  for (std::size_t i = 0; i < packed.words.size();) {
    if (packed.words[i] == kPad) {
      ++i;
      continue;
    }
    ASSERT_EQ(packed.words[i], 1 | kStart);
    const std::size_t index = (packed.words[i + 1] & kTokenMask) - 100;
    ASSERT_LT(index, documents.size());
    const Document& expected = documents[index];
    ASSERT_EQ(i / kRow, (i + expected.size() - 1) / kRow) << "document " << index << " crosses a row";
    ASSERT_TRUE(
        std::equal(expected.begin(), expected.end(), packed.words.begin() + static_cast<std::ptrdiff_t>(i)));
    ++seen[index];
    i += expected.size();
  }
  for (const int count : seen) EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace sxb::data
