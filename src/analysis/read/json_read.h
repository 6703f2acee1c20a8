// Reading fields that may be absent: what a record does not hold is missing, never zero.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace sxb::analysis {

/// The member `key`, or null if `object` is no object or lacks it.
inline const Json& member(const Json& object, const std::string& key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

inline std::optional<double> number(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  if (!value.is_number()) return std::nullopt;
  const double result = value.get<double>();
  return std::isfinite(result) ? std::optional(result) : std::nullopt;
}

inline std::optional<std::int64_t> integer(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  if (value.is_number_integer()) return value.get<std::int64_t>();
  const std::optional<double> real = number(object, key);
  return real ? std::optional(std::llround(*real)) : std::nullopt;
}

/// "" if absent or not a string.
inline std::string text(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline bool flag(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  return value.is_boolean() && value.get<bool>();
}

}  // namespace sxb::analysis
