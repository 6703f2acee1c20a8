// write_reports(): the one entry point; reads a run, writes its files.
#include <fmt/format.h>

#include "analysis/analysis.h"
#include "base/files.h"
#include "base/text.h"
#include "report/exports/exports.h"
#include "report/report.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

namespace fs = std::filesystem;

/// A report has no other place than its run: what to do if that cannot be written to.
Errors cannot_write(Errors errors) {
  for (Error& error : errors) {
    if (!error.help.empty()) error.help += "; or ";
    error.help += "report a copy of the run: cp -r RUN COPY && sxbench report COPY";
  }
  return errors;
}

/// What nodes and files have said is in it: nothing of that which a terminal obeys (base/text.h).
Status write_text(const fs::path& path, std::string content) {
  return write_file_atomic(path, printable(std::move(content)));
}

/// The files for machines.
Status write_exports(const analysis::Analysis& analysis, std::span<const Export> exports,
                     const fs::path& run) {
  for (const Export& one : exports) {
    for (auto& [path, content] : one.files(analysis))
      SXB_RETURN_IF_ERROR(write_text(run / path, std::move(content)));
  }
  return ok_status();
}

/// The report for people, in two formats; the charts, which HTML has inside, beside the Markdown.
Status write_documents(const Document& document, const fs::path& reports) {
  SXB_RETURN_IF_ERROR(write_text(reports / "summary_report.md", to_markdown(document)));
  SXB_RETURN_IF_ERROR(write_text(reports / "summary_report.html", to_html(document)));
  for (const Block& block : document.blocks) {
    const auto* figure = std::get_if<Figure>(&block);
    if (figure == nullptr) continue;
    SXB_RETURN_IF_ERROR(write_text(reports / "charts" / (figure->name + ".svg"), render_svg(figure->chart)));
  }
  return ok_status();
}

Outcome outcome_of(const analysis::Analysis& analysis, const fs::path& run) {
  Outcome outcome;
  outcome.summary_report = run / "reports" / "summary_report.md";
  for (const analysis::Verdict& verdict : analysis.verdicts) {
    if (!verdict.missed()) continue;
    outcome.missed.push_back(fmt::format("{}  {}: {} (required: {})", analysis::to_string(verdict.mark),
                                         verdict.item, verdict.achieved, verdict.required));
  }
  for (const analysis::TaskData& task : analysis.dataset->tasks) {
    switch (task.status()) {
      case analysis::TaskStatus::kOk:
        ++outcome.tasks_ok;
        break;
      case analysis::TaskStatus::kFailed:
        ++outcome.tasks_failed;
        break;
      case analysis::TaskStatus::kInterrupted:
      case analysis::TaskStatus::kMissing:
        ++outcome.tasks_missing;
        break;
    }
  }
  return outcome;
}

}  // namespace

Result<Outcome> write_reports(const fs::path& path) { return write_reports(path, exports(), sections()); }

Result<Outcome> write_reports(const fs::path& path, std::span<const Export> exports,
                              std::span<const Section> sections) {
  // Which run is meant: this folder, or the latest of a results folder.
  SXB_ASSIGN_OR_RETURN(const fs::path run, analysis::find_run(path));
  // Its journal, sorted by task.
  SXB_ASSIGN_OR_RETURN(const analysis::Dataset dataset, analysis::load_dataset(run));
  // What its GPUs can do at most, which figures are held against.
  SXB_ASSIGN_OR_RETURN(const analysis::Hardware hardware, analysis::load_hardware(dataset));
  // Figures, verdicts and findings: everything below only says what stands here.
  const analysis::Analysis analysis = analysis::analyze(dataset, hardware);
  // For machines: one file per row of the table.
  Status written = write_exports(analysis, exports, run);
  // For people: one document, its sections by the table.
  if (written.ok()) written = write_documents(build_document(analysis, sections), run / "reports");
  if (!written.ok()) return cannot_write(written.errors());
  // For the caller: where it lies, and whether the run did what was asked of it.
  return outcome_of(analysis, run);
}

}  // namespace sxb::report
