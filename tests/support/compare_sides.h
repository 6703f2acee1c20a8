// Sides of a comparison made from synthetic runs.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "analysis/compare/compare.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {

/// Twenty steps that spread by `noise` to both sides of 1: 1 ± noise/10, ± 2 noise/10 ...
inline std::vector<double> spread(double noise) {
  std::vector<double> factors;
  for (int i = 1; i <= 10; ++i) {
    factors.push_back(1 + noise * i / 10);
    factors.push_back(1 - noise * i / 10);
  }
  return factors;
}

inline testing::SftSpec sft(double step_ms, double noise = 0.005, int repeat = 0) {
  testing::SftSpec spec;
  spec.id = fmt::format("beef0000000{}", repeat);
  spec.repeat = repeat;
  spec.step_ms = step_ms;
  spec.factors = spread(noise);
  spec.dataset_hash.clear();  // nothing says that both sides had the same rows
  spec.sum_len_sq = 2e6;
  return spec;
}

/// Twenty steps whose rows are filled by 60 to 100 %, and whose times follow, but for 0.1 %.
inline testing::SftSpec packed_sft(double step_ms, double noise_seed) {
  testing::SftSpec spec = sft(step_ms);
  spec.dataset_hash = "5eed";
  spec.factors.clear();
  for (int i = 0; i < 20; ++i) {
    const double fill = 0.6 + 0.4 * (i * 7 % 20) / 19;
    spec.tokens.push_back(static_cast<int>(2000 * fill));
    spec.factors.push_back((0.5 + 0.5 * fill) * (1 + 0.001 * std::sin(noise_seed + 5.0 * i)));
  }
  return spec;
}

inline Side load(const testing::SyntheticRun& run) {
  run.write();
  Result<Side> side = load_side({run.folder()});
  EXPECT_TRUE(side.ok());
  return std::move(*side);
}

inline testing::SyntheticRun start(const std::string& name, const Json& plan) {
  testing::SyntheticRun run(testing::scratch(name));
  run.add("run", testing::run_data(name, plan, Json::object()));
  return run;
}

inline Side sft_side(const std::string& name, const std::vector<testing::SftSpec>& specs) {
  Json plan = Json::array();
  for (const testing::SftSpec& spec : specs) plan.push_back(testing::planned_sft(spec));
  testing::SyntheticRun run = start(name, plan);
  for (const testing::SftSpec& spec : specs) testing::add_sft_task(run, spec);
  return load(run);
}

inline const Compared& find(const Comparison& comparison, const std::string& figure,
                            const std::string& member = "", const std::string& series = "") {
  for (const Compared& item : comparison.items) {
    if (item.figure == figure && (member.empty() || item.member == member) &&
        (series.empty() || item.series.find(series) != std::string::npos)) {
      return item;
    }
  }
  ADD_FAILURE() << "no " << figure << " " << member << " " << series;
  static const Compared kNone;
  return kNone;
}

/// Keeps the sides that a comparison points to.
struct Compares {
  Side a, b;
  Comparison comparison;
  Compares(Side left, Side right, const CompareOptions& options = {})
      : a(std::move(left)), b(std::move(right)), comparison(compare(a, b, options)) {}
  const Compared& throughput() const { return find(comparison, "tokens/s/GPU"); }
  const Compared& step_time() const { return find(comparison, "step time"); }
};

}  // namespace sxb::analysis
