#include "engine/bench/sweep/split_groups.h"

#include <algorithm>
#include <map>

#include "engine/bench/sweep/sweep.h"

namespace sxb::engine::bench {

Groups::Groups(const plan::CollectiveSweep& sweep, comm::Communicator& world, const plan::RankPlace& place)
    : world_(world) {
  const auto color = plan::split_color(sweep.split, place);
  if (!color.ok()) {
    throw EngineError(color.error().what, "bad_argument", color.error().help, ExitCode::kUsage);
  }
  const std::vector<int> colors = comm::from_every_rank(world, *color);
  std::map<int, std::vector<int>> by_color;
  for (int rank = 0; rank < world.world(); ++rank) {
    by_color[colors[static_cast<std::size_t>(rank)]].push_back(rank);
  }
  int index = 0;
  int mine = 0;
  for (auto& [group, ranks] : by_color) {
    if (group == *color) mine = index;
    ++index;
    members_.push_back(std::move(ranks));
  }
  if (sweep.split.empty()) return;
  comm::CommunicatorOptions options = communicator_options(sweep);
  options.name = "split";
  own_ = world.split(mine, world.rank(), options);
}

int Groups::smallest() const {
  std::size_t least = members_.front().size();
  for (const auto& members : members_) least = std::min(least, members.size());
  return static_cast<int>(least);
}

}  // namespace sxb::engine::bench
