#include "launch/transport/ssh_line.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <sstream>

#include "base/files.h"

namespace sxb::launch {
namespace {

/// An address as the kernel's tables have it: 32-bit words in the machine's own order, in hexadecimal.
/// Empty if `text` is none.
std::string in_table(int family, const std::string& text) {
  std::array<std::uint32_t, 4> words{};
  if (::inet_pton(family, text.c_str(), words.data()) != 1) return "";
  std::string hex;
  for (std::size_t i = 0; i < (family == AF_INET ? 1u : 4u); ++i) hex += fmt::format("{:08X}", words[i]);
  return hex;
}

/// The forms that an address may have in the tables; the second is that of a socket of both families.
std::vector<std::string> forms_of(std::string address) {
  address = address.substr(0, address.find('%'));
  const std::string v4 = in_table(AF_INET, address), v6 = in_table(AF_INET6, address);
  if (!v4.empty()) return {v4, in_table(AF_INET6, "::ffff:" + address)};
  if (!v6.empty()) return {v6};
  return {};
}

}  // namespace

std::optional<SshLine> SshLine::parse(const std::string& ssh_connection) {
  std::istringstream in(ssh_connection);
  std::string client, server;
  std::uint16_t client_port = 0, server_port = 0;
  if (!(in >> client >> client_port >> server >> server_port)) return std::nullopt;
  const std::vector<std::string> remote = forms_of(client), local = forms_of(server);
  if (remote.empty() || remote.size() != local.size()) return std::nullopt;
  SshLine line;
  for (std::size_t i = 0; i < local.size(); ++i) {
    line.forms_.push_back(
        {fmt::format("{}:{:04X}", local[i], server_port), fmt::format("{}:{:04X}", remote[i], client_port)});
  }
  return line;
}

bool SshLine::unanswered() const {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const Result<std::string> text = read_file(table);
    if (text.ok() && unanswered(*text)) return true;
  }
  return false;
}

/// "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode": `retrnsmt` are
/// repetitions, `timeout` probes of a closed window; both are 0 again with the next acknowledgement.
bool SshLine::unanswered(std::string_view table) const {
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, repeated;
    long uid = 0, probes = 0;
    if (!(words >> number >> local >> remote >> state >> queues >> timer >> repeated >> uid >> probes))
      continue;
    for (const Ends& ends : forms_) {
      if (ends.local == local && ends.remote == remote) return repeated != "00000000" || probes != 0;
    }
  }
  return false;
}

}  // namespace sxb::launch
