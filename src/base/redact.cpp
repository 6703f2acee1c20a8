#include "base/redact.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sxb {
namespace {

/// TOKENIZERS_PARALLELISM is the one common variable that is no token.
bool holds_token(std::string_view name) {
  for (std::size_t at = name.find("TOKEN"); at != std::string_view::npos; at = name.find("TOKEN", at + 1)) {
    if (!name.substr(at).starts_with("TOKENIZ")) return true;
  }
  return false;
}

bool names_a_secret(std::string_view given) {
  static constexpr std::array kAnywhere = {"SECRET",     "PASSWORD", "PASSWD",    "PASSPHRASE",
                                           "CREDENTIAL", "APIKEY",   "ACCESSKEY", "PRIVATEKEY"};
  static constexpr std::array kWords = {"KEY", "KEYS", "AUTH", "PASS", "PWD"};
  const std::string name = upper(given);
  if (name == "PWD") return false;
  const auto within = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (holds_token(name) || std::any_of(kAnywhere.begin(), kAnywhere.end(), within)) return true;
  const std::vector<std::string> words = split(name, '_');
  return std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
  });
}

/// "scheme://user:password@host": what proxies and registries take.
bool is_url_with_password(std::string_view value) {
  for (std::size_t at = value.find("://"); at != std::string_view::npos; at = value.find("://", at + 3)) {
    const std::string_view authority = value.substr(at + 3, value.find_first_of("/?# ", at + 3) - at - 3);
    const std::size_t host = authority.rfind('@');
    if (host != std::string_view::npos && authority.substr(0, host).find(':') != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool is_secret(std::string_view name, std::string_view value) {
  return names_a_secret(name) || is_url_with_password(value);
}

std::map<std::string, std::string> redacted(std::map<std::string, std::string> environment) {
  for (auto& [name, value] : environment) {
    if (!value.empty() && is_secret(name, value)) value = kRedacted;
  }
  return environment;
}

}  // namespace sxb
