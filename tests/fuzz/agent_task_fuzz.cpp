// What an agent and its ranks are given to do.
#include "base/build_info.h"
#include "base/json.h"
#include "fuzz/inputs.h"
#include "launch/node/agent_input.h"
#include "launch/node/agent_task.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  auto json = parse_json(fuzz::text_of(data, size), "stdin");
  if (!json.ok()) {
    fuzz::check_errors(json.errors());
    return 0;
  }
  static_cast<void>(launch::origin_of(*json));
  if (const auto task = launch::agent_task_of(*json); !task.ok()) fuzz::check_errors(task.errors());
  // Of this build, whatever it says: else nothing behind that check would be seen.
  if (const auto task = launch::parse_agent_task(*json, "stdin"); task.ok()) {
    const Json written = launch::to_json(*task);
    const auto again = launch::parse_agent_task(written, "again");
    SXB_FUZZ_CHECK(again.ok() && dump(launch::to_json(*again)) == dump(written));
  } else {
    fuzz::check_errors(task.errors());
  }
  if (const auto rank = plan::parse_rank_task(*json, "stdin"); !rank.ok()) fuzz::check_errors(rank.errors());
  return 0;
}
