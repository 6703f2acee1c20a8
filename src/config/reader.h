// Reads one JSON object into typed fields and collects EVERY error on the way, each with
// "file:/json/pointer", what is wrong and what to do. Keys that nobody asked for are errors too.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::config {

enum class Need { kOptional, kRequired };

/// One line of the table that names an enum's values in JSON.
template <typename E>
struct EnumName {
  E value;
  const char* name;
};

template <typename E, std::size_t N>
std::string enum_name(const EnumName<E> (&names)[N], E value) {
  for (const EnumName<E>& entry : names) {
    if (entry.value == value) return entry.name;
  }
  panic(__FILE__, __LINE__, "an enum value without a name");
}

class ObjectReader {
 public:
  /// `file` is what errors name; `pointer` is where `json` lies in it ("" = the whole document).
  ObjectReader(const Json& json, std::string file, std::string pointer, Errors& errors);

  /// The readers below leave `out` alone if the key is absent or null, so the caller's defaults stand.
  void text(const char* key, std::string& out, Need need = Need::kOptional);
  void flag(const char* key, bool& out);
  void number(const char* key, double& out, double min, double max, Need need = Need::kOptional);
  template <typename Int>
  void integer(const char* key, Int& out, std::int64_t min, std::int64_t max, Need need = Need::kOptional) {
    std::int64_t value = 0;
    if (read_integer(key, value, min, max, need)) out = static_cast<Int>(value);
  }
  /// Like integer() for the full range of 64 bits without sign.
  void unsigned_integer(const char* key, std::uint64_t& out);
  template <typename E, std::size_t N>
  void choice(const char* key, E& out, const EnumName<E> (&names)[N]) {
    std::vector<std::string> known;
    for (const EnumName<E>& entry : names) known.emplace_back(entry.name);
    if (const int i = read_choice(key, known); i >= 0) out = names[i].value;
  }
  /// A reader of the object at `key`; of an empty object if it is absent (required keys in it are
  /// then reported) or not an object (that is reported instead).
  ObjectReader child(const char* key);
  /// A reader of entry `index` of the array at `key`, which must have it.
  ObjectReader element(const char* key, std::size_t index);

  /// The raw value at `key`, nullptr if absent or null; the key then counts as known.
  const Json* find(const char* key);
  const Json& json() const { return *json_; }
  /// "file:/pointer/key"; without a key this object itself.
  std::string where(std::string_view key = {}) const;
  std::string pointer(std::string_view key = {}) const;
  /// Records an error at `key`.
  void error(std::string_view key, std::string what, std::string help);
  /// Records an error at entry `index` of the array at `key`.
  void element_error(std::string_view key, std::size_t index, std::string what, std::string help);

  std::size_t error_count() const { return errors_->size(); }

  /// Reports every key that was not read. Call once, last.
  void finish();

 private:
  bool read_integer(const char* key, std::int64_t& out, std::int64_t min, std::int64_t max, Need need);
  int read_choice(const char* key, const std::vector<std::string>& known);
  const Json* find(const char* key, Need need);

  const Json* json_;
  std::string file_;
  std::string pointer_;
  Errors* errors_;
  std::vector<std::string> known_;
  bool silent_ = false;  ///< stands for a value of the wrong type: already reported
};

/// One reference token of a JSON pointer (RFC 6901: "~" and "/" escaped).
std::string pointer_token(std::string_view key);

/// "an array", "the number 3", "the string \"x\"": how errors call a value.
std::string describe(const Json& value);

}  // namespace sxb::config
