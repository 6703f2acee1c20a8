// A new setting is one row: a table made here shows up in reader, writer, schema, help and documents.
#include "config/table.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/files.h"
#include "config/cluster/cluster_settings.h"
#include "config/model/model_settings.h"
#include "config/settings/documents.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Colour { kRed, kGreen };
constexpr EnumName<Colour> kColours[] = {{Colour::kRed, "red"}, {Colour::kGreen, "green"}};

struct Lamp {
  std::int64_t watts = 0;
  double angle = 30;
};
struct Room {
  std::string name;
  std::int64_t wait_s = 15;
  Colour colour = Colour::kRed;
  bool dark = false;
  std::optional<double> goal;
  Lamp lamp;
  std::vector<Lamp> lamps;
};

const Table<Lamp>& lamp_settings() {
  static const Table<Lamp> table = [] {
    Table<Lamp> t;
    t.integer("watts", &Lamp::watts, {1, 100}, "power", {.zero_is_unsaid = true, .unit = "W"});
    t.number("angle", &Lamp::angle, {0, 360}, "where it points");
    return t;
  }();
  return table;
}

/// The row that is new.
void add_new_row(Table<Room>& t) {
  t.integer("wait_s", &Room::wait_s, {1, 3600}, "wait for a visitor",
            {.unit = "s", .flag = "--wait", .variable = "SXBENCH_WAIT"});
}

const Table<Room>& room_settings() {
  static const Table<Room> table = [] {
    Table<Room> t;
    t.text("name", &Room::name, "what it is called", {.need = Need::kRequired});
    add_new_row(t);
    t.choice("colour", &Room::colour, kColours, "of the walls");
    t.flag("dark", &Room::dark, "no window");
    t.number("goal", &Room::goal, {0, 100}, "at least");
    t.section("lamp", &Room::lamp, lamp_settings(), "the main one");
    t.list("lamps", &Room::lamps, lamp_settings(), "the others", "[{\"watts\": 5}]");
    t.check([](ObjectReader& reader, const Room& room) {
      if (room.dark && room.lamp.watts == 0) reader.error("lamp", "a dark room without a lamp", "add one");
    });
    return t;
  }();
  return table;
}

Errors read(const std::string& text, Room& room) {
  Errors errors;
  room_settings().read(ObjectReader(json_of(text), "r.json", "", errors), room);
  return errors;
}

const RowInfo& row_of(const std::string& key) {
  for (const RowInfo& row : room_settings().infos()) {
    if (row.key == key) return row;
  }
  throw std::out_of_range(key);
}

TEST(Table, ANewRowIsRead) {
  Room room;
  EXPECT_TRUE(read(R"({"name": "hall", "wait_s": 20})", room).empty());
  EXPECT_EQ(room.wait_s, 20);
  const Errors errors = read(R"({"name": "hall", "wait_s": 0, "wait": 3})", room);
  EXPECT_THAT(places(errors), ElementsAre("r.json:/wait_s", "r.json:/wait"));
  EXPECT_EQ(errors[0].help, "write an integer from 1 to 3600");
  EXPECT_EQ(errors[1].help, "did you mean \"wait_s\"?");
}

TEST(Table, ANewRowIsWritten) {
  Room room;
  room.name = "hall";
  room.wait_s = 7;
  room.lamps = {{5, 1.5}};
  EXPECT_EQ(canonical_json(room_settings().write(room)),
            R"({"colour":"red","dark":false,"lamp":{"angle":30.0},"lamps":[{"angle":1.5,"watts":5}],)"
            R"("name":"hall","wait_s":7})");
  Room again;
  EXPECT_TRUE(read(canonical_json(room_settings().write(room)), again).empty());
  EXPECT_EQ(room_settings().write(again), room_settings().write(room));
}

TEST(Table, ANewRowIsInTheSchema) {
  const Json schema = room_settings().schema();
  EXPECT_EQ(
      canonical_json(schema["properties"]["wait_s"]),
      R"({"default":15,"description":"wait for a visitor, in s","maximum":3600,"minimum":1,"type":"integer"})");
  EXPECT_EQ(schema["required"], Json({"name"}));
  EXPECT_EQ(schema["properties"]["lamp"]["properties"]["angle"]["default"], 30);
  EXPECT_EQ(schema["properties"]["lamps"]["items"], lamp_settings().schema());
  EXPECT_EQ(schema["properties"]["colour"]["enum"], Json({"red", "green"}));
}

TEST(Table, ANewRowIsAFlag) {
  EXPECT_EQ(flag_help(row_of("wait_s")), "wait for a visitor, in s (default 15)");
  EXPECT_EQ(flag_help(row_of("colour")), "of the walls: red, green (default red)");
  EXPECT_EQ(row_of("lamp.watts").pointer(), "/lamp/watts");
  Room room;
  Errors errors;
  room_settings().set("/wait_s", 9, room, errors);
  room_settings().set("/lamp/watts", 60, room, errors);
  EXPECT_TRUE(errors.empty()) << format_errors(errors);
  EXPECT_EQ(room.wait_s, 9);
  EXPECT_EQ(room.lamp.watts, 60);
  room_settings().set("/wait_s", "long", room, errors);
  EXPECT_EQ(errors.at(0).what, "expected an integer, found the string \"long\"");
}

TEST(Table, ANewRowIsInTheDocuments) {
  const std::string table = markdown_table(room_settings());
  EXPECT_THAT(table, HasSubstr("| `wait_s` | wait for a visitor | 1 to 3600 s | `15` |\n"));
  EXPECT_THAT(table, HasSubstr("| `name` | what it is called | text | required |\n"));
  EXPECT_THAT(table, HasSubstr("| `colour` | of the walls | `red`, `green` | `red` |\n"));
  EXPECT_THAT(table, HasSubstr("| `lamp.angle` | where it points | 0 to 360 | `30` |\n"));
  EXPECT_THAT(table, HasSubstr("| `lamps[].watts` | power | 1 to 100 W |  |\n"));
}

TEST(Table, ChecksAcrossKeysComeLast) {
  Room room;
  EXPECT_THAT(places(read(R"({"dark": true, "lamps": 3})", room)),
              ElementsAre("r.json:/name", "r.json:/lamps", "r.json:/lamp"));
}

/// The shipped file is what the tables give; SXB_UPDATE_GOLDENS=1 writes it.
void expect_file(const std::string& name, const std::string& expected) {
  const std::string path = SXB_SOURCE_DIR "/" + name;
  if (std::getenv("SXB_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << expected;
  const auto is = read_file(path);
  ASSERT_TRUE(is.ok()) << format_errors(is.errors());
  EXPECT_EQ(*is, expected)
      << name << " differs from the tables of settings; write it with\n"
      << "  SXB_UPDATE_GOLDENS=1 build/release/bin/config_test --gtest_filter='SettingsDocuments.*'";
}

TEST(SettingsDocuments, SchemasComeFromTheTables) {
  expect_file("configs/schema/cluster.schema.json", schema_document(Document::kCluster));
  expect_file("configs/schema/model.schema.json", schema_document(Document::kModel));
}

TEST(SettingsDocuments, TablesOfThePageComeFromTheTables) {
  const auto page = read_file(SXB_SOURCE_DIR "/docs/configuration.md");
  ASSERT_TRUE(page.ok());
  for (const char* name : {"flags", "cluster", "model"}) {
    EXPECT_THAT(*page, HasSubstr("<!-- settings:" + std::string(name) + " -->")) << name;
  }
  expect_file("docs/configuration.md", with_settings_tables(*page));
}

TEST(SettingsDocuments, EveryRowSaysWhatItIs) {
  for (const Rows* rows :
       {static_cast<const Rows*>(&cluster_settings()), static_cast<const Rows*>(&model_settings()),
        static_cast<const Rows*>(&run_settings())}) {
    for (const RowInfo& row : rows->infos()) EXPECT_FALSE(row.help.empty()) << row.key;
  }
}

}  // namespace
}  // namespace sxb::config
