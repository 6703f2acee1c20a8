// sxbench deploy: the installed tree of the head on every node.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/build_info.h"
#include "base/files.h"
#include "base/folder.h"
#include "cli/request/push.h"
#include "cli/request/request.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSlurmDeployHelp =
    "where nodes take ssh logins: --transport ssh; else install it where all nodes see it, or in the "
    "container "
    "image (docs/slurm.md)";

/// The tree around this program. Not a build tree, and not one that it shares with other software: all of
/// it would go to the nodes.
Result<fs::path> own_tree() {
  const fs::path bin = executable_dir(), tree = bin.parent_path();
  const std::string help =
      "install it into a folder of its own and call that one: cmake --install build/release --prefix "
      "/opt/sxbench; /opt/sxbench/bin/sxbench deploy";
  std::error_code ec;
  if (!fs::is_directory(tree / "share/sxbench/configs", ec))
    return Error{"this sxbench is not installed", bin.string(), help};
  for (const fs::path& path : paths_in(bin, ec)) {
    if (path.filename() != "sxbench") {
      return Error{"this sxbench is installed among other programs, which deploy would send too",
                   path.string(), help};
    }
  }
  return tree;
}

/// Where the nodes are to have it: as paths.program says, else as here.
Result<fs::path> tree_on_nodes(const config::Cluster& cluster, const fs::path& own) {
  if (cluster.paths.program.empty()) return own;
  const fs::path program = fs::path(cluster.paths.program).lexically_normal();
  const fs::path tree = program.parent_path().parent_path();
  if (program.is_absolute() && tree != tree.root_path() && program == tree / "bin/sxbench") return tree;
  return Error{fmt::format("\"{}\" is not the program of an installed tree", cluster.paths.program),
               cluster.source + ":/paths/program", "give an absolute path that ends in /bin/sxbench"};
}

std::string judge_tree(const launch::Answer& answer) {
  if (!answer.status.ok()) {
    return fmt::format("its sxbench does not start: {}",
                       answer.err.empty() ? answer.status.text() : answer.err.back());
  }
  for (const std::string& line : answer.out) {
    if (line == "build " + build_id()) return "";
    if (line.rfind("build ", 0) == 0) return fmt::format("it has {}, the head {}", line, build_id());
  }
  return "its sxbench does not say which build it is";
}

Result<std::optional<launch::Distribution>> resolve_deploy(const PushFlags& flags) {
  SXB_ASSIGN_OR_RETURN(std::optional<config::Cluster> cluster, nodes_to_push_to(flags, kSlurmDeployHelp));
  if (!cluster) return std::optional<launch::Distribution>();
  launch::Distribution what;
  SXB_ASSIGN_OR_RETURN(what.source, own_tree());
  SXB_ASSIGN_OR_RETURN(what.target, tree_on_nodes(*cluster, what.source));
  what.cluster = std::move(*cluster);
  what.network_fs_allowed = true;  // A tree that all nodes share is found there by rsync, and is as good.
  what.checksum = flags.checksum;
  what.proof = {(what.target / "bin/sxbench").string(), "--version"};
  what.judge = judge_tree;
  return std::optional<launch::Distribution>(std::move(what));
}

ExitCode deploy(const PushFlags& flags) {
  ExitCode code = ExitCode::kOk;
  const auto resolved = value_or_explain(resolve_deploy(flags), code);
  if (!resolved) return code;
  if (!*resolved) {
    print_out("nothing to deploy: every node of this cluster is this machine\n");
    return ExitCode::kOk;
  }
  const launch::Distribution& what = **resolved;
  code = push(what, flags, "build", build_id());
  std::error_code ec;
  const fs::path lib = what.source / "lib";
  if (fs::exists(lib / "libsxbench_engine.so", ec) && !fs::exists(lib / "libtorch", ec)) {
    print_err(
        "warning: libtorch is not in the tree, so the nodes need the folder that it was built with\n"
        "help: cmake --install build/release --prefix {} --component libtorch; then deploy again\n",
        what.source.string());
  }
  return code;
}

}  // namespace

void add_deploy(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand("deploy", "Put this sxbench on every node, verify the build there");
  verb->footer(
      "Examples:\n"
      "  sxbench deploy --hostfile hosts\n"
      "  sxbench deploy --cluster cluster.json --nodes 4\n"
      "  sxbench deploy --dry-run                             who would send to whom, with which command");
  auto flags = std::make_shared<PushFlags>();
  add_push_flags(*verb, *flags);
  verb->callback([flags, &result] { result = deploy(*flags); });
}

}  // namespace sxb::cli
