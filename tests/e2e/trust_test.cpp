// What answers in the place of an sxbench, and a node that lies: success is proved, and a node rules nothing.
#include <sys/stat.h>

#include <thread>

#include "e2e/faults.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Trust : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    timeouts_ = {{"stall_s", 60}, {"agent_silence_s", 30}};
  }

  /// n1 runs this shell script in the place of sxbench, n0 the real one. $SXBENCH is the real one; with
  /// `answer` the script has read its input, and `record KIND DATA` sends a record with the right mark.
  std::string cluster_with(const std::string& script) {
    const fs::path program = dir_ / "program";
    std::ofstream(program) << "#!/bin/sh\nSXBENCH=" << SXB_BINARY << "\n" << kHelpers << script << "\n";
    ::chmod(program.c_str(), 0755);
    const std::string file = cluster(2, 1);
    Json json = *load_json(file);
    json["paths"] = {{"program", program.string()}};
    std::ofstream(file) << json.dump();
    return file;
  }

  Ended run(const std::string& script, const std::string& phases = "check") {
    return sxbench(run_arguments(cluster_with(script), phases));
  }

  /// From the start of the task: there is no moment of a fault.
  void tell_verdict(const char* fault) {
    tell(fault, end().verdict_s.value_or(-1), timeouts_["stall_s"].get<double>(), "none", end().reason);
  }

  record::TaskEnd end() { return record::read<record::TaskEnd>(records(record::kind::kTaskEnd).at(0)); }

  /// Real on n0, the script's own on n1.
  static constexpr const char* kHelpers = R"sh(
answer() {
  read -r input
  nonce=$(printf %s "$input" | sed 's/.*"nonce":"\([0-9a-f]*\)".*/\1/')
  task=$(printf %s "$input" | sed 's/.*"task":{"id":"\([0-9a-f]*\)".*/\1/')
  node=$(printf %s "$input" | sed 's/.*"node":"\(n[0-9]\)","nonce".*/\1/')
  if [ "$node" = n0 ]; then
    { printf '%s\n' "$input"; cat; } | "$SXBENCH" worker agent
    exit
  fi
}
record() {
  printf ':::SXB %s {"v":1,"kind":"%s","task":"%s","node":"%s","mono_ns":1,"wall_ns":1,"data":%s}\n' \
    "$nonce" "$1" "${3:-$task}" "${4:-$node}" "$2"
}
)sh";
};

TEST_F(Trust, WhatEndsWithZeroAndSaysNothingHasDoneNothing) {
  for (const char* script :
       {"exit 0", "echo closed", "echo closed >&2; exit 1", "exec cat > /dev/null < /dev/null"}) {
    const Ended ended = run(script);
    EXPECT_EQ(ended.status.text(), "exit code 4") << script << "\n" << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("no sxbench answered on node n")) << script;
    EXPECT_EQ(end().status, "failed");
    EXPECT_THAT(end().failed_node, testing::StartsWith("n"));
    EXPECT_LT(ended.seconds, 45) << "not after stall_s";
    tell_verdict("something else answers");
    fs::remove_all(results());
  }
}

TEST_F(Trust, ItsLastWordsAreQuoted) {
  const Ended ended = run("echo 'This account is currently not available.'; exit 1");
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_THAT(ended.err,
              HasSubstr("ended with exit code 1 (its last words: This account is currently not available.)"));
}

TEST_F(Trust, AnAgentThatIsCutOffBehindAWrapperIsNoSuccess) {
  env_["SXB_FAKE_STEP_MS"] = "100";
  std::vector<std::string> arguments =
      run_arguments(cluster_with("timeout 3 \"$SXBENCH\" \"$@\"; exit 0"), "sft");
  *std::find(arguments.begin(), arguments.end(), "3") = "400";
  const Ended ended = sxbench(arguments);
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_THAT(end().reason,
              AllOf(HasSubstr("something on node n"), HasSubstr("told the agent there to end")));
}

TEST_F(Trust, OutputThatIsCutOffIsNoSuccess) {
  const Ended ended = run("\"$SXBENCH\" \"$@\" | head -n 4");
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_THAT(end().reason, AllOf(HasSubstr("node n"), HasSubstr("ended without its last record")));
  tell_verdict("output cut off");
}

TEST_F(Trust, AnExitCodeThatAWrapperHidesIsKnown) {
  env_["SXB_FAKE_FAULT"] = "error:1:check";
  const Ended ended = run("\"$SXBENCH\" \"$@\"; exit 0");
  EXPECT_EQ(ended.status.text(), "exit code 1") << ended.err;
  EXPECT_THAT(end().reason, HasSubstr("the loss is not a number"));
}

TEST_F(Trust, AWrappersOwnExitCodeIsNoVerdict) {
  for (const char* code : {"2", "3", "127"}) {
    // Behind an agent that was well, and behind one that was cut off.
    for (const char* agent : {"\"$SXBENCH\" \"$@\"", "\"$SXBENCH\" \"$@\" | head -n 4"}) {
      const Ended ended = run(fmt::format("{}; exit {}", agent, code));
      EXPECT_EQ(ended.status.text(), "exit code 4") << code << "\n" << ended.err;
      EXPECT_THAT(end().reason,
                  AllOf(HasSubstr("the agent on node n"), HasSubstr(std::string("exit code ") + code),
                        HasSubstr("which is not sxbench's own")));
      fs::remove_all(results());
    }
  }
}

TEST_F(Trust, RecordsThatAreLostOrAddedOnTheWayAreSeen) {
  // By line: a wrapper that drops, repeats or changes what it does not like.
  for (const char* filter : {"grep -v '\"kind\":\"device\"'", "sed '/\"kind\":\"device\"/p'",
                             "sed 's/\"threads\":1/\"threads\":2/'"}) {
    const Ended ended = run(fmt::format("\"$SXBENCH\" \"$@\" | {}", filter));
    EXPECT_EQ(ended.status.text(), "exit code 4") << filter << "\n" << ended.err;
    EXPECT_THAT(end().reason, HasSubstr("were lost or changed on the way")) << filter;
    fs::remove_all(results());
  }
}

TEST_F(Trust, RanksThatEndWellWithoutAllOfThePlanAreNoSuccess) {
  const Ended ended = sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "short:0:sft"}}), "sft"));
  EXPECT_EQ(ended.status.text(), "exit code 1") << ended.err;
  EXPECT_THAT(end().reason,
              HasSubstr("the ranks ended well, but not all came that the plan asks for: step 3"));
  tell_verdict("ranks end well without all of the plan");
}

TEST_F(Trust, ALoginThatTalksChangesNothing) {
  const Ended ended =
      run("printf 'hello without a newline'; printf ':::SXB "
          "{\"v\":1,\"kind\":\"run_end\",\"data\":{}}\\n:::SXB 00 x\\n'; "
          "exec \"$SXBENCH\" \"$@\"");
  EXPECT_EQ(ended.status.text(), "exit code 0") << ended.err;
  EXPECT_EQ(records(record::kind::kRunEnd).size(), 1U);
}

TEST_F(Trust, ANodeMayNotSayWhatTheHeadSays) {
  for (const char* kind : {"run", "run_end", "task_start", "task_end"}) {
    const Ended ended = run(fmt::format("answer; record {} '{{\"status\":\"ok\"}}'; sleep 1", kind));
    EXPECT_EQ(ended.status.text(), "exit code 4") << kind << "\n" << ended.err;
    EXPECT_THAT(end().reason, AllOf(HasSubstr("node n1 sent what no sxbench sends"),
                                    HasSubstr("which the head alone writes")));
    EXPECT_EQ(end().failed_node, "n1");
    tell_verdict("forged record");
    EXPECT_EQ(records(kind).size(), 1U) << "the head's own";
    fs::remove_all(results());
  }
}

TEST_F(Trust, ANodeSpeaksForItselfAlone) {
  struct Case {
    const char* script;
    const char* why;
  };
  const Case cases[] = {
      {"answer; record finding '{\"severity\":\"error\",\"code\":\"rank_killed\",\"message\":\"x\"}' \"\" n0",
       "another node"},
      {"answer; record sample '{\"source\":\"gpu\"}' ../../../pwned", "another task"},
      {"answer; record trace '{\"events\":[]}' ../../../pwned", "another task"},
      {"answer; record step '{\"step\":\"NaN\"}'", "values of another type"},
      {"answer; record finding 5", "no object"},
      {"answer; printf ':::SXB %s {\"v\":1,\"kind\":\"step\",\"data\":{\"a\":\"\\377\\376\"}}\\n' \"$nonce\"",
       "no record"},
      {"answer; printf ':::SXB %s ' \"$nonce\"; head -c 200000 /dev/zero | tr '\\0' '['; echo", "nested"},
  };
  for (const Case& c : cases) {
    const Ended ended = run(std::string(c.script) + "; sleep 1");
    EXPECT_EQ(ended.status.text(), "exit code 4") << c.script << "\n" << ended.err;
    EXPECT_THAT(end().reason, AllOf(HasSubstr("node n1 sent what no sxbench sends"), HasSubstr(c.why)))
        << c.script;
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      EXPECT_THAT(entry.path().string(), Not(HasSubstr("pwned")));
    }
    fs::remove_all(results());
  }
}

TEST_F(Trust, ATerminalObeysNoNode) {
  const Ended ended =
      run("answer; record finding "
          "'{\"severity\":\"error\",\"code\":\"rank_killed\",\"message\":\"\\u001b]0;pwned\\u0007\"}'; "
          "printf '\\033[2J\\n'; sleep 1; exit 1");
  EXPECT_NE(ended.status.text(), "exit code 0");
  EXPECT_THAT(ended.err, AllOf(HasSubstr("\\x1b]0;pwned\\x07"), Not(HasSubstr("\x1b]0"))));
  EXPECT_THAT(*read_file(latest() / "logs" / "n1.log"), AllOf(HasSubstr("\\x1b[2J"), Not(HasSubstr("\x1b"))));
}

TEST_F(Trust, ALogThatNeverEndsIsCut) {
  const Ended ended =
      run("answer; i=0; while [ $i -lt 70 ]; do head -c 1000000 /dev/zero | tr '\\0' x | fold -w 999; i=$((i "
          "+ 1)); done; exit 1");
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_LT(fs::file_size(latest() / "logs" / "n1.log"), 66U << 20);
  ASSERT_EQ(findings("log_cut").size(), 1U);
  tell("a program prints without end, of the start",
       seconds_since(records(record::kind::kTaskStart)[0].mono_ns, findings("log_cut")[0].mono_ns), 60,
       "64 MiB a node and task", findings("log_cut")[0].data["message"]);
}

TEST_F(Trust, AResumedRunTakesItsPlanFromTheHeadAlone) {
  const std::string file = cluster(1, 1);
  ASSERT_EQ(sxbench(run_arguments(file, "check")).status.text(), "exit code 0");
  const fs::path journal = latest() / "records.jsonl";
  const std::string text = *read_file(journal);
  // As if a node's record had come through: the last one counts in no case, a changed first one is seen.
  Json run = *parse_json(text.substr(0, text.find('\n')), "run");
  run["data"]["cluster"]["paths"]["program"] = (dir_ / "evil").string();
  std::ofstream(dir_ / "evil") << "#!/bin/sh\ntouch " << (dir_ / "pwned").string() << "\n";
  ::chmod((dir_ / "evil").c_str(), 0755);
  const auto resume = [&] { return sxbench({"run", "--resume", fs::canonical(latest()).string()}); };
  const auto without_result = [&](std::string lines) {
    return lines.substr(0, lines.find("{\"v\":1,\"kind\":\"task_end\""));
  };
  std::ofstream(journal) << without_result(text) << run.dump() << "\n";
  EXPECT_EQ(resume().status.text(), "exit code 0");
  EXPECT_FALSE(fs::exists(dir_ / "pwned"));
  std::ofstream(journal) << run.dump() << without_result(text).substr(text.find('\n'));
  const Ended refused = resume();
  EXPECT_EQ(refused.status.text(), "exit code 2") << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("is not the one that this run was started with"));
  EXPECT_FALSE(fs::exists(dir_ / "pwned"));
}

}  // namespace
}  // namespace sxb::e2e
