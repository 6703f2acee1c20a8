// The device record of a rank that searches: there is one, whatever becomes of the search.
#include "engine/locate/network.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sxb::engine::locate {
namespace {

void keep(void* user, const char* json) {
  static_cast<std::vector<Json>*>(user)->push_back(Json::parse(json));
}

record::Device named(const std::string& name) {
  record::Device device;
  device.name = name;
  return device;
}

TEST(NetworkWatch, WhereNoOtherNodeIsReachedTheRecordComesAtOnce) {
  std::vector<Json> records;
  const Emitter emitter(&keep, &records);
  {
    NetworkWatch watch(named("a CPU"), false, emitter);
    ASSERT_EQ(records.size(), 1U);
    watch.begin();
    EXPECT_FALSE(watch.end(true)) << "nothing was listened to";
  }
  ASSERT_EQ(records.size(), 1U) << "once";
  EXPECT_EQ(records[0]["kind"], "device");
  EXPECT_EQ(records[0]["data"]["name"], "a CPU");
}

TEST(NetworkWatch, ASearchThatBreaksOffHasTheRecordToo) {
  std::vector<Json> records;
  const Emitter emitter(&keep, &records);
  {
    const NetworkWatch watch(named("a GPU"), true, emitter);
    EXPECT_TRUE(records.empty()) << "what NCCL uses is not known yet";
  }
  ASSERT_EQ(records.size(), 1U);
  EXPECT_FALSE(records[0]["data"].contains("net"));
}

TEST(NetworkWatch, TransportsTravelAsJson) {
  const comm::Transports sent{"Socket", true, true, "PHB"};
  const comm::Transports read = transports_of(Json::parse(to_json(sent).dump()));
  EXPECT_EQ(read.net, "Socket");
  EXPECT_TRUE(read.gpu_direct && read.shared_memory);
  EXPECT_EQ(read.intra_node, "PHB");
}

}  // namespace
}  // namespace sxb::engine::locate
