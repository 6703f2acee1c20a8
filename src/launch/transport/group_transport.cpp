#include "launch/transport/group_transport.h"

#include <algorithm>

#include "base/clock.h"
#include "record/record.h"

namespace sxb::launch {
namespace {

/// srun tells of an exit on another way than the task's last lines, which may be the slower one.
constexpr std::int64_t kSettleNs = 300'000'000;
constexpr int kTickMs = 50;

}  // namespace

Member* Group::find(const std::string& node) {
  const auto it =
      std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.node.name == node; });
  return it == members.end() ? nullptr : &*it;
}

bool Group::all_ended() const {
  return std::all_of(members.begin(), members.end(), [](const Member& m) { return m.ended; });
}

std::vector<std::pair<std::string, std::string>> inputs_of(const Group& group) {
  std::vector<std::pair<std::string, std::string>> inputs;
  for (const Member& member : group.members) {
    if (!member.input.empty()) inputs.emplace_back(member.node.name, member.input);
  }
  return inputs;
}

Result<int> GroupTransport::start(const config::Node& node, const std::vector<std::string>& argv,
                                  const std::map<std::string, std::string>& env, const std::string& input) {
  auto group = std::find_if(waiting_.begin(), waiting_.end(),
                            [&](Group& g) { return g.argv == argv && g.env == env && !g.find(node.name); });
  if (group == waiting_.end()) group = waiting_.insert(waiting_.end(), Group{argv, env, {}, 0, {}});
  Member member;
  member.id = next_job_++;
  member.node = node;
  member.input = input;
  group->members.push_back(std::move(member));
  return group->members.back().id;
}

void GroupTransport::poll(int timeout_ms, const Handler& handler) {
  Events events = std::exchange(pending_, {});
  if (!waiting_.empty() && prepare(waiting_, events)) {
    for (Group& group : std::exchange(waiting_, {})) launch(std::move(group), events);
  }
  if (hand_out_ends(events)) timeout_ms = std::min(timeout_ms, kTickMs);
  if (!events.empty()) timeout_ms = 0;
  const auto hand_out = [&] {
    for (const TransportEvent& event : std::exchange(events, {})) handler(event);
  };
  hand_out();
  processes_.poll(timeout_ms, [&](const ProcessEvent& event) {
    on_event(event, events);
    hand_out();
  });
}

void GroupTransport::launch(Group group, Events& events) {
  const Result<ProcessSpec> spec = command(group);
  const Result<int> process = spec.ok() ? processes_.start(*spec) : Result<int>(spec.errors());
  for (Member& member : group.members) {
    member.last_line_ns = monotonic_ns();
    if (process.ok()) {
      events.push_back({TransportEvent::Kind::kStarted, member.id, false, "", {}, {}});
    } else {
      const Error& error = process.error();
      end(member, lost(member, not_started(error)), events);
    }
  }
  if (!process.ok()) return;
  group.process = *process;
  running_.emplace(*process, std::move(group));
}

/// Ends the members whose last lines must have come by now; whether some are still to be ended.
bool GroupTransport::hand_out_ends(Events& events) {
  bool more = false;
  for (auto& [process, group] : running_) {
    for (Member& member : group.members) {
      if (!member.last || member.ended) continue;
      if (monotonic_ns() - member.last_line_ns >= kSettleNs) {
        end(member, settled(group, member, *member.last), events);
      } else {
        more = true;
      }
    }
  }
  return more;
}

void GroupTransport::on_event(const ProcessEvent& event, Events& events) {
  const auto it = running_.find(event.id);
  if (it == running_.end()) return on_other(event, waiting_, events);
  Group& group = it->second;
  if (event.kind == ProcessEvent::Kind::kLine) return read_line(group, event.from_stderr, event.line, events);
  for (Member& member : group.members) {
    if (member.ended) continue;
    TransportEvent last = member.last ? *member.last : last_event(group, member, event.status);
    end(member, settled(group, member, std::move(last)), events);
  }
  running_.erase(it);
}

void GroupTransport::stop(int job, int grace_ms) {
  const ExitStatus interrupted = {static_cast<int>(ExitCode::kInterrupted), 0};
  const auto is_job = [&](const Member& member) { return member.id == job && !member.ended; };
  for (auto group = waiting_.begin(); group != waiting_.end(); ++group) {
    const auto member = std::find_if(group->members.begin(), group->members.end(), is_job);
    if (member == group->members.end()) continue;
    pending_.push_back(exited(*member, interrupted));
    group->members.erase(member);
    if (group->members.empty()) waiting_.erase(group);
    return;
  }
  for (auto& [process, group] : running_) {
    const auto member = std::find_if(group.members.begin(), group.members.end(), is_job);
    if (member == group.members.end()) continue;
    // The program cannot end one of its members: the others go on until they are stopped too.
    member->stopping = true;
    const bool all = std::all_of(group.members.begin(), group.members.end(),
                                 [](const Member& m) { return m.ended || m.stopping; });
    if (all) stop_process(group, grace_ms);
    if (!all && grace_ms == 0) end(*member, exited(*member, interrupted), pending_);
    return;
  }
}

void GroupTransport::send_to_all(int job, const std::string& text) {
  for (const auto& [process, group] : running_) {
    const auto first = std::find_if(group.members.begin(), group.members.end(),
                                    [](const Member& member) { return !member.ended; });
    if (first != group.members.end() && first->id == job) return processes_.write(process, text);
  }
}

void GroupTransport::line(Member& member, bool from_stderr, const std::string& text, Events& events) {
  if (member.ended) return;
  member.last_line_ns = monotonic_ns();
  member.words.hear(text);
  if (from_stderr) {
    member.messages.push_back(text);
    if (member.messages.size() > kKeptMessages) member.messages.pop_front();
  } else {
    member.connected = true;
    member.answered = member.answered || text.find(record::kWirePrefix) != std::string::npos;
  }
  events.push_back({TransportEvent::Kind::kLine, member.id, from_stderr, text, {}, {}});
}

void GroupTransport::end(Member& member, TransportEvent event, Events& events) {
  if (member.ended) return;
  member.ended = true;
  if (event.kind == TransportEvent::Kind::kExit) event.last_words = member.words.text();
  events.push_back(std::move(event));
}

TransportEvent GroupTransport::exited(const Member& member, const ExitStatus& status) {
  return {TransportEvent::Kind::kExit, member.id, false, "", status, {}};
}

TransportEvent GroupTransport::lost(const Member& member, Loss loss) {
  return {TransportEvent::Kind::kLost, member.id, false, "", {}, std::move(loss)};
}

void GroupTransport::keep_words(Group& group, const std::string& text) {
  group.own_words.push_back(text);
  if (group.own_words.size() > kKeptMessages) group.own_words.erase(group.own_words.begin());
}

void GroupTransport::give_up(std::vector<Group>& waiting, Events& events,
                             const std::function<std::optional<Loss>(const Member&)>& why) {
  for (Group& group : waiting) {
    for (Member& member : group.members) {
      if (const std::optional<Loss> loss = why(member)) end(member, lost(member, *loss), events);
    }
    std::erase_if(group.members, [](const Member& member) { return member.ended; });
  }
  std::erase_if(waiting, [](const Group& group) { return group.members.empty(); });
}

}  // namespace sxb::launch
