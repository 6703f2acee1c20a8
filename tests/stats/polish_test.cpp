#include "stats/polish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sxb::stats {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Cells as an additive model makes them.
PairMatrix made_of(double centre, const std::vector<double>& rows) {
  PairMatrix matrix(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = i + 1; j < rows.size(); ++j) matrix.set(i, j, centre + rows[i] + rows[j]);
  }
  return matrix;
}

TEST(MedianPolish, GivesBackWhatAnAdditiveMatrixIsMadeOf) {
  const std::vector<double> rows = {0, -0.7, 0, 0, -0.1, 0, 0};
  const Polish fit = median_polish(made_of(3.5, rows));
  EXPECT_NEAR(fit.centre, 3.5, 1e-9);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(*fit.row[i], rows[i], 1e-9) << i;
  for (std::size_t i = 1; i < rows.size(); ++i) EXPECT_NEAR(*fit.residual.get(0, i), 0, 1e-9) << i;
}

TEST(MedianPolish, LeavesASingleLowCellToTheResidual) {
  for (const std::size_t size : {3u, 4u, 5u, 8u}) {
    PairMatrix matrix = made_of(1, std::vector<double>(size, 0));
    matrix.set(0, 2, 1 - 1.1);
    const Polish fit = median_polish(matrix);
    EXPECT_NEAR(*fit.residual.get(0, 2), -1.1, 1e-9) << size;
    EXPECT_NEAR(*fit.residual.get(2, 0), -1.1, 1e-9) << size;
    for (std::size_t i = 0; i < size; ++i) EXPECT_NEAR(*fit.row[i], 0, 1e-9) << size;
  }
}

/// The bandwidth of a pair is the less of both ends, not their product: cells of two low rows lie above the
/// fit.
TEST(MedianPolish, AMinorityOfLowRowsLeavesTheOthersAlone) {
  const std::vector<double> rows = {-1.1, 0, 0, -1.1, 0};
  PairMatrix matrix(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = i + 1; j < rows.size(); ++j) matrix.set(i, j, std::min(rows[i], rows[j]));
  }
  const Polish fit = median_polish(matrix);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(*fit.row[i], rows[i], 1e-9) << i;
  EXPECT_GT(*fit.residual.get(0, 3), 0);
}

TEST(MedianPolish, TakesCellsThatWereNotMeasured) {
  PairMatrix matrix(4);
  matrix.set(0, 1, 2);
  matrix.set(1, 2, 2);
  const Polish fit = median_polish(matrix);
  EXPECT_NEAR(fit.centre, 2, 1e-9);
  EXPECT_FALSE(fit.row[3]);
  EXPECT_FALSE(fit.residual.get(0, 2));
  EXPECT_TRUE(median_polish(PairMatrix(3)).row.size() == 3 && !median_polish(PairMatrix(3)).row[0]);
}

TEST(LowOutliers, AreLowAndFarAndNeverHigh) {
  const double half = std::log(0.5);
  EXPECT_THAT(low_outliers(std::vector<double>{0, 0, half, 0}), ElementsAre(2));
  EXPECT_THAT(low_outliers(std::vector<double>{0, 0, -half, 0}), IsEmpty());
  EXPECT_THAT(low_outliers(std::vector<double>{0, 0, std::log(0.96), 0}), IsEmpty()) << "certain, but small";
  EXPECT_THAT(low_outliers(std::vector<double>{0, half}), IsEmpty()) << "of two nobody knows which is right";
  EXPECT_THAT(low_outliers(std::vector<double>{0, -0.2, -0.4, -0.6, -0.8}), IsEmpty()) << "all differ";
}

TEST(LowOutliers, StandOutOfTheNoiseToo) {
  const std::vector<double> one_low = {0, 0, std::log(0.7), 0};  // the others are equal, by chance
  EXPECT_THAT(low_outliers(one_low, 0.1), ElementsAre(2));
  EXPECT_THAT(low_outliers(one_low, 0.15), IsEmpty());
}

TEST(DetectableShare, FollowsTheSpread) {
  EXPECT_NEAR(detectable_share(std::vector<double>(5, 0.0)), 0.95, 1e-9);
  EXPECT_LT(detectable_share(std::vector<double>{0, -0.1, 0.1, -0.2, 0.2}), 0.6);
  EXPECT_NEAR(detectable_share(std::vector<double>(5, 0.0), 0.1), 1 - 0.4145, 1e-9)
      << "4.145 times the noise";
}

}  // namespace
}  // namespace sxb::stats
