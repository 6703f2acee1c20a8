// write_reports(): the one entry point; reads a run, writes its files.
#include <fmt/format.h>

#include "analysis/analysis.h"
#include "base/files.h"
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

Status write_documents(const analysis::Analysis& analysis, const fs::path& reports) {
  const Document document = build_document(analysis);
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "summary_report.md", to_markdown(document)));
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "summary_report.html", to_html(document)));
  for (const Block& block : document.blocks) {
    const auto* figure = std::get_if<Figure>(&block);
    if (figure == nullptr) continue;
    SXB_RETURN_IF_ERROR(
        write_file_atomic(reports / "charts" / (figure->name + ".svg"), render_svg(figure->chart)));
  }
  return ok_status();
}

Status write_exports(const analysis::Analysis& analysis, const fs::path& run) {
  const fs::path reports = run / "reports";
  SXB_RETURN_IF_ERROR(write_file_atomic(run / "summary.json", summary_json(analysis)));
  SXB_RETURN_IF_ERROR(
      write_file_atomic(reports / "performance_summary.csv", performance_summary_csv(analysis)));
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "scaling_analysis.json", scaling_analysis_json(analysis)));
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "sft_metrics.json", sft_metrics_json(analysis)));
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "phases.csv", phases_csv(analysis)));
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "gpu_metrics.csv", gpu_metrics_csv(analysis)));
  SXB_RETURN_IF_ERROR(write_file_atomic(reports / "nccl_metrics.csv", nccl_metrics_csv(analysis)));
  for (const auto& [name, content] : nccl_tests_json(analysis))
    SXB_RETURN_IF_ERROR(write_file_atomic(reports / name, content));
  if (!analysis.searches.empty())
    SXB_RETURN_IF_ERROR(write_file_atomic(reports / "locate.csv", locate_csv(analysis)));
  if (!analysis.gpu.empty()) {
    SXB_RETURN_IF_ERROR(write_file_atomic(reports / "gpu_benchmarks.csv", gpu_benchmarks_csv(analysis)));
  }
  if (!analysis.burns.empty())
    SXB_RETURN_IF_ERROR(write_file_atomic(reports / "burn.csv", burn_csv(analysis)));
  return write_file_atomic(reports / "nccl_allreduce.log", nccl_log(analysis));
}

}  // namespace

Result<Outcome> write_reports(const fs::path& path) {
  SXB_ASSIGN_OR_RETURN(const fs::path run, analysis::find_run(path));
  SXB_ASSIGN_OR_RETURN(const analysis::Dataset dataset, analysis::load_dataset(run));
  SXB_ASSIGN_OR_RETURN(const analysis::Hardware hardware, analysis::load_hardware(dataset));
  const analysis::Analysis analysis = analysis::analyze(dataset, hardware);

  Status written = write_exports(analysis, run);
  if (written.ok()) written = write_documents(analysis, run / "reports");
  if (!written.ok()) return cannot_write(written.errors());

  Outcome outcome;
  outcome.summary_report = run / "reports" / "summary_report.md";
  for (const analysis::Verdict& verdict : analysis.verdicts) {
    if (!verdict.missed()) continue;
    outcome.missed.push_back(fmt::format("{}  {}: {} (required: {})", analysis::to_string(verdict.mark),
                                         verdict.item, verdict.achieved, verdict.required));
  }
  for (const analysis::TaskData& task : dataset.tasks) {
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

}  // namespace sxb::report
