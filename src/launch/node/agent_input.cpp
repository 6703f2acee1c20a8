#include "launch/node/agent_input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "base/build_info.h"
#include "launch/node/emitter.h"
#include "launch/node/node_key.h"
#include "launch/transport/bundle.h"
#include "launch/transport/ssh_line.h"

namespace sxb::launch {
namespace {

/// Before anything else is read: a head of another build may mean something else by every key.
Status check_build(const Json& task) {
  const auto text = [&](const char* key) {
    const auto it = task.find(key);
    return it == task.end() ? std::string("?") : it->is_string() ? it->get<std::string>() : dump(*it);
  };
  const std::string own = fmt::format("{}, protocol {}", build_id(), kProtocolVersion);
  const std::string head = fmt::format("{}, protocol {}", text("build_id"), text("protocol"));
  if (own == head) return ok_status();
  return Error{
      fmt::format("node {} runs another sxbench than the head: \"{}\", head \"{}\"", text("node"), own, head),
      "", "put the head's sxbench on it: sxbench deploy", ExitCode::kEnvironment};
}

/// The first line is the task, and a sign of life follows: what reads the one finds the other.
Error nothing_on_stdin(const std::string& what) {
  return {
      "the task did not reach the agent: " + what, "stdin",
      "something that the login runs reads stdin (~/.bashrc, a ForceCommand), or ssh gives it none: `echo x "
      "| ssh NODE cat` has to print x. People call `sxbench run`",
      ExitCode::kEnvironment};
}

}  // namespace

std::string own_name() {
  for (const char* variable : {"SXBENCH_NODE", "SLURMD_NODENAME"}) {
    if (const char* name = std::getenv(variable); name != nullptr && *name != '\0') return name;
  }
  return "";
}

std::function<bool()> cut_off_where_nothing_is_sent(const std::string& bundle) {
  const char* connection = std::getenv("SSH_CONNECTION");
  if (bundle.empty() || bundle == "-" || connection == nullptr) return {};
  const std::optional<SshLine> line = SshLine::parse(connection);
  if (!line) return {};
  return [line] { return line->unanswered(); };
}

Result<AgentInput> read_agent_input(const std::string& bundle) {
  std::string text;
  bool sign_of_life = false;
  if (bundle.empty() || bundle == "-") {
    Result<InputLine> line = read_line(STDIN_FILENO, "an agent task");
    if (!line.ok()) return nothing_on_stdin(line.error().what);
    text = std::move(line->text);
    sign_of_life = line->more;
    if (text.find_first_not_of(" \t\r") == std::string::npos) return nothing_on_stdin("it was an empty line");
  }
  if (bundle == "-") {
    SXB_ASSIGN_OR_RETURN(text, unpack_bundle(text, own_name()));
  } else if (!bundle.empty()) {
    SXB_ASSIGN_OR_RETURN(const KeyPair key,
                         read_node_key(NodeKeyFolders::standard(), bundle_id(bundle), own_name()));
    SXB_ASSIGN_OR_RETURN(text, open_bundle(bundle, key, own_name()));
  }
  Result<Json> json = parse_json(text, "stdin");
  if (!json.ok()) return nothing_on_stdin("what came is no JSON");
  return AgentInput{std::move(*json), sign_of_life};
}

Origin origin_of(const Json& input) {
  const auto text = [](const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto task = input.is_object() ? input.find("task") : input.end();
  return {task != input.end() ? text(*task, "id") : "", text(input, "node"), -1, text(input, "nonce")};
}

Result<AgentTask> agent_task_of(const Json& input) {
  SXB_RETURN_IF_ERROR(check_build(input));
  return parse_agent_task(input, "stdin");
}

}  // namespace sxb::launch
