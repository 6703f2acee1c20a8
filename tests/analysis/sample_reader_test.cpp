#include "analysis/read/sample_reader.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <vector>

#include "base/json.h"

namespace sxb::analysis {
namespace {

namespace fs = std::filesystem;

/// The lines of `content`, as read from a file.
std::vector<SampleLine> read(const std::string& content) {
  const fs::path path = fs::path(::testing::TempDir()) / ("samples-" + std::to_string(::getpid()));
  std::ofstream(path) << content;
  std::vector<SampleLine> lines;
  EXPECT_TRUE(read_samples(path, [&](const SampleLine& line) { lines.push_back(line); }));
  fs::remove(path);
  return lines;
}

std::string sample(const std::string& data) {
  return R"({"v":1,"kind":"sample","task":"a","node":"n1","mono_ns":7,"wall_ns":8,"data":{)" + data + "}}\n";
}

TEST(SampleReader, ReadsEveryFieldOfAGpu) {
  std::string data =
      R"("mono_ns":-5,"wall_ns":1790000000000000001,"source":"gpu","index":3,"throttle":"a|b")";
  for (std::size_t i = 0; i < kGpuMetrics; ++i) {
    data += "," + Json(field_name(static_cast<GpuMetric>(i))).dump() + ":" + std::to_string(i) + ".25";
  }
  const auto lines = read(sample(data));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].mono_ns, -5);
  EXPECT_EQ(lines[0].wall_ns, 1790000000000000001);
  EXPECT_EQ(lines[0].source, "gpu");
  EXPECT_EQ(lines[0].index, 3);
  EXPECT_EQ(lines[0].throttle, "a|b");
  for (std::size_t i = 0; i < kGpuMetrics; ++i) EXPECT_EQ(lines[0].values[i], static_cast<double>(i) + 0.25);
  EXPECT_TRUE(std::isnan(lines[0].cpu_pct));
}

/// Numbers come out as the JSON library would read them, to the last bit.
TEST(SampleReader, NumbersAreThoseOfJson) {
  for (const char* text :
       {"0", "7", "-7", "999999999999999", "1000000000000000", "9007199254740993", "18446744073709551615",
        "0.1", "-0.0008325841091974515", "1e3", "1E-3", "123456789.123456789", "4.9e-324"}) {
    const auto lines = read(sample(std::string(R"("source":"gpu","index":0,"power_w":)") + text));
    ASSERT_EQ(lines.size(), 1u) << text;
    EXPECT_EQ(lines[0][GpuMetric::kPower], Json::parse(text).get<double>()) << text;
  }
}

TEST(SampleReader, WhatIsNoNumberIsMissing) {
  for (const char* text : {"null", "true", "false", "\"650\"", "[1]", "{\"a\":1}"}) {
    const auto lines = read(sample(std::string(R"("source":"gpu","power_w":)") + text + R"(,"temp_c":61)"));
    ASSERT_EQ(lines.size(), 1u) << text;
    EXPECT_TRUE(std::isnan(lines[0][GpuMetric::kPower])) << text;
    EXPECT_EQ(lines[0][GpuMetric::kTemperature], 61) << text;
  }
}

TEST(SampleReader, NothingOfALineStaysForTheNext) {
  const auto lines = read(sample(R"("source":"gpu","index":2,"power_w":1,"throttle":"x")") +
                          sample(R"("source":"host","cpu_pct":3.5)") + sample(R"("source":"gpu")"));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].cpu_pct, 3.5);
  EXPECT_FALSE(lines[2].throttle);
  EXPECT_EQ(lines[2].index, -1);
  EXPECT_TRUE(std::isnan(lines[2][GpuMetric::kPower]));
}

TEST(SampleReader, LinesThatAreNoneArePassedOver) {
  EXPECT_EQ(read(sample(R"("source":"gpu","power_w":1e)") + "\n\nhalf a li\n" + sample(R"("source":"host")"))
                .size(),
            1u);
  EXPECT_EQ(
      read(R"({"v":1,"kind":"sample","task":"a","node":"n1","data":{"source":"gpu","power_w":650)").size(),
      0u);
  EXPECT_FALSE(read_samples("/nonexistent/samples.jsonl", [](const SampleLine&) {}));
}

/// More than the reader holds at once, with a last line that has no newline, and one longer than its buffer.
TEST(SampleReader, ReadsFilesOfAnySize) {
  std::string content;
  for (int i = 0; i < 20'000; ++i) content += sample(R"("source":"gpu","index":)" + std::to_string(i));
  content += sample(R"("source":"gpu","index":20000,"reason":")" + std::string(3 << 20, 'x') + "\"");
  content.pop_back();
  const auto lines = read(content);
  ASSERT_EQ(lines.size(), 20'001u);
  for (int i = 0; i <= 20'000; ++i) ASSERT_EQ(lines[static_cast<std::size_t>(i)].index, i);
}

}  // namespace
}  // namespace sxb::analysis
