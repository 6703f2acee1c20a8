// Journals in which one field after the other is not what the table says: whoever reads them says so and
// where, and nothing ends in an exception. Made from the table of fields, so that a new field is among them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <set>

#include "analysis/compare/compare.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/app.h"
#include "launch/head/journal.h"
#include "launch/head/run.h"
#include "launch/head/seal.h"
#include "record/record.h"
#include "report/report.h"
#include "support/gpu_run.h"
#include "support/nccl_run.h"
#include "support/phase_run.h"
#include "support/synthetic_run.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// Stands for what no JSON value can be made of; put in as text.
constexpr const char* kOverflow = "@overflow@";
constexpr const char* kDeep = "@deep@";

struct Value {
  const char* name;
  Json json;
};
const std::vector<Value>& values() {
  static const std::vector<Value> all = {{"null", nullptr},
                                         {"text", "a\n\x1b[2J"},
                                         {"zero", 0},
                                         {"negative", std::numeric_limits<std::int64_t>::min()},
                                         {"number", 1.5e300},
                                         {"unsigned", std::numeric_limits<std::uint64_t>::max()},
                                         {"flag", true},
                                         {"list", {1, "x", nullptr, {{"a", 1}}}},
                                         {"object", {{"a", {{"b", "c"}}}}},
                                         {"overflow", kOverflow},
                                         {"deep", kDeep}};
  return all;
}

bool is_another_type(const Json& value) {
  return value.is_null() || value.is_array() || value.is_object() || value.is_number_float() ||
         value == values()[1].json;
}

std::string line_of(const Json& record) {
  std::string text = dump(record);
  const auto put = [&](const char* sign, const std::string& by) {
    const std::string quoted = fmt::format("\"{}\"", sign);
    for (std::size_t at = text.find(quoted); at != std::string::npos; at = text.find(quoted))
      text.replace(at, quoted.size(), by);
  };
  put(kOverflow, "1e999");
  put(kDeep, std::string(5000, '[') + std::string(5000, ']'));
  return text + "\n";
}

bool is_damaged(const std::string& line) {
  const auto record = record::parse_line(line, "");
  return !record.ok() || !record::check(*record, "").ok();
}

/// The lines of a run with every kind of record.
std::vector<Json> journal() {
  const fs::path folder = testing::scratch("damaged-source");
  std::vector<Json> lines;
  const auto add = [&](const fs::path& file, bool run) {
    for (const std::string& line : split(*read_file(file), '\n')) {
      const auto json = try_parse_json(line);
      if (json && json->is_object() && (run || (*json)["kind"] != "run")) lines.push_back(*json);
    }
  };
  testing::make_gpu_run(folder);
  add(folder / "records.jsonl", true);
  testing::make_device_run(folder);
  add(folder / "records.jsonl", false);
  testing::make_nccl_run(folder);
  add(folder / "records.jsonl", false);
  testing::make_phase_run(folder, {});
  add(folder / "records.jsonl", false);
  for (const char* task : {"step", "locate_node", "locate_link", "locate_group", "locate"})
    add(fs::path(SXB_TEST_DATA) / "fuzz/record" / task, false);
  return lines;
}

/// The first record of each kind, from the journal or from the corpus of the fuzz target.
Json sample_of(const std::vector<Json>& lines, const std::string& kind) {
  for (const Json& line : lines) {
    if (line["kind"] == kind) return line;
  }
  const auto text = read_file(fs::path(SXB_TEST_DATA) / "fuzz/record" / kind);
  const auto json = text.ok() ? try_parse_json(*text) : std::nullopt;
  return json ? *json : Json{{"v", 1}, {"kind", kind}, {"data", Json::object()}};
}

/// In memory where there is such a folder: a report syncs thirty files.
fs::path run_folder() {
  std::error_code ec;
  const fs::path memory = "/dev/shm";
  const std::string name = fmt::format("sxb-damaged-{}", ::getpid());
  if (fs::create_directories(memory / name, ec)) return memory / name;
  return testing::scratch("damaged");
}

class Damaged : public ::testing::Test {
 protected:
  ~Damaged() override {
    std::error_code ec;
    fs::remove_all(folder_, ec);
  }

  /// Puts `damaged` where their tasks have begun, and at the end. `run` takes the place of the run record.
  void write(const std::vector<std::string>& damaged, const Json& run = {}) {
    std::string text;
    for (const Json& line : lines_) {
      text += line_of(line["kind"] == "run" && !run.is_null() ? run : line);
      if (line["kind"] != "task_start") continue;
      for (const std::string& one : damaged) {
        if (one.find(dump(line["task"])) != std::string::npos) text += one;
      }
    }
    for (const std::string& one : damaged) text += one;
    put(text);
  }
  void put(const std::string& text) {
    ASSERT_TRUE(write_file_atomic(folder_ / "records.jsonl", text).ok());
    damaged_lines_ = 0;
    for (const std::string& line : split(text, '\n')) damaged_lines_ += !line.empty() && is_damaged(line);
  }

  /// Everybody who reads a journal.
  void read(const std::string& what) {
    SCOPED_TRACE(what);
    const auto written = report::write_reports(folder_);
    if (written.ok()) {
      const auto summary = load_json(folder_ / "summary.json");
      ASSERT_TRUE(summary.ok()) << format_errors(summary.errors());
      EXPECT_EQ(dump(*summary).find("\"damaged_record\"") != std::string::npos, damaged_lines_ > 0);
    } else {
      expect_error(written.errors());
    }
    const auto state = launch::read_journal(folder_);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->damaged_lines, damaged_lines_);
    const std::string hash = state->run ? launch::config_hash_of(state->run->cluster, state->run->plan) : "";
    ASSERT_TRUE(write_file_atomic(folder_ / "manifest.json", dump({{"config_hash", hash}})).ok());
    const auto options = launch::options_from_journal(folder_);
    if (!options.ok()) expect_error(options.errors());
  }

  void expect_error(const Errors& errors) {
    for (const Error& error : errors) {
      EXPECT_TRUE(error.code == ExitCode::kUsage || error.code == ExitCode::kEnvironment) << error.what;
      EXPECT_THAT(error.where, HasSubstr(folder_.string()));
      EXPECT_FALSE(error.what.empty());
    }
  }

  const std::vector<Json> lines_ = journal();
  const fs::path folder_ = run_folder();
  std::int64_t damaged_lines_ = 0;
};

/// The places of all values in `json`, of members of members too.
std::set<std::string> places(const Json& json) {
  std::set<std::string> all;
  const Json flat = json.flatten();
  for (const auto& item : flat.items()) {
    for (std::string place = item.key(); !place.empty(); place.resize(place.rfind('/'))) all.insert(place);
  }
  return all;
}

// One journal for each kind; each of its records has one value that is not what it should be.
TEST_F(Damaged, EveryFieldOfEveryKind) {
  std::set<std::string> kinds;
  for (const record::Field& field : record::fields()) kinds.insert(field.kind);
  std::int64_t wrong = 0;
  for (const std::string& kind : kinds) {
    const Json whole = sample_of(lines_, kind);
    ASSERT_FALSE(is_damaged(line_of(whole))) << dump(whole);
    std::set<std::string> fields = places(whole["data"]);
    for (const record::Field& field : record::fields()) {
      if (kind == field.kind) fields.insert(std::string("/") + field.name);
    }
    std::vector<std::string> damaged;
    for (const std::string& field : fields) {
      if (kind == "run" && std::count(field.begin(), field.end(), '/') > 1) continue;  // see below
      for (const Value& value : values()) {
        Json record = whole;
        record["data"][Json::json_pointer(field)] = value.json;
        damaged.push_back(line_of(record));
      }
    }
    ASSERT_NO_FATAL_FAILURE(write(damaged));
    ASSERT_NO_FATAL_FAILURE(read(kind));
    const auto side = analysis::load_side({folder_});
    if (side.ok()) static_cast<void>(analysis::compare(*side, *side));
    wrong += damaged_lines_;
  }
  EXPECT_GT(wrong, 1000) << "the values do not damage anything";
}

TEST_F(Damaged, WhatStandsAroundTheFields) {
  for (const char* kind : {"run", "task_start", "task_end", "step", "run_end"}) {
    const Json whole = sample_of(lines_, kind);
    for (const char* key : {"v", "kind", "task", "node", "rank", "mono_ns", "wall_ns", "data"}) {
      std::vector<std::string> damaged;
      for (const Value& value : values()) {
        Json record = whole;
        record[key] = value.json;
        damaged.push_back(line_of(record));
      }
      ASSERT_NO_FATAL_FAILURE(write(damaged));
      ASSERT_NO_FATAL_FAILURE(read(fmt::format("{} {}", kind, key)));
    }
  }
}

// Cluster and plan have tables of their own, of which a journal's check knows nothing.
TEST_F(Damaged, WhatTheRunWasAskedFor) {
  const Json whole = sample_of(lines_, "run");
  for (const char* part : {"cluster", "plan"}) {
    for (const std::string& place : places(whole["data"][part])) {
      if (part == std::string("plan") && !place.starts_with("/0")) continue;  // the others are alike
      for (const Value& value : values()) {
        if (!is_another_type(value.json)) continue;  // the others: the fuzz target `journal`
        Json run = whole;
        run["data"][part][Json::json_pointer(place)] = value.json;
        // No figures: they take most of the time, and the fields of their records are above.
        std::string text = line_of(run);
        for (const Json& line : lines_) {
          if (line["kind"] == "task_start" || line["kind"] == "task_end") text += line_of(line);
        }
        ASSERT_NO_FATAL_FAILURE(put(text));
        ASSERT_NO_FATAL_FAILURE(read(fmt::format("{}{} {}", part, place, value.name)));
      }
    }
  }
}

// What is passed over is no part of any figure.
TEST_F(Damaged, FiguresAreThoseOfTheOtherLines) {
  const auto figures = [&]() -> Json {
    const auto written = report::write_reports(folder_);
    EXPECT_TRUE(written.ok());
    Json summary = *load_json(folder_ / "summary.json");
    summary.erase("findings");
    return summary;
  };
  std::vector<std::string> damaged = {"garbage\n", "null\n", "{\"v\":1}\n", "\x01\xff\n"};
  for (const char* kind : {"step", "collective", "task_end", "task_start", "run", "burn"}) {
    Json record = sample_of(lines_, kind);
    for (const char* data : {"null", "5", "[]", "\"text\""}) {
      record["data"] = *try_parse_json(data);
      damaged.push_back(line_of(record));
    }
  }
  write(damaged);
  EXPECT_GE(damaged_lines_, static_cast<std::int64_t>(damaged.size()));
  const Json with_damage = figures();
  // The same with empty lines in their place: the number of a line is the evidence of a figure.
  std::string blanked;
  for (const std::string& line : split(*read_file(folder_ / "records.jsonl"), '\n'))
    blanked += (line.empty() || is_damaged(line) ? "" : line) + "\n";
  put(blanked);
  EXPECT_EQ(damaged_lines_, 0);
  EXPECT_EQ(dump(with_damage), dump(figures()));
}

// The verbs as they are called; one damaged line of each sort.
TEST_F(Damaged, VerbsEndWithACodeOfOurs) {
  for (const char* line :
       {"{\"v\":1,\"kind\":\"task_end\",\"task\":\"a\",\"data\":null}\n",
        "{\"v\":1,\"kind\":\"task_end\",\"task\":\"a\",\"data\":{\"status\":5}}\n",
        "{\"v\":1,\"kind\":\"step\",\"rank\":1e30,\"data\":{\"loss\":1e999}}\n",
        "{\"v\":1e99,\"kind\":\"step\"}\n", "{\"v\":2,\"kind\":\"step\"}\n", "\n\n[[[[\n"}) {
    write({line});
    for (const std::vector<const char*>& verb :
         {std::vector<const char*>{"report"}, {"show"}, {"compare", folder_.c_str()}, {"run", "--resume"}}) {
      std::vector<const char*> arguments = {"sxbench"};
      arguments.insert(arguments.end(), verb.begin(), verb.end());
      arguments.push_back(folder_.c_str());
      ::testing::internal::CaptureStdout();
      ::testing::internal::CaptureStderr();
      const int code = run_app(static_cast<int>(arguments.size()), arguments.data());
      ::testing::internal::GetCapturedStdout();
      const std::string said = ::testing::internal::GetCapturedStderr();
      EXPECT_THAT((std::set{0, 1, 2, 3, 4, 5}), ::testing::Contains(code)) << verb[0] << " " << line << said;
      EXPECT_THAT(said, ::testing::Not(HasSubstr("unexpected"))) << verb[0] << " " << line;
    }
  }
}

}  // namespace
}  // namespace sxb::cli
