// sxbench data push: a prepared dataset on every node.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/text.h"
#include "cli/request/options.h"
#include "cli/request/push.h"
#include "cli/request/request.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "data/packed.h"
#include "launch/os/process.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSlurmDataHelp =
    "where nodes take ssh logins: --transport ssh; else copy it in the job: srun --ntasks-per-node=1 rsync "
    "-a "
    "DATASET/ DIR/";

struct DataPushFlags {
  PushFlags push;
  std::string dataset, to;
  bool network_fs_allowed = false;
};

/// `sxbench data info --json` verifies every checksum before it prints.
std::string judge_data(const launch::Answer& answer, const std::string& hash) {
  if (!answer.status.ok()) {
    std::string said;
    for (const std::string& line : answer.err) {
      const std::string_view text = trim(line);
      if (text.rfind("error: ", 0) == 0) said = text.substr(7);
      if (text.rfind("--> ", 0) == 0) said += fmt::format(" ({})", text.substr(4));
    }
    return said.empty() ? answer.status.text() : said;
  }
  const Result<Json> json = parse_json(join(answer.out, "\n"), "data info");
  const std::string there = json.ok() && json->is_object() ? json->value("hash", "") : "";
  if (there == hash) return "";
  return fmt::format("it has the dataset {}, the head {}", there.empty() ? "?" : there, hash);
}

Result<std::optional<launch::Distribution>> resolve_push(const DataPushFlags& flags, std::string& hash) {
  SXB_ASSIGN_OR_RETURN(std::optional<config::Cluster> cluster, nodes_to_push_to(flags.push, kSlurmDataHelp));
  if (!cluster) return std::optional<launch::Distribution>();
  SXB_ASSIGN_OR_RETURN(const data::PackedDataset dataset, data::PackedDataset::open(flags.dataset));
  hash = dataset.hash();
  launch::Distribution what;
  std::error_code ec;
  what.source = fs::canonical(flags.dataset, ec);
  what.target = flags.to.empty() ? what.source : fs::path(flags.to).lexically_normal();
  if (!what.target.is_absolute()) {
    return Error{"a folder of the nodes needs an absolute path", "--to " + flags.to,
                 "the folder that models name as data.dataset"};
  }
  if (!what.target.has_filename()) what.target = what.target.parent_path();
  what.network_fs_allowed = flags.network_fs_allowed;
  what.checksum = flags.push.checksum;
  const std::string& program = cluster->paths.program;
  what.proof = {program.empty() ? launch::self_executable() : program, "data", "info", what.target.string(),
                "--json"};
  what.judge = [hash](const launch::Answer& answer) { return judge_data(answer, hash); };
  what.cluster = std::move(*cluster);
  return std::optional<launch::Distribution>(std::move(what));
}

ExitCode data_push(const DataPushFlags& flags) {
  ExitCode code = ExitCode::kOk;
  std::string hash;
  const auto resolved = value_or_explain(resolve_push(flags, hash), code);
  if (!resolved) return code;
  if (!*resolved) {
    print_out("nothing to push: every node of this cluster is this machine\n");
    return ExitCode::kOk;
  }
  return push(**resolved, flags.push, "checksums", "verified, dataset " + hash);
}

}  // namespace

void add_data_push(CLI::App& data, ExitCode& result) {
  CLI::App* verb = data.add_subcommand("push", "Put a prepared dataset on every node, verify it there");
  verb->footer(
      "Examples:\n"
      "  sxbench data push /raid/data/alpaca --hostfile hosts\n"
      "  sxbench data push data/alpaca --to /raid/data/alpaca --cluster cluster.json");
  auto flags = std::make_shared<DataPushFlags>();
  path_option(verb->add_option("dataset", flags->dataset, "Folder of a prepared dataset"))->required();
  path_option(verb->add_option("--to", flags->to, "Its folder on the nodes (default: the same path)"));
  verb->add_flag("--allow-network-fs", flags->network_fs_allowed,
                 "Also where that folder is on NFS, Lustre, BeeGFS, GPFS, ...");
  add_push_flags(*verb, flags->push);
  verb->callback([flags, &result] { result = data_push(*flags); });
}

}  // namespace sxb::cli
