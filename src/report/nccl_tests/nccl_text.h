// nccl-tests' text layout (version 2.19.6), so that a parser made for nccl-tests reads our sweeps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/build_info.h"
#include "base/json.h"
#include "record/kinds/node.h"
#include "record/record.h"
#include "report/nccl_tests/nccl_records.h"

namespace sxb::report {

/// The text of one sweep, line by line, so that `sxbench nccl` can print it live.
/// A world that is split has a table per group; those of the groups after the first come at the end.
class NcclText {
 public:
  /// `sweep`: as in the plan. `version`: that of the sxbench that measured.
  explicit NcclText(Json sweep, std::string version = sxb::version());

  /// A "device" or "overhead" record; before the first row, in any order. Others are ignored.
  void add(const record::Record& record);
  /// A "collective" record. Returns what can be printed now: the header as soon as each group has a row.
  std::string add_row(const record::Record& collective);
  /// The rest: tables of the other groups, and the footers. Empty if there was no row.
  std::string finish();

 private:
  std::string header() const;
  std::string columns() const;
  std::string table_head(int group) const;
  std::string row(const record::Collective& row) const;
  std::string placement(const record::Placement& placement) const;

  Json sweep_;
  std::string version_;
  bool per_iteration_, timestamps_;
  struct DeviceOfRank {
    int rank = 0;
    std::string node;
    record::Device facts;
  };
  std::vector<DeviceOfRank> devices_;  ///< by rank
  std::optional<double> overhead_us_;
  RowsByGroup rows_;
  bool started_ = false;
};

}  // namespace sxb::report
