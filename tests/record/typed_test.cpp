// Structs of records against JSON: what is there, what is not, and what is wrong.
#include "record/typed.h"

#include <gtest/gtest.h>

#include "record/kinds/kinds.h"

namespace sxb::record {
namespace {

TEST(Typed, WritesWhatItReads) {
  Step step;
  step.step = 7;
  step.loss = 1.0 / 3;
  step.measured = true;
  const Json data = write(step);
  EXPECT_EQ(dump(data), R"({"step":7,"loss":0.3333333333333333,"mfu":null,"measured":true})");
  const auto again = read<Step>(data);
  EXPECT_EQ(again.step, 7);
  EXPECT_EQ(again.loss, 1.0 / 3);
  EXPECT_FALSE(again.mfu.has_value());
  EXPECT_FALSE(again.lr.has_value());
}

TEST(Typed, NestsObjectsAndLists) {
  Collective row;
  row.collective = "all_reduce";
  row.out_of_place.emplace();
  row.out_of_place->time_us = 12.5;
  row.out_of_place->per_iteration.emplace().p50_us = 12;
  row.group_ranks = {0, 2};
  const auto again = read<Collective>(write(row));
  ASSERT_TRUE(again.out_of_place.has_value());
  EXPECT_EQ(again.out_of_place->time_us, 12.5);
  EXPECT_EQ(again.out_of_place->per_iteration->p50_us, 12);
  EXPECT_FALSE(again.out_of_place->busbw_gBps.has_value());
  EXPECT_TRUE(write(row)["out_of_place"]["busbw_gBps"].is_null());
  EXPECT_EQ(again.group_ranks, (std::vector<int>{0, 2}));
  EXPECT_FALSE(again.in_place.has_value());
}

TEST(Typed, AValueOfAnotherTypeIsNotThere) {
  const Json data = {{"step", "seven"}, {"loss", nullptr}, {"measured", 1}, {"tokens", 3.0}, {"lr", 2}};
  const auto step = read<Step>(data);
  EXPECT_FALSE(step.step.has_value());
  EXPECT_FALSE(step.loss.has_value());
  EXPECT_FALSE(step.measured.has_value());
  EXPECT_EQ(step.tokens, 3);  // as other programs write whole numbers
  EXPECT_EQ(step.lr, 2.0);
  EXPECT_FALSE(read<Step>(Json()).step.has_value());
  EXPECT_FALSE(read<TaskEnd>(Json{{"exit_code", 5'000'000'000}}).exit_code.has_value());
}

TEST(Typed, NullsAmongFiguresStayInTheirPlace) {
  const auto probe = read<LocateNode>(Json{{"tflops", {700.5, nullptr}}});
  ASSERT_EQ(probe.tflops.size(), 2u);
  EXPECT_EQ(probe.tflops[0], 700.5);
  EXPECT_FALSE(probe.tflops[1].has_value());
}

TEST(Typed, CheckNamesWhatDoesNotFit) {
  Record record = make(Step());
  EXPECT_TRUE(check(record, "x").ok());
  record.data = {{"step", 1}, {"loss", "low"}, {"measured", 0}, {"from_a_newer_build", 1}};
  const Status status = check(record, "node003");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().what.find("loss, measured"), std::string::npos) << status.error().what;
  EXPECT_EQ(status.error().where, "node003");
}

TEST(Typed, CheckLooksIntoObjectsAndLists) {
  Record record = make(Node());
  record.data["gpus"] = {{{"index", 0}}, {{"index", "one"}}};
  const Status status = check(record, "x");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().what.find("gpus/1/index"), std::string::npos) << status.error().what;
}

TEST(Typed, AnUnknownKindIsNoRecordOfThisBuild) {
  Record record;
  record.kind = "nonsense";
  EXPECT_FALSE(check(record, "x").ok());
  record.kind = kind::kHeartbeat;
  EXPECT_TRUE(check(record, "x").ok());
}

TEST(Typed, DataThatIsNoObjectIsNoRecord) {
  for (const char* data : {"null", "3", "[]", "\"text\""}) {
    const auto json = try_parse_json(std::string(R"({"v":1,"kind":"task_end","data":)") + data + "}");
    EXPECT_FALSE(parse_record(*json, "x").ok()) << data;
  }
}

TEST(Typed, FieldsTellTypeAndMembers) {
  const Field* gpus = find_field(kind::kNode, "gpus");
  ASSERT_NE(gpus, nullptr);
  EXPECT_EQ(gpus->type, "list of object");
  ASSERT_FALSE(gpus->members.empty());
  EXPECT_STREQ(gpus->members.front().name, "index");
  EXPECT_EQ(find_field(kind::kStep, "loss")->type, "number");
  EXPECT_EQ(find_field(kind::kLocateNode, "tflops")->type, "list of number");
}

}  // namespace
}  // namespace sxb::record
