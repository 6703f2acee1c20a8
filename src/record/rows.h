// Visitors of the tables of fields; included only by the files that hold a table (src/record/kinds/*.cpp).
//
// A struct's table is a function template rows(visit, fields), which calls visit(member, row) for each
// member: the one place that names a field. Reading, writing, checking and listing are visitors.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "record/typed.h"

namespace sxb::record {

/// R is T or const T: one table serves readers and writers.
template <typename R, typename T>
concept Of = std::same_as<std::remove_const_t<R>, T>;

struct AnyVisitor {
  template <typename T>
  void operator()(T& member, const Row& row);
};
/// A struct with a table.
template <typename T>
concept Struct = std::is_class_v<T> && requires(AnyVisitor& visit, T& fields) {
  rows(visit, fields);
};

// --- one value: take() is true if `json` is of the type of `out`, which then has it
// ------------------------------

inline bool take(const Json& json, Json& out) {
  out = json;
  return true;
}

inline bool take(const Json& json, std::string& out) {
  if (!json.is_string()) return false;
  out = json.get<std::string>();
  return true;
}

inline bool take(const Json& json, bool& out) {
  if (!json.is_boolean()) return false;
  out = json.get<bool>();
  return true;
}

inline bool take(const Json& json, double& out) {
  if (!json.is_number()) return false;
  out = json.get<double>();
  return std::isfinite(out);
}

/// A number near a whole one: other programs write 3.0.
template <std::signed_integral Int>
bool take(const Json& json, Int& out) {
  std::int64_t value = 0;
  if (json.is_number_unsigned()) {
    if (!std::in_range<std::int64_t>(json.get<std::uint64_t>())) return false;
    value = json.get<std::int64_t>();
  } else if (json.is_number_integer()) {
    value = json.get<std::int64_t>();
  } else {
    double real = 0;
    if (!take(json, real) || std::abs(real) > 9e18) return false;
    value = std::llround(real);
  }
  out = static_cast<Int>(value);
  return std::in_range<Int>(value);
}

template <Struct T>
bool take(const Json& json, T& out);

template <typename T>
bool take(const Json& json, std::optional<T>& out) {
  if (json.is_null()) return true;
  T value{};
  if (!take(json, value)) return false;
  out = std::move(value);
  return true;
}

template <typename T>
bool take(const Json& json, std::vector<T>& out) {
  if (!json.is_array()) return false;
  out.resize(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (!take(json[i], out[i])) return false;
  }
  return true;
}

template <typename T>
bool take(const Json& json, std::map<std::string, T>& out) {
  if (!json.is_object()) return false;
  for (const auto& item : json.items()) {
    if (!take(item.value(), out[item.key()])) return false;
  }
  return true;
}

// --- visitors
// ----------------------------------------------------------------------------------------------------

/// Fills a struct. What does not fit is left as it is: not there.
struct Reader {
  const Json& object;

  template <typename T>
  void operator()(T& member, const Row& row) {
    const auto found = object.find(row.name);
    if (found == object.end() || found->is_null()) return;
    T value{};
    if (take(*found, value)) member = std::move(value);
  }
};

template <Struct T>
bool take(const Json& json, T& out) {
  if (!json.is_object()) return false;
  Reader reader{json};
  rows(reader, out);
  return true;
}

template <typename T>
Json value_of(const T& value) {
  return value;
}
template <Struct T>
Json value_of(const T& value);
template <typename T>
Json value_of(const std::optional<T>& value) {
  return value ? value_of(*value) : Json();
}
template <typename T>
Json value_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(value_of(value));
  return list;
}

template <typename T>
bool is_absent(const T& value) {
  if constexpr (requires { value.has_value(); }) {
    return !value.has_value();
  } else if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else {
    return false;
  }
}

struct Writer {
  Json object = Json::object();

  template <typename T>
  void operator()(const T& member, const Row& row) {
    const bool optional = requires { member.has_value(); };
    if (!is_absent(member) || (row.absent == Absent::kDefault && !optional)) {
      object[row.name] = value_of(member);
    } else if (row.absent == Absent::kNull) {
      object[row.name] = nullptr;
    }
  }
};

template <Struct T>
Json value_of(const T& value) {
  Writer writer;
  rows(writer, value);
  return std::move(writer.object);
}

template <typename T>
struct Inner {
  using Type = T;
};
template <typename T>
struct Inner<std::optional<T>> : Inner<T> {};
template <typename T>
struct Inner<std::vector<T>> : Inner<T> {};

template <typename T>
std::string type_name() {
  if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "flag";
  } else if constexpr (std::is_integral_v<T>) {
    return "integer";
  } else if constexpr (std::is_floating_point_v<T>) {
    return "number";
  } else if constexpr (std::is_same_v<T, Json>) {
    return "JSON";
  } else if constexpr (Struct<T> || requires { typename T::mapped_type; }) {
    return "object";
  } else if constexpr (requires(T value) { value.has_value(); }) {
    return type_name<typename T::value_type>();
  } else {
    return "list of " + type_name<typename T::value_type>();
  }
}

struct Lister {
  const char* kind;
  std::vector<Field> fields;

  template <typename T>
  void operator()(T&, const Row& row) {
    Field field{row, kind, type_name<T>(), {}};
    if constexpr (Struct<typename Inner<T>::Type>) {
      typename Inner<T>::Type inner;
      Lister lister{"", {}};
      rows(lister, inner);
      field.members = std::move(lister.fields);
    }
    fields.push_back(std::move(field));
  }
};

/// Finds the row of a member by its address.
struct Finder {
  const void* wanted;
  Row found{};

  template <typename T>
  void operator()(const T& member, const Row& row) {
    if (&member == wanted) found = row;
  }
};

/// Collects the paths of values that do not fit.
struct Checker {
  const Json& object;
  std::string prefix;
  std::vector<std::string>& out;

  template <typename T>
  void operator()(T&, const Row& row) {
    const auto found = object.find(row.name);
    if (found != object.end() && !found->is_null()) check<T>(*found, prefix + row.name);
  }

  template <typename T>
  void check(const Json& json, const std::string& path) {
    using InnerType = typename Inner<T>::Type;
    T value{};
    if (!take(json, value)) {
      out.push_back(path);
    } else if constexpr (Struct<InnerType>) {
      if (!json.is_array()) return check_struct<InnerType>(json, path + "/");
      for (std::size_t i = 0; i < json.size(); ++i)
        check_struct<InnerType>(json[i], path + "/" + std::to_string(i) + "/");
    }
  }

  template <Struct T>
  void check_struct(const Json& json, const std::string& path) {
    T fields;
    Checker checker{json, path, out};
    rows(checker, fields);
  }
};

// --- what typed.h declares
// -----------------------------------------------------------------------------------------

template <typename T>
T read(const Json& data) {
  T fields;
  take(data, fields);
  return fields;
}

template <typename T>
Json write(const T& fields) {
  return value_of(fields);
}

template <typename T>
const std::vector<Field>& fields_of() {
  static const std::vector<Field> table = [] {
    T fields;
    Lister lister{T::kKind, {}};
    rows(lister, fields);
    return std::move(lister.fields);
  }();
  return table;
}

template <typename T>
Row row_at(const T& fields, const void* member) {
  Finder finder{member};
  rows(finder, fields);
  return finder.found;
}

template <typename T>
std::vector<std::string> misfits(const Json& data) {
  std::vector<std::string> out;
  T fields;
  Checker checker{data, "", out};
  rows(checker, fields);
  return out;
}

}  // namespace sxb::record

/// Compiles the functions of typed.h for a kind, here and nowhere else.
#define SXB_RECORD_KIND(T)                           \
  template T read<T>(const Json&);                   \
  template Json write<T>(const T&);                  \
  template const std::vector<Field>& fields_of<T>(); \
  template Row row_at<T>(const T&, const void*);     \
  template std::vector<std::string> misfits<T>(const Json&);
