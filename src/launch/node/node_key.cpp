#include "launch/node/node_key.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/base64.h"
#include "base/files.h"
#include "base/output.h"
#include "launch/node/agent_input.h"
#include "launch/os/own_folder.h"
#include "launch/transport/node_key_line.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStaleS = 24 * 3600;

/// Both come from the head's command line, and end in a file's name.
Status check_key_name(const std::string& id, const std::string& node) {
  const bool hex = !id.empty() && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (hex && !node.empty() && node.find('/') == std::string::npos) return ok_status();
  return Error{"a node's key needs the id of a run and, in SXBENCH_NODE, the name of the node", "worker key",
               "sxbench starts its workers itself; use `sxbench run`"};
}

std::string key_file(const std::string& id, const std::string& node) { return id + "-" + node; }

void remove_stale_keys(const OwnFolder& folder) {
  for (const OwnFolder::Entry& entry : folder.list()) {
    if (entry.age_s > kStaleS) folder.remove(entry.name);
  }
}

}  // namespace

NodeKeyFolders NodeKeyFolders::standard() {
  return {{fmt::format("/tmp/sxbench-keys-{}", ::geteuid()), cache_dir() / "keys"}};
}

Result<std::string> make_node_key(const NodeKeyFolders& folders, const std::string& id,
                                  const std::string& node) {
  SXB_RETURN_IF_ERROR(check_key_name(id, node));
  const KeyPair pair = make_key_pair();
  Errors errors;
  for (const fs::path& path : folders.paths) {
    std::error_code ec;
    fs::create_directories(path.parent_path(), ec);
    const Result<OwnFolder> folder = OwnFolder::make(path);
    const Status written =
        folder.ok() ? folder->write(key_file(id, node), pair.secret_key) : Status(folder.errors());
    if (written.ok()) {
      remove_stale_keys(*folder);
      return pair.public_key;
    }
    errors.push_back(written.error());
  }
  return errors;
}

Result<KeyPair> read_node_key(const NodeKeyFolders& folders, const std::string& id, const std::string& node) {
  SXB_RETURN_IF_ERROR(check_key_name(id, node));
  for (const fs::path& path : folders.paths) {
    const Result<OwnFolder> folder = OwnFolder::open(path);
    if (!folder.ok()) continue;
    const Result<std::string> secret = folder->read(key_file(id, node));
    const std::optional<KeyPair> pair = secret.ok() ? pair_of(*secret) : std::nullopt;
    if (pair) return *pair;
  }
  return Error{fmt::format("the key that node {} made for this run is gone: the node was restarted, or its "
                           "temporary files were removed",
                           node),
               folders.paths.empty() ? "" : folders.paths.front().string(),
               "run it again; where something empties /tmp meanwhile, set \"transport\": \"ssh\"",
               ExitCode::kEnvironment};
}

void remove_node_key(const NodeKeyFolders& folders, const std::string& id, const std::string& node) {
  if (!check_key_name(id, node).ok()) return;
  for (const fs::path& path : folders.paths) {
    if (const Result<OwnFolder> folder = OwnFolder::open(path); folder.ok())
      folder->remove(key_file(id, node));
  }
}

ExitCode run_key_worker(const std::string& id, bool forget) {
  const NodeKeyFolders folders = NodeKeyFolders::standard();
  if (forget) {
    remove_node_key(folders, id, own_name());
    return ExitCode::kOk;
  }
  const Result<std::string> key = make_node_key(folders, id, own_name());
  if (!key.ok()) {
    // One line: the head shows the last ones.
    const Error& error = key.error();
    write_stderr(fmt::format("{} ({}); {}\n", error.what, error.where, error.help));
    return error.code;
  }
  // In a line of its own, whatever a login has printed before.
  write_stdout("\n" + node_key_line(id, *key) + "\n");
  return ExitCode::kOk;
}

}  // namespace sxb::launch
