#include "config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace sxb::config {
namespace {

const Json& empty_object() {
  static const Json kEmpty = Json::object();
  return kEmpty;
}

std::string range_text(double min, double max) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (max == infinity) return fmt::format("{} or more", min);
  return fmt::format("from {} to {}", min, max);
}

}  // namespace

std::string pointer_token(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

std::string describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_string()) return fmt::format("the string {}", dump(value));
  if (value.is_number()) return fmt::format("the number {}", dump(value));
  return dump(value);
}

ObjectReader::ObjectReader(const Json& json, std::string file, std::string pointer, Errors& errors)
    : json_(&json), file_(std::move(file)), pointer_(std::move(pointer)), errors_(&errors) {
  if (json.is_object()) return;
  errors_->push_back({fmt::format("expected an object, found {}", describe(json)), where(), "write { ... }"});
  json_ = &empty_object();
  silent_ = true;
}

std::string ObjectReader::pointer(std::string_view key) const {
  return key.empty() ? pointer_ : pointer_ + "/" + pointer_token(key);
}

std::string ObjectReader::where(std::string_view key) const {
  const std::string full = pointer(key);
  return file_ + ":" + (full.empty() ? "/" : full);
}

void ObjectReader::error(std::string_view key, std::string what, std::string help) {
  errors_->push_back({std::move(what), where(key), std::move(help)});
}

const Json* ObjectReader::find(const char* key) {
  known_.emplace_back(key);
  const auto it = json_->find(key);
  return it == json_->end() || it->is_null() ? nullptr : &*it;
}

const Json* ObjectReader::find(const char* key, Need need) {
  const Json* value = find(key);
  if (value == nullptr && need == Need::kRequired && !silent_) {
    error(key, fmt::format("the key \"{}\" is missing", key), "add it");
  }
  return value;
}

void ObjectReader::text(const char* key, std::string& out, Need need) {
  const Json* value = find(key, need);
  if (value == nullptr) return;
  if (!value->is_string()) {
    error(key, fmt::format("expected a string, found {}", describe(*value)), "put it in double quotes");
    return;
  }
  out = value->get<std::string>();
  if (need == Need::kRequired && out.empty()) error(key, "the string is empty", "write a value");
}

void ObjectReader::flag(const char* key, bool& out) {
  const Json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) {
    error(key, fmt::format("expected true or false, found {}", describe(*value)), "write true or false");
    return;
  }
  out = value->get<bool>();
}

void ObjectReader::number(const char* key, double& out, double min, double max, Need need) {
  const Json* value = find(key, need);
  if (value == nullptr) return;
  if (!value->is_number()) {
    error(key, fmt::format("expected a number, found {}", describe(*value)),
          fmt::format("write a number {}", range_text(min, max)));
    return;
  }
  const double read = value->get<double>();
  if (!(read >= min && read <= max)) {
    error(key, fmt::format("{} is out of range", dump(*value)),
          fmt::format("write a number {}", range_text(min, max)));
    return;
  }
  out = read;
}

bool ObjectReader::read_integer(const char* key, std::int64_t& out, std::int64_t min, std::int64_t max,
                                Need need) {
  const Json* value = find(key, need);
  if (value == nullptr) return false;
  const std::string help = fmt::format("write an integer from {} to {}", min, max);
  // 1e3 is an integer for people, though not for the JSON parser.
  const bool integral =
      value->is_number_integer() || (value->is_number_float() && std::abs(value->get<double>()) < 9e15 &&
                                     std::floor(value->get<double>()) == value->get<double>());
  if (!integral) {
    error(key, fmt::format("expected an integer, found {}", describe(*value)), help);
    return false;
  }
  const bool too_large =
      value->is_number_unsigned() &&
      value->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t read = too_large ? 0 : value->get<std::int64_t>();
  if (too_large || read < min || read > max) {
    error(key, fmt::format("{} is out of range", dump(*value)), help);
    return false;
  }
  out = read;
  return true;
}

void ObjectReader::unsigned_integer(const char* key, std::uint64_t& out) {
  const Json* value = find(key);
  if (value == nullptr) return;
  const bool negative =
      !value->is_number_unsigned() && value->is_number_integer() && value->get<std::int64_t>() < 0;
  if (!value->is_number_integer() || negative) {
    error(key, fmt::format("expected an integer of 0 or more, found {}", describe(*value)),
          "write e.g. 1234");
    return;
  }
  out = value->get<std::uint64_t>();
}

int ObjectReader::read_choice(const char* key, const std::vector<std::string>& known) {
  const Json* value = find(key);
  if (value == nullptr) return -1;
  if (value->is_string()) {
    const auto it = std::find(known.begin(), known.end(), value->get<std::string>());
    if (it != known.end()) return static_cast<int>(it - known.begin());
    error(key, fmt::format("unknown value {}", dump(*value)), suggest(value->get<std::string>(), known));
  } else {
    error(key, fmt::format("expected a string, found {}", describe(*value)), "known: " + join(known, ", "));
  }
  return -1;
}

ObjectReader ObjectReader::child(const char* key) {
  const Json* value = find(key);
  return ObjectReader(value != nullptr ? *value : empty_object(), file_, pointer(key), *errors_);
}

ObjectReader ObjectReader::element(const char* key, std::size_t index) {
  return ObjectReader(json_->at(key).at(index), file_, fmt::format("{}/{}", pointer(key), index), *errors_);
}

void ObjectReader::element_error(std::string_view key, std::size_t index, std::string what,
                                 std::string help) {
  errors_->push_back({std::move(what), fmt::format("{}/{}", where(key), index), std::move(help)});
}

void ObjectReader::finish() {
  for (const auto& item : json_->items()) {
    if (std::find(known_.begin(), known_.end(), item.key()) != known_.end()) continue;
    error(item.key(), fmt::format("unknown key \"{}\"", item.key()), suggest(item.key(), known_));
  }
}

}  // namespace sxb::config
