// What was planned, and what became of it.
#include <fmt/format.h>

#include "base/units.h"
#include "record/kinds/run.h"
#include "report/sections/sections.h"

namespace sxb::report {

void add_tasks(const analysis::Analysis& analysis, Document& document) {
  Table table{{{"Task"},
               {"What"},
               {"Repeat", true},
               {"Status"},
               {"Attempt", true},
               {"Duration", true},
               {"Why there is no result"}},
              {}};
  for (const analysis::TaskData& task : analysis.dataset->tasks) {
    const std::optional<double> seconds = task.last<record::TaskEnd>().duration_s;
    table.rows.push_back(
        {fmt::format("`{}`", task.id), task.label, std::to_string(task.repeat + 1),
         analysis::to_string(task.status()), task.attempt == 0 ? "–" : std::to_string(task.attempt),
         seconds ? format_duration(static_cast<std::int64_t>(*seconds * 1e9)) : "–", task.reason()});
  }
  document.add(std::move(table));
}

}  // namespace sxb::report
