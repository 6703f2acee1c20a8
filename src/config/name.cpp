#include "config/name.h"

#include <algorithm>
#include <cctype>

namespace sxb::config {
namespace {

bool in_name(unsigned char c) {
  return c < 0x80 && (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.');
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameLength && std::all_of(text.begin(), text.end(), in_name);
}

std::string as_name(std::string_view text) {
  std::string name(text.substr(0, kMaxNameLength));
  for (char& c : name) {
    if (!in_name(static_cast<unsigned char>(c))) c = '-';
  }
  return name.empty() ? "unnamed" : name;
}

}  // namespace sxb::config
