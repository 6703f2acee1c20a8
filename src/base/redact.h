// Which variables of an environment hold a secret, and what is written and shown in its place.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sxb {

/// Stands where the value of a secret would.
inline constexpr const char* kRedacted = "<redacted>";

/// By the name, in any case of its letters: TOKEN, SECRET, PASSWORD, PASSWD, PASSPHRASE, CREDENTIAL, APIKEY,
/// ACCESSKEY or PRIVATEKEY anywhere in it (TOKENIZER is none), or one of the words between its underscores is
/// KEY, KEYS, AUTH, PASS or PWD (the variable PWD itself is a folder). By the value: a URL with a password,
/// "http://user:password@proxy". None of NCCL's own variables is one: NCCL_IB_PKEY has no word KEY.
bool is_secret(std::string_view name, std::string_view value);

/// The environment with kRedacted as the value of each secret; an empty one stays empty.
std::map<std::string, std::string> redacted(std::map<std::string, std::string> environment);

}  // namespace sxb
