// What to doubt: warnings and errors of the run and of its analysis, with remedies.
#include <fmt/format.h>

#include "report/sections/sections.h"

namespace sxb::report {

void add_findings(const analysis::Analysis& analysis, Document& document) {
  if (analysis.findings.empty()) document.add(Paragraph{"None."});
  List list;
  for (const analysis::Finding& finding : analysis.findings) {
    std::string item = fmt::format("{} `{}`", finding.severity, finding.code);
    if (!finding.where.empty()) item += fmt::format(" ({})", finding.where);
    item += fmt::format(": {}", finding.message);
    if (!finding.help.empty()) item += fmt::format(" (help: {})", finding.help);
    list.items.push_back(std::move(item));
  }
  if (!list.items.empty()) document.add(std::move(list));
}

}  // namespace sxb::report
