// One table of settings per struct: a row says key, member, bounds, unit and meaning once. Reader, writer,
// JSON Schema, flags and the tables of docs/configuration.md are made from it: a new setting is one row and
// its use. What a row cannot say (lists, cross-checks, defaults that depend on another key) is a function
// that the row names.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "config/reader.h"

namespace sxb::config {

template <typename Number>
struct Bounds {
  Number min, max;
};

/// What a row may say beside key, member, bounds and help.
struct Extra {
  Need need = Need::kOptional;
  bool zero_is_unsaid = false;      ///< 0, "" and false mean "not said": the writer leaves them out
  const char* otherwise = nullptr;  ///< what holds without the key, where that is no fixed value
  const char* unit = nullptr;       ///< "s", "bytes"
  const char* flag = nullptr;       ///< "--micro-batch": a flag that stands for the key
  const char* variable = nullptr;   ///< "SXBENCH_MICRO_BATCH": the same in the environment
  const char* values = nullptr;     ///< for documents, where the schema is no help
  Json schema = nullptr;            ///< merged into the schema that the row gives
};

/// A row as everything but reader and writer sees it.
struct RowInfo {
  std::string key;   ///< with the sections around it: "training.comm.symmetric", "nodes[].host"
  std::string help;  ///< what it is
  Json schema;       ///< JSON Schema of the value
  Extra extra;
  std::string pointer() const;  ///< "/training/comm/symmetric"
};

/// The rows of a table without the struct behind them.
class Rows {
 public:
  /// Those of sections and lists below included, each section before its rows.
  const std::vector<RowInfo>& infos() const { return infos_; }
  /// JSON Schema of the object.
  Json schema() const;
  bool requires_a_key() const { return !required_.empty(); }

 protected:
  void describe(const char* key, Json schema, const std::string& help, const Extra& extra);
  /// Adds the rows of a section ("comm") or of the entries of a list ("nics[]").
  void describe_below(const std::string& prefix, const Rows& below);

 private:
  std::vector<RowInfo> infos_;
  Json properties_ = Json::object();
  std::vector<std::string> required_;
};

Json integer_schema(std::int64_t min, std::int64_t max);
Json number_schema(double min, double max);
/// A number as people write it: 10000, not 10000.0.
Json plain_number(double value);

/// The row of a flag as its help text has it: meaning, values, unit, default.
std::string flag_help(const RowInfo& row);
/// What holds without the key: "required", a value, or `otherwise`; "" if nothing does.
std::string default_text(const RowInfo& row);
/// "| key | what | values | default |" of all rows.
std::string markdown_table(const Rows& rows);

template <typename T>
class Table : public Rows {
 public:
  using Read = std::function<void(ObjectReader&, T&)>;
  using Write = std::function<void(const T&, Json& object)>;  ///< adds the key, or leaves it out

  template <typename Member>
  void text(const char* key, Member member, const char* help, const Extra& extra = {}) {
    Json schema = {{"type", "string"}};
    if (extra.need == Need::kRequired) schema["minLength"] = 1;
    if (const T initial{}; !(initial.*member).empty()) schema["default"] = initial.*member;
    add(
        key, std::move(schema), help, extra,
        [=, need = extra.need](ObjectReader& reader, T& out) { reader.text(key, out.*member, need); },
        writer(key, member, extra, [](const auto& value) { return Json(value); }));
  }

  template <typename Member>
  void flag(const char* key, Member member, const char* help, const Extra& extra = {}) {
    add(
        key, {{"type", "boolean"}, {"default", T{}.*member}}, help, extra,
        [=](ObjectReader& reader, T& out) { reader.flag(key, out.*member); },
        writer(key, member, extra, [](const auto& value) { return Json(value); }));
  }

  template <typename Member>
  void integer(const char* key, Member member, Bounds<std::int64_t> bounds, const char* help,
               const Extra& extra = {}) {
    Json schema = integer_schema(bounds.min, bounds.max);
    if (has_default(extra)) schema["default"] = T{}.*member;
    add(
        key, std::move(schema), help, extra,
        [=, need = extra.need](ObjectReader& reader, T& out) {
          reader.integer(key, out.*member, bounds.min, bounds.max, need);
        },
        writer(key, member, extra, [](const auto& value) { return Json(value); }));
  }

  /// All of 64 bits without sign.
  void unsigned_integer(const char* key, std::uint64_t T::*member, const char* help) {
    add(
        key, {{"type", "integer"}, {"minimum", 0}, {"default", T{}.*member}}, help, {},
        [=](ObjectReader& reader, T& out) { reader.unsigned_integer(key, out.*member); },
        writer(key, member, {}, [](const auto& value) { return Json(value); }));
  }

  void number(const char* key, double T::*member, Bounds<double> bounds, const char* help,
              const Extra& extra = {}) {
    Json schema = number_schema(bounds.min, bounds.max);
    if (has_default(extra)) schema["default"] = plain_number(T{}.*member);
    add(
        key, std::move(schema), help, extra,
        [=, need = extra.need](ObjectReader& reader, T& out) {
          reader.number(key, out.*member, bounds.min, bounds.max, need);
        },
        writer(key, member, extra, [](double value) { return Json(value); }));
  }

  /// Absent = nullopt. `bounds.min` is 0 or more.
  void number(const char* key, std::optional<double> T::*member, Bounds<double> bounds, const char* help,
              const Extra& extra = {}) {
    add(
        key, number_schema(bounds.min, bounds.max), help, extra,
        [=](ObjectReader& reader, T& out) {
          double value = -1;
          reader.number(key, value, bounds.min, bounds.max);
          if (value >= 0) out.*member = value;
        },
        [=](const T& value, Json& object) {
          if (value.*member) object[key] = *(value.*member);
        });
  }

  /// One of the names of an enum; `names` lives as long as the program.
  template <typename Enum, std::size_t N>
  void choice(const char* key, Enum T::*member, const EnumName<Enum> (&names)[N], const char* help,
              const Extra& extra = {}) {
    Json known = Json::array();
    for (const EnumName<Enum>& entry : names) known.push_back(entry.name);
    add(
        key, {{"enum", known}, {"default", enum_name(names, T{}.*member)}}, help, extra,
        [=, &names](ObjectReader& reader, T& out) { reader.choice(key, out.*member, names); },
        writer(key, member, extra, [&names](Enum value) { return Json(enum_name(names, value)); }));
  }

  /// A section: an object with a table of its own, which lives as long as the program.
  template <typename Section>
  void section(const char* key, Section T::*member, const Table<Section>& table, const char* help) {
    Extra extra;
    if (table.requires_a_key()) extra.need = Need::kRequired;
    add(
        key, table.schema(), help, extra,
        [=, &table](ObjectReader& reader, T& out) { table.read(reader.child(key), out.*member); },
        [=, &table](const T& value, Json& object) { object[key] = table.write(value.*member); });
    describe_below(key, table);
  }

  /// An array of objects; `example` is what an error tells to write.
  template <typename Entry>
  void list(const char* key, std::vector<Entry> T::*member, const Table<Entry>& table, const char* help,
            const char* example) {
    Extra extra;
    extra.values = "list";
    add(
        key, {{"type", "array"}, {"items", table.schema()}}, help, extra,
        [=, &table](ObjectReader& reader, T& out) {
          const Json* entries = reader.find(key);
          if (entries == nullptr) return;
          if (!entries->is_array()) {
            return reader.error(key, "expected an array, found " + config::describe(*entries),
                                std::string("write e.g. ") + example);
          }
          for (std::size_t i = 0; i < entries->size(); ++i) {
            table.read(reader.element(key, i), (out.*member).emplace_back());
          }
        },
        [=, &table](const T& value, Json& object) {
          Json& entries = object[key] = Json::array();
          for (const Entry& entry : value.*member) entries.push_back(table.write(entry));
        });
    describe_entries(key, table);
  }

  /// A key that no other kind of row describes. `schema` comes without description.
  void custom(const char* key, Json schema, const char* help, Read read, Write write,
              const Extra& extra = {}) {
    add(key, std::move(schema), help, extra, std::move(read), std::move(write));
  }

  /// Rows of what a custom row holds: the entries of a list.
  void describe_entries(const char* key, const Rows& entry) {
    describe_below(std::string(key) + "[]", entry);
  }

  /// "$schema", which only editors read.
  void editor_schema() {
    const auto read = [](ObjectReader& reader, T&) {
      std::string ignored;
      reader.text("$schema", ignored);
    };
    custom("$schema", {{"type", "string"}}, "this schema, for editors", read, [](const T&, Json&) {});
  }

  /// What is checked across keys, after all rows.
  void check(Read check) { check_ = std::move(check); }

  void read(ObjectReader reader, T& out) const {
    for (const Row& row : rows_) row.read(reader, out);
    if (check_) check_(reader, out);
    reader.finish();
  }

  Json write(const T& value) const {
    Json object = Json::object();
    for (const Row& row : rows_) row.write(value, object);
    return object;
  }

  /// Sets the one key at `pointer`, as a flag does; errors come with an empty file name before ":/pointer".
  void set(const std::string& pointer, Json value, T& out, Errors& errors) const {
    Json object = Json::object();
    object[Json::json_pointer(pointer)] = std::move(value);
    ObjectReader reader(object, "", "", errors);
    for (const Row& row : rows_) {
      if (object.contains(row.key)) row.read(reader, out);
    }
  }

 private:
  struct Row {
    const char* key;
    Read read;
    Write write;
  };

  static bool has_default(const Extra& extra) {
    return extra.need == Need::kOptional && !extra.zero_is_unsaid && extra.otherwise == nullptr;
  }

  template <typename Member, typename Make>
  static Write writer(const char* key, Member member, const Extra& extra, Make make) {
    return [=, unsaid = extra.zero_is_unsaid](const T& value, Json& object) {
      using Value = std::decay_t<decltype(value.*member)>;
      if (unsaid && value.*member == Value{}) return;
      object[key] = make(value.*member);
    };
  }

  void add(const char* key, Json schema, const char* help, const Extra& extra, Read read, Write write) {
    describe(key, std::move(schema), help, extra);
    rows_.push_back({key, std::move(read), std::move(write)});
  }

  std::vector<Row> rows_;
  Read check_;
};

}  // namespace sxb::config
