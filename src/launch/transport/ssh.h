// How sxbench calls the system's ssh, and what ssh's messages mean. Pure.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/cluster/cluster.h"
#include "launch/transport/transport.h"

namespace sxb::launch {

/// The line that a login shell of any kind executes: `exec env NAME='value' /bin/sh -c 'program arguments;
/// exit $?'`. The inner shell is there to tell by which signal the program died, which ssh keeps to itself.
std::string remote_command(const std::vector<std::string>& argv,
                           const std::map<std::string, std::string>& env);

/// The ssh call that executes `command` on `node`. The user's own ssh config applies, below what the
/// cluster config says. With a `control_dir` commands to the same node share one connection.
std::vector<std::string> ssh_argv(const config::Cluster& cluster, const config::Node& node,
                                  const std::filesystem::path& control_dir, const std::string& command);

/// ssh_config text that gives each node's name its host, port, user, key and jump host, then includes the
/// user's: for programs that take a config rather than a command line (`ssh -F FILE node001`).
std::string ssh_config(const config::Cluster& cluster, const std::filesystem::path& control_dir);

/// Exit status of ssh itself, as against that of the remote command.
inline constexpr int kSshFailed = 255;

/// How the program ended, from the exit code of remote_command()'s shell.
ExitStatus remote_status(const ExitStatus& status);
/// That shell did not find the program or may not execute it.
bool is_missing_program(const ExitStatus& status);

/// Why ssh ended with kSshFailed, from the last lines of its stderr. `silent_s`: how long nothing had
/// come from the node.
Loss explain_ssh(const config::Cluster& cluster, const config::Node& node,
                 const std::vector<std::string>& messages, bool was_connected, double silent_s);

/// The program is not there; `path` is where it was looked for.
Loss explain_missing_program(const config::Node& node, const std::string& path);

}  // namespace sxb::launch
