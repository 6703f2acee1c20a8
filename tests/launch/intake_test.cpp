// What a node may say, and what it may not. Records are sent as a worker sends them.
#include "launch/head/intake.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/json.h"
#include "record/kinds/node.h"
#include "record/kinds/training.h"
#include "record/typed.h"

namespace sxb::launch {
namespace {

using testing::HasSubstr;
using Kind = Intake::Line::Kind;

constexpr const char* kNonce = "0123456789abcdef";

Intake::Sender node_of_two_ranks() { return {kNonce, "task1", "n1", {2, 3}}; }

record::Record from_node(record::Record record, int rank = -1) {
  record.task = "task1";
  record.node = "n1";
  record.rank = rank;
  record.mono_ns = 5;
  record.wall_ns = 7;
  return record;
}

record::Record step(int number) {
  record::Step step;
  step.step = number;
  return from_node(record::make(step), 2);
}

std::string wire(const record::Record& record) { return record::to_wire(kNonce, record); }

std::string sample(const std::string& data, const std::string& task = "task1") {
  return fmt::format(
      R"(:::SXB {} {{"v":1,"kind":"sample","task":"{}","node":"n1","mono_ns":1,"wall_ns":2,"data":{}}})",
      kNonce, task, data);
}

/// A node that sends `lines` and then proves that it did; both ranks ended well.
record::Record last_record(const std::vector<std::string>& lines) {
  LineHash hash;
  for (const std::string& line : lines) hash.add(line);
  record::AgentEnd end;
  end.exit_code = 0;
  end.lines = hash.lines();
  end.hash = hash.hex();
  end.ranks = {{2, 0, {}, true}, {3, 0, {}, true}};
  return from_node(record::make(end));
}

TEST(IntakeTest, TakesRecordsAndSamplesAndLeavesTheRestToTheLog) {
  Intake intake(node_of_two_ranks());
  EXPECT_EQ(intake.take("Welcome to node n1").kind, Kind::kLog);
  EXPECT_FALSE(intake.heard());
  const std::string line = wire(step(4));
  const Intake::Line taken = intake.take(line);
  EXPECT_EQ(taken.kind, Kind::kRecord);
  EXPECT_EQ(record::read<record::Step>(taken.record).step, 4);
  EXPECT_TRUE(intake.heard());
  const std::string text =
      sample(R"({"mono_ns":1,"source":"gpu","index":0,"power_w":650.5,"throttle":null})");
  const Intake::Line sampled = intake.take(text);
  EXPECT_EQ(sampled.kind, Kind::kSample);
  EXPECT_EQ(std::string(sampled.text), text.substr(text.find('{')));
}

TEST(IntakeTest, FindsARecordBehindAGreetingWithoutANewline) {
  Intake intake(node_of_two_ranks());
  const std::string line = "no newline at the end of .bashrc" + wire(step(1));
  const Intake::Line taken = intake.take(line);
  EXPECT_EQ(taken.kind, Kind::kRecord);
  EXPECT_EQ(taken.before, "no newline at the end of .bashrc");
}

TEST(IntakeTest, TakesNothingWithoutTheNonceForARecord) {
  Intake intake(node_of_two_ranks());
  const std::string json = dump(record::to_json(step(1)));
  for (const std::string& line : {":::SXB " + json, ":::SXB 0123456789abcdee " + json, ":::SXB  " + json,
                                  ":::SXB 0123456789abcdef" + json}) {
    EXPECT_EQ(intake.take(line).kind, Kind::kLog) << line;
  }
  EXPECT_FALSE(intake.heard());
  Intake nobody({"", "task1", "n1", {2}});
  EXPECT_EQ(nobody.take(":::SXB  " + json).kind, Kind::kLog);
}

TEST(IntakeTest, RefusesWhatANodeMayNotSay) {
  const auto why = [](const std::string& line) {
    Intake intake(node_of_two_ranks());
    const Intake::Line taken = intake.take(line);
    EXPECT_EQ(taken.kind, Kind::kViolation) << line.substr(0, 200);
    EXPECT_EQ(std::string(taken.text), line);
    EXPECT_EQ(taken.error.code, ExitCode::kEnvironment);
    EXPECT_THAT(taken.error.what, HasSubstr("node n1 sent what no sxbench sends: "));
    return taken.error.what;
  };
  const auto with = [](const char* key, const Json& value) {
    Json json = record::to_json(step(1));
    json[key] = value;
    return fmt::format(":::SXB {} {}", kNonce, dump(json));
  };
  for (const char* kind : {"run", "run_end", "task_start", "task_end"}) {
    EXPECT_THAT(why(with("kind", kind)), HasSubstr("which the head alone writes"));
  }
  EXPECT_THAT(why(with("kind", "stepp")), HasSubstr("no record is called"));
  EXPECT_THAT(why(with("kind", 5)), HasSubstr("no record"));
  EXPECT_THAT(why(with("task", "../../../x")), HasSubstr("another task"));
  EXPECT_THAT(why(with("node", "n2")), HasSubstr("another node"));
  EXPECT_THAT(why(with("node", "")), HasSubstr("another node"));
  EXPECT_THAT(why(with("rank", 1)), HasSubstr("rank 1, which is none of its"));
  EXPECT_THAT(why(with("rank", "2")), HasSubstr("no record"));
  EXPECT_THAT(why(with("v", 2)), HasSubstr("no record"));
  EXPECT_THAT(why(with("data", 5)), HasSubstr("no object"));
  EXPECT_THAT(why(with("data", nullptr)), HasSubstr("no object"));
  EXPECT_THAT(why(with("data", {{"step", "NaN"}})), HasSubstr("values of another type"));
  const std::string mark = fmt::format(":::SXB {} ", kNonce);
  EXPECT_THAT(why(mark + "{"), HasSubstr("no record"));
  EXPECT_THAT(why(mark + "{\"v\":1,\"kind\":\"step\",\"data\":{\"a\":\"\xff\xfe\"}}"),
              HasSubstr("no record"));
  EXPECT_THAT(why(mark + std::string(100000, '[') + std::string(100000, ']')), HasSubstr("nested"));
  EXPECT_THAT(why(mark + R"({"v":1,"kind":"finding","data":)" + std::string(5 << 20, ' ') + "{}}"),
              HasSubstr("bytes"));
}

TEST(IntakeTest, RefusesSamplesThatTheTableDoesNotKnow) {
  for (const char* data :
       {R"({"power_w":"hot"})", R"({"power_w":1e999})", R"({"source":5})", R"({"index":[1]})",
        R"({"index":{"a":1}})", R"(5)", R"(null)", "{\"source\":\"\xff\"}"}) {
    Intake intake(node_of_two_ranks());
    EXPECT_EQ(intake.take(sample(data)).kind, Kind::kViolation) << data;
  }
  for (const std::string& line : {sample("{}", "../../x"), sample("{}") + "x", sample("{},\"task\":\"x\"")}) {
    Intake intake(node_of_two_ranks());
    EXPECT_EQ(intake.take(line).kind, Kind::kViolation) << line;
  }
}

TEST(IntakeTest, EscapesWhatATerminalWouldObey) {
  Intake intake(node_of_two_ranks());
  const std::string line = wire(from_node(
      record::make(record::Finding{"error", "rank_killed", "\x1b]0;pwned\x07\x1b[2J", "do\nit"}), 2));
  const auto finding = record::read<record::Finding>(intake.take(line).record);
  EXPECT_EQ(finding.message, "\\x1b]0;pwned\\x07\\x1b[2J");
  EXPECT_EQ(finding.help, "do\nit");
}

TEST(IntakeTest, BelievesAnEndThatProvesItself) {
  Intake intake(node_of_two_ranks());
  const std::vector<std::string> lines = {wire(step(1)), sample("{}"), wire(step(2))};
  for (const std::string& line : lines) ASSERT_NE(intake.take(line).kind, Kind::kViolation);
  EXPECT_FALSE(intake.proof().ok()) << "the last record is missing";
  const std::string last = wire(last_record(lines));
  EXPECT_EQ(intake.take("noise before it" + last).kind, Kind::kRecord);
  EXPECT_TRUE(intake.proof().ok()) << intake.proof().error().what;
  EXPECT_EQ(intake.take(lines[0]).kind, Kind::kViolation) << "nothing follows the last record";
}

TEST(IntakeTest, DoesNotBelieveAnEndThatDoesNot) {
  const std::vector<std::string> lines = {wire(step(1)), wire(step(2))};
  const auto proof = [&](const std::vector<std::string>& came,
                         const std::function<void(record::AgentEnd&)>& change) {
    Intake intake(node_of_two_ranks());
    for (const std::string& line : came) intake.take(line);
    record::Record record = last_record(lines);
    auto end = record::read<record::AgentEnd>(record);
    change(end);
    record.data = record::write(end);
    intake.take(wire(record));
    const Status status = intake.proof();
    return status.ok() ? "believed" : status.error().what;
  };
  const auto as_is = [](record::AgentEnd&) {};
  EXPECT_EQ(proof(lines, as_is), "believed");
  EXPECT_THAT(proof({lines[0]}, as_is), HasSubstr("it sent 2 lines, 1 came"));
  EXPECT_THAT(proof({lines[1], lines[0]}, as_is), HasSubstr("lost or changed"));
  EXPECT_THAT(proof({lines[0], lines[1], lines[1]}, as_is), HasSubstr("it sent 2 lines, 3 came"));
  EXPECT_THAT(proof(lines, [](record::AgentEnd& end) { end.ranks.pop_back(); }),
              HasSubstr("rank 3 on node n1"));
  EXPECT_THAT(proof(lines, [](record::AgentEnd& end) { end.ranks[0].proved = false; }),
              HasSubstr("rank 2 on node n1"));
  EXPECT_THAT(proof(lines, [](record::AgentEnd& end) { end.ranks[0].exit_code = 1; }),
              HasSubstr("rank 2 on node n1"));
  EXPECT_THAT(proof(lines, [](record::AgentEnd& end) { end.ranks[0].exit_code.reset(); }),
              HasSubstr("rank 2"));
}

}  // namespace
}  // namespace sxb::launch
