#include "engine/bench/sweep/variants.h"

#include "engine/bench/sweep/sweep.h"
#include "plan/validate.h"

namespace sxb::engine::bench {
namespace {

[[noreturn]] void bad_sweep(const std::string& what, const std::string& help) {
  throw EngineError(what, "bad_argument", help, ExitCode::kUsage);
}

}  // namespace

void refuse_invalid(const plan::CollectiveSweep& sweep) {
  const Status status = plan::validate_sweep(sweep);
  if (!status.ok()) bad_sweep(status.errors().front().what, status.errors().front().help);
}

comm::CommunicatorOptions communicator_options(const plan::CollectiveSweep& sweep) {
  comm::CommunicatorOptions options;
  options.nvlink_centric = true;
  options.cta_policy = sweep.cta_policy;
  if (sweep.timeout_s > 0) options.timeout = std::chrono::seconds(sweep.timeout_s);
  return options;
}

std::vector<Variant> variants_of(const plan::CollectiveSweep& sweep, const Collective& collective) {
  const std::vector<DType> dtypes =
      sweep.dtype == "all" ? comm::all_dtypes() : std::vector<DType>{comm::parse_dtype(sweep.dtype)};
  std::vector<RedOp> ops =
      sweep.redop == "all" ? comm::all_redops() : std::vector<RedOp>{comm::parse_redop(sweep.redop)};
  if (!collective.kind().reduces) ops = {RedOp::kSum};
  std::vector<Variant> variants;
  for (const DType dtype : dtypes) {
    for (const RedOp op : ops) variants.push_back({dtype, op});
  }
  return variants;
}

std::vector<int> roots_of(const plan::CollectiveSweep& sweep, const Collective& collective, int ranks) {
  if (!collective.kind().rooted) return {-1};
  if (sweep.root >= ranks) {
    bad_sweep("root " + std::to_string(sweep.root) + " is none of " + std::to_string(ranks) + " ranks",
              "pass -r below " + std::to_string(ranks) + ", or -r all");
  }
  if (sweep.root >= 0) return {sweep.root};
  std::vector<int> roots;
  for (int root = 0; root < ranks; ++root) roots.push_back(root);
  return roots;
}

}  // namespace sxb::engine::bench
