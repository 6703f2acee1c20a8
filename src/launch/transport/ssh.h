// How sxbench calls the system's ssh, and what ssh's messages mean. Pure, but for own_session_options().
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
/// csh and tcsh look for a `!` inside of quotes too, so that it stands outside of them.
std::string remote_command(const std::vector<std::string>& argv,
                           const std::map<std::string, std::string>& env);

/// What keeps a command its stdin and stdout where the user's config sets StdinNull, ForkAfterAuthentication
/// or SessionType: "NAME=value" each. None for an ssh that does not know them, which is older than 8.7 or not
/// OpenSSH: it would refuse them, and IgnoreUnknown would take the place of the user's own.
/// `version`: what `ssh -V` prints.
std::vector<std::string> session_options(const std::string& version);
/// Those of this machine's ssh, which is asked once.
const std::vector<std::string>& own_session_options();

/// The ssh call that executes `command` on `node`. The user's own ssh config applies, below `session` and
/// what the cluster config says. With a `control_dir` commands to the same node share one connection.
std::vector<std::string> ssh_argv(const config::Cluster& cluster, const config::Node& node,
                                  const std::filesystem::path& control_dir, const std::string& command,
                                  const std::vector<std::string>& session = {});

/// ssh_config text that gives each node's name its host, port, user, key and jump host, then includes the
/// user's: for programs that take a config rather than a command line (`ssh -F FILE node001`).
std::string ssh_config(const config::Cluster& cluster, const std::filesystem::path& control_dir,
                       const std::vector<std::string>& session = {});

/// Exit status of ssh itself, as against that of the remote command.
inline constexpr int kSshFailed = 255;

/// How the program ended, from the exit code of remote_command()'s shell.
ExitStatus remote_status(const ExitStatus& status);
/// That shell did not find the program or may not execute it.
bool is_missing_program(const ExitStatus& status);

/// Why ssh ended with kSshFailed, from the last lines of its stderr, which the node's are among. `silent_s`:
/// how long nothing had come from the node.
Loss explain_ssh(const config::Cluster& cluster, const config::Node& node,
                 const std::vector<std::string>& messages, bool was_connected, double silent_s);

/// The program is not there; `path` is where it was looked for.
Loss explain_missing_program(const config::Node& node, const std::string& path);

}  // namespace sxb::launch
