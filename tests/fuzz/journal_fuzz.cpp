// A journal, by everybody who reads it: --resume, list and show, report.
#include "analysis/analysis.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "fuzz/inputs.h"
#include "launch/head/journal.h"
#include "launch/head/run.h"
#include "launch/head/seal.h"

namespace sxb {
namespace {

void resume(const fuzz::Folder& folder) {
  const auto state = launch::read_journal(folder.path());
  SXB_FUZZ_CHECK(state.ok());
  // Nobody can seal another plan than the head's; the input shall be read all the same.
  const std::string hash = state->run ? launch::config_hash_of(state->run->cluster, state->run->plan) : "";
  folder.put("manifest.json", dump({{"config_hash", hash}}));
  if (const auto options = launch::options_from_journal(folder.path()); !options.ok())
    fuzz::check_errors(options.errors());
}

void report(const fuzz::Folder& folder) {
  const auto dataset = analysis::load_dataset(folder.path());
  if (!dataset.ok()) return fuzz::check_errors(dataset.errors());
  const auto hardware = analysis::load_hardware(*dataset);
  SXB_FUZZ_CHECK(hardware.ok());
  const analysis::Analysis analysis = analysis::analyze(*dataset, *hardware);
  // Of recorded ones the journal says what it likes.
  for (const analysis::Finding& finding : analysis.findings)
    SXB_FUZZ_CHECK(finding.line != 0 || !finding.code.empty());
}

}  // namespace
}  // namespace sxb

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  static const fuzz::Folder folder;
  folder.put("records.jsonl", fuzz::text_of(data, size));
  resume(folder);
  report(folder);
  return 0;
}
