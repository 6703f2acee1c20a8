// The document model, its two writers, charts and number formats.
#include "report/document/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/document/format.h"

namespace sxb::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Document sample() {
  Document document;
  document.title = "T <1>";
  document.add(Heading{2, "Part & more"});
  document.add(Paragraph{"Use `a|b <c>` now"});
  document.add(Notice{"Careful"});
  document.add(List{{"one", "two"}});
  document.add(Table{{{"Name"}, {"N", true}}, {{"a|b", "1"}, {"x*y", "2"}}});
  document.add(Links{{"../traces/a.json"}});
  document.add(Preformatted{"raw <text>"});
  document.add(Figure{"chart", LineChart{"Chart", "x", "y", false, true, {{"s", {{1, 2}, {2, 3}}}}}});
  return document;
}

TEST(Markdown, WritesEveryBlock) {
  EXPECT_EQ(to_markdown(sample()),
            "# T &lt;1>\n\n## Part & more\n\nUse `a|b <c>` now\n\n> **Careful**\n\n- one\n- two\n\n"
            "| Name | N |\n|---|---:|\n| a\\|b | 1 |\n| x\\*y | 2 |\n\n- "
            "[../traces/a.json](../traces/a.json)\n\n```\nraw "
            "<text>\n```\n\n![Chart](charts/chart.svg)\n");
}

TEST(Html, EscapesAndMarksUp) {
  const std::string html = to_html(sample());
  EXPECT_THAT(html, HasSubstr("<title>T &lt;1&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("<li><a href=\"#s1\">Part &amp; more</a></li>"));
  EXPECT_THAT(html, HasSubstr("<code>a|b &lt;c&gt;</code>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"n\">1</td>"));
  EXPECT_THAT(html, HasSubstr("<li><a href=\"../traces/a.json\">../traces/a.json</a></li>"));
  EXPECT_THAT(html, HasSubstr("<pre>raw &lt;text&gt;</pre>"));
  EXPECT_THAT(html, HasSubstr("<svg"));
}

/// Verdicts have a colour, alone and after a name; only long cells may wrap.
TEST(Html, CellsShowWhatTheyAre) {
  Document document;
  document.add(Table{{{"A"}, {"B", true}, {"C"}},
                     {{"PASS", "912.5 IMPLAUSIBLE", "n1 SLOW"},
                      {"WARN", "–", "NOT JUDGED"},
                      {std::string(60, 'x'), "", "PASSED"}}});
  const std::string html = to_html(document);
  EXPECT_THAT(html, HasSubstr("<td class=\"pass\">PASS</td><td class=\"n fail\">912.5 IMPLAUSIBLE</td>"
                              "<td class=\"fail\">n1 SLOW</td>"));
  EXPECT_THAT(
      html,
      HasSubstr("<td class=\"warn\">WARN</td><td class=\"n\">–</td><td class=\"none\">NOT JUDGED</td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"long\">xxx"));
  EXPECT_THAT(html, HasSubstr("<td>PASSED</td>"));
}

TEST(Chart, TicksAreRoundNumbers) {
  EXPECT_THAT(nice_ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(nice_ticks(0, 0.31, 3), ElementsAre(0, 0.2));
  EXPECT_THAT(nice_ticks(93, 1040, 5), ElementsAre(200, 400, 600, 800, 1000));
}

TEST(Chart, PlacesPointsOnTheAxes) {
  // x from 1 to 3 over [72, 736], y from 0 to 1.05·4 over [288, 36].
  const std::string svg = render_svg({"c", "x", "y", false, true, {{"s", {{1, 0}, {2, 4}, {3, 0}}}}});
  EXPECT_THAT(svg, HasSubstr("points=\"72.0,288.0 404.0,48.0 736.0,288.0\""));
}

TEST(Chart, SizesAreLogarithmic) {
  const std::string svg =
      render_svg({"c", "size", "y", true, true, {{"s", {{0, 9}, {1024, 1}, {1048576, 1}, {1073741824, 1}}}}});
  EXPECT_THAT(svg, HasSubstr(">1 KiB</text>"));
  EXPECT_THAT(svg, HasSubstr(">1 MiB</text>"));
  EXPECT_THAT(svg, HasSubstr("points=\"72.0,48.0 404.0,48.0 736.0,48.0\""));  // size 0 has no place
}

TEST(Chart, LegendNamesSeveralSeriesAndTextIsEscaped) {
  const std::string svg = render_svg({"a<b", "x", "y", false, true, {{"one", {{1, 1}}}, {"two", {{1, 2}}}}});
  EXPECT_THAT(svg, HasSubstr(">one</text>"));
  EXPECT_THAT(svg, HasSubstr(">two</text>"));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(render_svg({"c", "x", "y", false, true, {{"one", {{1, 1}}}}}), Not(HasSubstr(">one</text>")));
}

/// The axes stay where they are, the picture grows.
TEST(Chart, LegendHasRoomForItsLongestName) {
  const auto of = [](const std::string& name) {
    return render_svg({"c", "x", "y", false, true, {{name, {{1, 1}, {2, 1}}}, {"two", {{1, 2}}}}});
  };
  EXPECT_THAT(of("one"), HasSubstr("width=\"760\""));
  EXPECT_THAT(of("alltoall (rails, group 5) on 16 nodes"),
              HasSubstr("width=\"866\""));  // 570 + 44 + 37 x 6.8
  EXPECT_THAT(of("alltoall (rails, group 5) on 16 nodes"), HasSubstr("x2=\"570.0\""));
}

// 100 % is 520 px wide from x = 150: 50 % end at 410, 25 % more at 540.
TEST(Chart, BarsAreCutByShare) {
  const std::string svg = render_svg(BarChart{"b", "%", {"one", "two"}, {{"row", "12 ms", {50, 25}}}});
  EXPECT_THAT(svg,
              HasSubstr("<rect x=\"150.0\" y=\"62.0\" width=\"260.0\" height=\"24\" fill=\"#2563eb\"/>"));
  EXPECT_THAT(svg,
              HasSubstr("<rect x=\"410.0\" y=\"62.0\" width=\"130.0\" height=\"24\" fill=\"#dc2626\"/>"));
  EXPECT_THAT(svg, HasSubstr(">12 ms</text>"));
  EXPECT_THAT(svg, HasSubstr(">two</text>"));
  EXPECT_TRUE(is_empty(Chart(BarChart{})));
}

TEST(Chart, EmptyAndThinned) {
  EXPECT_TRUE((LineChart{"c", "x", "y", false, true, {{"s", {}}}}).empty());
  EXPECT_TRUE((LineChart{"c", "x", "y", true, true, {{"s", {{0, 1}}}}}).empty());
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i <= 1000; ++i) points.emplace_back(i, i);
  const auto few = thin(points, 11);
  EXPECT_EQ(few.size(), 11u);
  EXPECT_EQ(few.front().first, 0);
  EXPECT_EQ(few[1].first, 100);
  EXPECT_EQ(few.back().first, 1000);
}

TEST(Format, SensibleDigits) {
  EXPECT_EQ(sensible(13566.4), "13566");
  EXPECT_EQ(sensible(365.14), "365.1");
  EXPECT_EQ(sensible(51.034), "51.03");
  EXPECT_EQ(sensible(1.23456), "1.235");
  EXPECT_EQ(sensible(0.58712), "0.587");
  EXPECT_EQ(sensible(0), "0");
  EXPECT_EQ(sensible(1e-5), "1.000e-05");
  EXPECT_EQ(cell(std::nullopt), "–");
  EXPECT_EQ(cell(0.5871, record::Hint::kRatio), "58.7");
  EXPECT_EQ(cell(-0.0001, record::Hint::kRatio), "0.0");
}

TEST(Format, CountsAreIntegersInJson) {
  EXPECT_EQ(json_number(2.0, record::Hint::kCount).dump(), "2");
  EXPECT_EQ(json_number(2.5, record::Hint::kCount).dump(), "2.5");
  EXPECT_EQ(json_number(8589934592.0, record::Hint::kBytes).dump(), "8589934592");
  EXPECT_EQ(json_number(2.0, record::Hint::kMilliseconds).dump(), "2.0");
  EXPECT_EQ(json_number(std::nullopt, record::Hint::kCount).dump(), "null");
}

TEST(Format, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(csv(std::string("plain")), "plain");
  EXPECT_EQ(csv(std::string("a,\"b\"")), "\"a,\"\"b\"\"\"");
  EXPECT_EQ(csv(std::optional<double>()), "");
  EXPECT_EQ(csv(std::string("=1+1")), "'=1+1");
  EXPECT_EQ(csv(std::string("@SUM(A1,\"x\")")), "\"'@SUM(A1,\"\"x\"\")\"");
  EXPECT_EQ(csv(std::string("-1+cmd|'/C calc'!A0")), "'-1+cmd|'/C calc'!A0");
  EXPECT_EQ(csv(std::string("-0.5 % [-1.0 to +0.0]")), "-0.5 % [-1.0 to +0.0]");
  EXPECT_EQ(csv(std::string("-")), "-");
  EXPECT_EQ(csv(std::optional(-1.5)), "-1.5") << "a figure";
  EXPECT_EQ(csv(std::optional(123456.789)), "123456.8");
}

TEST(Format, ReadableJsonKeepsArraysOfValuesOnOneLine) {
  EXPECT_EQ(readable_json({{"a", {1, 2}}, {"b", {{"c", nullptr}}}, {"d", Json::array()}}),
            "{\n  \"a\": [1,2],\n  \"b\": {\n    \"c\": null\n  },\n  \"d\": []\n}\n");
  EXPECT_EQ(readable_json(Json::array({Json{{"x", 1}}})), "[\n  {\n    \"x\": 1\n  }\n]\n");
}

}  // namespace
}  // namespace sxb::report
