// sxbench data: prepares datasets for fine-tuning and looks into prepared ones; data_push.cpp sends them.
#include <fmt/format.h>

#include <memory>

#include "base/json.h"
#include "cli/request/options.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "config/model/model.h"
#include "data/packed.h"
#include "data/remarks.h"

namespace sxb::cli {
namespace {

double percent(std::int64_t part, std::int64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string summary_text(const data::PrepareSummary& counts, std::int64_t seq_len) {
  const std::int64_t words = counts.rows * seq_len;
  return fmt::format(
      "  documents    {}\n"
      "  truncated    {}\n"
      "  left out     {}\n"
      "  rows         {} of {} tokens\n"
      "  tokens       {}\n"
      "  loss tokens  {} ({:.1f} %)\n"
      "  unknown      {}\n"
      "  padding      {} ({:.1f} %)\n"
      "  hash         {}\n",
      counts.documents, counts.truncated, counts.left_out, counts.rows, seq_len, counts.tokens,
      counts.loss_tokens, percent(counts.loss_tokens, counts.tokens), counts.unknown, counts.padding,
      percent(counts.padding, words), counts.hash);
}

ExitCode run_prepare(const config::Data& names, data::PrepareOptions options) {
  const auto files =
      config::locate_data(names, {"--dataset", "--tokenizer", "--dataset PATH", "--tokenizer PATH"});
  if (!files.ok()) return report_errors(files.errors());
  if (files->kind != config::DataFiles::Kind::kRaw) {
    return report_errors(
        {{"there is nothing to prepare: these are no Alpaca entries", "--dataset " + names.dataset,
          "give an Alpaca .json or .jsonl file, or a shipped name"}});
  }
  options.dataset = files->dataset;
  options.tokenizer = files->tokenizer;
  if (options.name.empty()) options.name = files->name;
  const auto summary = data::prepare(options);
  if (!summary.ok()) return report_errors(summary.errors());
  print_out("prepared {}\n{}", options.out.string(), summary_text(*summary, options.seq_len));
  for (const data::Remark& remark : data::remarks_on(*summary, options.seq_len, "--seq-len"))
    print_err("warning: {}\nhelp: {}\n", remark.what, remark.help);
  return ExitCode::kOk;
}

ExitCode run_info(const std::string& folder, bool as_json) {
  const auto dataset = data::PackedDataset::open(folder);
  if (!dataset.ok()) return report_errors(dataset.errors());
  const data::PrepareSummary& counts = dataset->counts();
  if (as_json) {
    const Json json = {{"name", dataset->name()},
                       {"seq_len", dataset->seq_len()},
                       {"vocab", dataset->vocab()},
                       {"documents", counts.documents},
                       {"truncated", counts.truncated},
                       {"left_out", counts.left_out},
                       {"rows", counts.rows},
                       {"rows_without_loss", dataset->rows_without_loss()},
                       {"tokens", counts.tokens},
                       {"loss_tokens", counts.loss_tokens},
                       {"unknown", counts.unknown},
                       {"padding", counts.padding},
                       {"hash", counts.hash}};
    write_out(pretty_json(json));
  } else {
    print_out("{} (vocabulary {})\n{}", dataset->name(), dataset->vocab(),
              summary_text(counts, dataset->seq_len()));
    if (dataset->rows_without_loss() > 0)
      print_out("  rows that teach nothing  {}\n", dataset->rows_without_loss());
  }
  return ExitCode::kOk;
}

}  // namespace

void add_data(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand(
      "data", "Prepare datasets for fine-tuning, look into prepared ones, put them on nodes");
  verb->footer(
      "Examples:\n"
      "  sxbench data prepare --dataset cluster-ops --seq-len 512 --out /raid/data/cluster-ops\n"
      "  sxbench data info /raid/data/cluster-ops\n"
      "  sxbench data push /raid/data/cluster-ops --hostfile hosts");
  verb->require_subcommand(1);

  CLI::App* prepare_verb = verb->add_subcommand("prepare", "Tokenise and pack an Alpaca dataset");
  prepare_verb->footer(
      "Examples:\n"
      "  sxbench data prepare --dataset cluster-ops --seq-len 512 --out /raid/data/cluster-ops\n"
      "  sxbench data prepare --dataset alpaca_data.json --tokenizer llama-2/tokenizer.model --out "
      "/raid/data/alpaca");
  auto options = std::make_shared<data::PrepareOptions>();
  auto names = std::make_shared<config::Data>();
  path_option(
      prepare_verb->add_option("--dataset", names->dataset, "Alpaca .json or .jsonl file, or a shipped name"))
      ->required();
  path_option(
      prepare_verb->add_option("--tokenizer", names->tokenizer,
                               "SentencePiece tokenizer.model (default: the one beside the dataset)"));
  prepare_verb->add_option("--seq-len", options->seq_len, "Tokens per row")->capture_default_str();
  path_option(prepare_verb->add_option("--out", options->out,
                                       "Folder to write; a prepared dataset there is replaced"))
      ->required();
  prepare_verb->add_option("--name", options->name, "Name of the dataset (default: that of the file)");
  prepare_verb->callback([names, options, &result] { result = run_prepare(*names, *options); });

  CLI::App* info_verb = verb->add_subcommand("info", "Verify a prepared dataset and print what it holds");
  info_verb->footer("Example:\n  sxbench data info /raid/data/alpaca --json");
  auto folder = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  path_option(info_verb->add_option("dir", *folder, "Folder of a prepared dataset"))->required();
  info_verb->add_flag("--json", *as_json, "One JSON object");
  info_verb->callback([folder, as_json, &result] { result = run_info(*folder, *as_json); });

  add_data_push(*verb, result);
}

}  // namespace sxb::cli
