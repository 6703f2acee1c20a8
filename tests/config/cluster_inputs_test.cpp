// What a cluster is read from besides its keys: environment, home folder, names, repeated keys.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "config/cluster/cluster.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using ClusterInputs = CleanEnvironment;

Errors errors_in(const std::string& text) { return parse_cluster(json_of(text), "c.json").errors(); }

TEST_F(ClusterInputs, ABadNodeListOfSlurmMattersWhereItIsUsed) {
  for (const char* list : {"(null)", "gpu[01-", "", "a b", "@x"}) {
    set("SLURM_JOB_NODELIST", list);
    EXPECT_TRUE(resolve_cluster("local-8").ok()) << list;
    EXPECT_TRUE(resolve_cluster(write("own.json", R"({"name": "c", "nodes": "n1"})")).ok()) << list;
    const std::string used = write("used.json", R"({"name": "c", "nodes": [{"name": "@slurm"}]})");
    const auto cluster = resolve_cluster(used);
    ASSERT_FALSE(cluster.ok()) << list;
    if (*list == '\0') continue;  // as if it were not set
    EXPECT_EQ(cluster.error().where, "$SLURM_JOB_NODELIST") << list;
    EXPECT_EQ(resolve_cluster("").error().where, "$SLURM_JOB_NODELIST") << list;
    const std::string group = write("g.json", R"({"name": "c", "nodes": "@r", "groups": {"r": "@slurm"}})");
    EXPECT_EQ(resolve_cluster(group).error().where, "$SLURM_JOB_NODELIST") << list;
  }
}

TEST_F(ClusterInputs, ALeadingTildeIsTheHomeFolder) {
  set("HOME", folder_);
  write("c.json", R"({"name": "c", "nodes": [{"name": "n", "ssh_key": "~/key"}], "ssh": {"config": "~/conf"},
    "paths": {"program": "~/bin/sxbench", "results": "~/r", "data": "~/d"}})");
  const auto c = resolve_cluster("~/c.json");
  ASSERT_TRUE(c.ok()) << format_errors(c.errors());
  EXPECT_THAT((std::vector<std::string>{c->nodes[0].ssh_key, c->ssh.config, c->paths.program,
                                        c->paths.results, c->paths.data}),
              ElementsAre(folder_ + "/key", folder_ + "/conf", folder_ + "/bin/sxbench", folder_ + "/r",
                          folder_ + "/d"));
}

TEST_F(ClusterInputs, ANameIsPartOfAFolder) {
  for (const char* bad : {"a|b", "x/y", "=1+1", "a b", "\\u001b[31m", "\\u202e", "x\\ny", "\\u0000"}) {
    EXPECT_THAT(places(errors_in(fmt::format(R"({{"name": "{}", "nodes": "n1"}})", bad))),
                ElementsAre("c.json:/name"))
        << bad;
  }
  EXPECT_EQ(errors_in(R"({"name": ")" + std::string(101, 'a') + R"(", "nodes": "n1"})").size(), 1u);
  EXPECT_TRUE(errors_in(R"({"name": ")" + std::string(100, 'a') + R"(", "nodes": "n1"})").empty());
  EXPECT_THAT(places(errors_in(R"({"name": "c", "nodes": ")" + std::string(300, 'n') + R"("})")),
              ElementsAre("c.json:/nodes"));
}

TEST_F(ClusterInputs, WhatIsAskedForDoesNotDependOnTheHome) {
  const std::string file = write("c.json", R"({"name": "c", "nodes": "n1"})");
  set("HOME", folder_ + "/ada");
  const Json ada = to_json(*resolve_cluster(file));
  set("HOME", folder_ + "/bob");
  EXPECT_EQ(to_json(*resolve_cluster(file)), ada);
}

TEST_F(ClusterInputs, AKeyThatStandsTwiceIsAnError) {
  const std::string file =
      write("c.json", "{\n\"name\": \"c\",\n\"nodes\": \"n[1-2]\",\n\"nodes\": \"n[1-4]\"\n}");
  const auto cluster = resolve_cluster(file);
  ASSERT_FALSE(cluster.ok());
  EXPECT_EQ(cluster.error().where, file + ":4");
  EXPECT_THAT(cluster.error().what, HasSubstr("\"nodes\" stands twice, in line 3 and in line 4"));
}

}  // namespace
}  // namespace sxb::config
