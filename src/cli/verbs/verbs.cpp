#include "cli/verbs/verbs.h"

namespace sxb::cli {

const Verbs& verbs() {
  static const Verbs rows = {
      // Qualify the cluster, or measure one thing.
      add_run,
      add_nccl,
      add_locate,
      add_gpu,
      add_burn,
      // Read what was measured.
      add_report,
      add_compare,
      add_show,
      add_list,
      // Prepare.
      add_plan,
      add_check,
      add_deploy,
      add_config,
      add_data,
      // Not for people.
      add_worker,
  };
  return rows;
}

}  // namespace sxb::cli
