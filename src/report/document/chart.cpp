#include "report/document/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/units.h"
#include "report/document/document.h"
#include "report/document/svg.h"

namespace sxb::report {
namespace {

constexpr double kWidth = 760, kHeight = 340;
constexpr double kLeft = 72, kTop = 36, kBottom = 52;
constexpr double kLegend = 190;  ///< right of the axes, where the names are short
constexpr std::size_t kLegendRows = 15;
struct Range {
  double low = std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::lowest();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// A range of one value gets some room, so that it can be divided by.
  void widen() {
    if (high > low) return;
    const double room = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= room;
    high += room;
  }
};

/// Maps values to pixels; for sizes by their logarithm.
struct Axis {
  Range range;
  double begin = 0, end = 0;
  bool log = false;
  double position(double value) const {
    const double v = log ? std::log2(value) : value;
    return begin + (v - range.low) / (range.high - range.low) * (end - begin);
  }
};

bool drawable(const LineChart& chart, const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second) && (!chart.bytes_x || point.first > 0);
}

std::string y_ticks(const Axis& x, const Axis& y) {
  std::string out;
  for (const double tick : nice_ticks(y.range.low, y.range.high, 5)) {
    const double at = y.position(tick);
    out += line(x.begin, at, x.end, at, "#e5e7eb");
    out += text_at(x.begin - 8, at + 4, "end", tick_label(tick));
  }
  return out;
}

std::string x_ticks(const Axis& x, const Axis& y) {
  std::string out;
  const auto tick = [&](double value, const std::string& label) {
    const double at = x.position(value);
    out += line(at, y.begin, at, y.begin + 5, "#6b7280");
    out += text_at(at, y.begin + 19, "middle", label);
  };
  if (!x.log) {
    for (const double value : nice_ticks(x.range.low, x.range.high, 8)) tick(value, tick_label(value));
    return out;
  }
  // Steps that divide 10 keep KiB, MiB and GiB among the ticks.
  const double span = x.range.high - x.range.low;
  const int step = span <= 8 ? 1 : span <= 16 ? 2 : span <= 40 ? 5 : 10;
  for (int power = static_cast<int>(std::ceil(x.range.low / step)) * step; power <= x.range.high;
       power += step) {
    if (power >= 0) tick(std::exp2(power), format_bytes(std::int64_t{1} << power));
  }
  return out;
}

std::string draw_series(const LineChart& chart, const Series& series, std::size_t index, const Axis& x,
                        const Axis& y) {
  std::string path;
  std::string marks;
  const bool with_marks = series.points.size() <= 40;
  for (const auto& point : series.points) {
    if (!drawable(chart, point)) continue;
    const double px = x.position(point.first);
    const double py = y.position(point.second);
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", px, py);
    if (with_marks)
      marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"/>\n", px, py,
                           series_color(index));
  }
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" points=\"{}\"/>\n{}",
                     series_color(index), path, marks);
}

/// Room for the longest name.
double legend_width(const LineChart& chart) {
  std::size_t longest = 0;
  for (const Series& series : chart.series) longest = std::max(longest, series.name.size());
  return std::max(kLegend, 44 + kLetterWidth * static_cast<double>(longest));
}

std::string legend(const LineChart& chart, double left) {
  std::string out;
  const std::size_t shown = std::min(chart.series.size(), kLegendRows);
  for (std::size_t i = 0; i < shown; ++i) {
    const double y = kTop + 10 + 17 * static_cast<double>(i);
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"4\" fill=\"{}\"/>\n", left,
                       y - 2, series_color(i));
    out += text_at(left + 18, y + 4, "start", chart.series[i].name);
  }
  if (shown < chart.series.size()) {
    out += text_at(left + 18, kTop + 14 + 17 * static_cast<double>(shown), "start",
                   fmt::format("and {} more", chart.series.size() - shown));
  }
  return out;
}

}  // namespace

bool LineChart::empty() const {
  return std::none_of(series.begin(), series.end(), [&](const Series& one) {
    return std::any_of(one.points.begin(), one.points.end(),
                       [&](const auto& point) { return drawable(*this, point); });
  });
}

std::vector<std::pair<double, double>> thin(const std::vector<std::pair<double, double>>& points,
                                            std::size_t limit) {
  if (points.size() <= limit || limit < 2) return points;
  std::vector<std::pair<double, double>> out;
  for (std::size_t i = 0; i < limit; ++i) out.push_back(points[i * (points.size() - 1) / (limit - 1)]);
  return out;
}

std::vector<double> nice_ticks(double low, double high, int count) {
  const double raw = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double ratio = raw / power;
  const double step = (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10) * power;
  std::vector<double> ticks;
  // Multiples of the step, not sums: 0.1 + 0.1 + 0.1 would print as 0.30000000000000004.
  const auto first = static_cast<std::int64_t>(std::ceil(low / step - 1e-9));
  const auto last = static_cast<std::int64_t>(std::floor(high / step + 1e-9));
  for (std::int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string render_svg(const LineChart& chart) {
  Axis x, y;
  x.log = chart.bytes_x;
  for (const Series& series : chart.series) {
    for (const auto& point : series.points) {
      if (!drawable(chart, point)) continue;
      x.range.add(x.log ? std::log2(point.first) : point.first);
      y.range.add(point.second);
    }
  }
  if (chart.y_from_zero) y.range.add(0);
  x.range.widen();
  y.range.widen();
  y.range.high += 0.05 * (y.range.high - y.range.low);
  const bool with_legend = chart.series.size() > 1;
  x.begin = kLeft;
  x.end = kWidth - (with_legend ? kLegend : 24);
  y.begin = kHeight - kBottom;
  y.end = kTop;

  std::string out =
      open_svg(chart.title, std::ceil(with_legend ? x.end + legend_width(chart) : kWidth), kHeight);
  out += text_at(kLeft, 20, "start", chart.title, " font-weight=\"600\" font-size=\"14\"");
  out += y_ticks(x, y);
  out += line(x.begin, y.begin, x.end, y.begin, "#6b7280");
  out += x_ticks(x, y);
  out += text_at((x.begin + x.end) / 2, kHeight - 12, "middle", chart.x_label);
  out +=
      fmt::format("<text transform=\"translate(16,{:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                  (y.begin + y.end) / 2, escape_xml(chart.y_label));
  for (std::size_t i = 0; i < chart.series.size(); ++i) out += draw_series(chart, chart.series[i], i, x, y);
  if (with_legend) out += legend(chart, x.end + 16);
  return out + "</svg>\n";
}

}  // namespace sxb::report
