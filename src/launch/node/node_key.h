// The key of a node for a run whose transport can tell its agents nothing in private (pdsh): `worker key`
// makes it, the head seals their tasks with its public half, the agent opens its task with the secret half.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace sxb::launch {

/// Where the secret halves are kept, each in a file named after run and node: nodes may share a file system.
/// The first that can be used is.
struct NodeKeyFolders {
  std::vector<std::filesystem::path> paths;
  /// /tmp/sxbench-keys-UID, then a folder in the cache. No folder that ends with a login, as /dev/shm may and
  /// /run/user does: the login that makes the key is over before the one that needs it begins.
  static NodeKeyFolders standard();
};

/// Makes the key of `node` for the run `id` (32 hex digits) and returns its public half. Removes those that
/// runs left there more than a day ago.
Result<std::string> make_node_key(const NodeKeyFolders& folders, const std::string& id,
                                  const std::string& node);

/// The key that make_node_key() made.
Result<KeyPair> read_node_key(const NodeKeyFolders& folders, const std::string& id, const std::string& node);

/// At the end of the run.
void remove_node_key(const NodeKeyFolders& folders, const std::string& id, const std::string& node);

/// `sxbench worker key`: prints the public half for the head, or, to `forget`, removes the key.
ExitCode run_key_worker(const std::string& id, bool forget);

}  // namespace sxb::launch
