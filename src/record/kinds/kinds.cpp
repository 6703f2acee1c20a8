// The kinds of records: what fields() lists and check() knows.
#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "record/kinds/kinds.h"
#include "record/typed.h"

namespace sxb::record {
namespace {

struct Kind {
  const char* name;
  const std::vector<Field>& (*fields)();
  std::vector<std::string> (*misfits)(const Json&);
};

template <typename T>
constexpr Kind kind_of() {
  return {T::kKind, &fields_of<T>, &misfits<T>};
}

/// In the order of docs/records.md.
constexpr std::array kKinds = {
    kind_of<Run>(),        kind_of<Node>(),        kind_of<Device>(),     kind_of<TaskStart>(),
    kind_of<TaskEnd>(),    kind_of<Collective>(),  kind_of<Overhead>(),   kind_of<LocateNode>(),
    kind_of<LocateLink>(), kind_of<LocateGroup>(), kind_of<Locate>(),     kind_of<GpuBench>(),
    kind_of<Burn>(),       kind_of<Step>(),        kind_of<Checkpoint>(), kind_of<Resumed>(),
    kind_of<Training>(),   kind_of<Rank>(),        kind_of<Phases>(),     kind_of<Window>(),
    kind_of<Trace>(),      kind_of<Saved>(),       kind_of<Finding>(),    kind_of<Sample>(),
    kind_of<RankEnd>(),    kind_of<AgentEnd>(),    kind_of<RunEnd>()};

}  // namespace

const std::vector<Field>& fields() {
  static const std::vector<Field> table = [] {
    std::vector<Field> all;
    for (const Kind& kind : kKinds) all.insert(all.end(), kind.fields().begin(), kind.fields().end());
    return all;
  }();
  return table;
}

const Field* find_field(const std::string& kind, const std::string& name) {
  for (const Field& field : fields()) {
    if (kind == field.kind && name == field.name) return &field;
  }
  return nullptr;
}

Status check(const Record& record, const std::string& where) {
  if (record.kind == kind::kHeartbeat) return ok_status();
  for (const Kind& kind : kKinds) {
    if (record.kind != kind.name) continue;
    const std::vector<std::string> wrong = kind.misfits(record.data);
    if (wrong.empty()) return ok_status();
    return Error{fmt::format("a record \"{}\" has values of another type than its fields have: {}",
                             record.kind, join(wrong, ", ")),
                 where, "it is damaged, or another program wrote it"};
  }
  return Error{fmt::format("no record is called {}", dump(Json(record.kind))), where,
               "it is damaged, or another version of sxbench wrote it"};
}

}  // namespace sxb::record
