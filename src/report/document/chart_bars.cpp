// One bar a row, cut into its parts.
#include <fmt/format.h>

#include "report/document/chart.h"
#include "report/document/svg.h"

namespace sxb::report {
namespace {

constexpr double kBarWidth = 760, kBarLeft = 150, kBarRight = 90;
constexpr double kBarTop = 62, kBarBottom = 52;
constexpr double kBar = 24, kBarRow = 40;
constexpr double kNameWidth = 34;  ///< of a part: below it there is no room for its figure

double x_of(double percent) { return kBarLeft + percent / 100 * (kBarWidth - kBarLeft - kBarRight); }

std::string legend(const BarChart& chart) {
  std::string out;
  double x = kBarLeft;
  for (std::size_t i = 0; i < chart.parts.size(); ++i) {
    out += box(x, 34, 12, 10, series_color(i));
    out += text_at(x + 17, 44, "start", chart.parts[i]);
    x += 34 + 6.5 * static_cast<double>(chart.parts[i].size());  // about the width of a letter at this size
  }
  return out;
}

std::string draw_row(const BarChart::Row& row, double y) {
  std::string out = text_at(kBarLeft - 8, y + 16, "end", row.label);
  double begin = 0;
  for (std::size_t i = 0; i < row.percent.size(); ++i) {
    const double left = x_of(begin);
    const double width = x_of(begin + row.percent[i]) - left;
    out += box(left, y, width, kBar, series_color(i));
    if (width >= kNameWidth) {
      out += text_at(left + width / 2, y + 16, "middle", fmt::format("{:.1f}", row.percent[i]),
                     " fill=\"#ffffff\"");
    }
    begin += row.percent[i];
  }
  return out + text_at(kBarWidth - kBarRight + 8, y + 16, "start", row.total);
}

}  // namespace

std::string render_svg(const BarChart& chart) {
  const double bottom = kBarTop + kBarRow * static_cast<double>(chart.rows.size());
  std::string out = open_svg(chart.title, kBarWidth, bottom + kBarBottom);
  out += text_at(kBarLeft, 20, "start", chart.title, " font-weight=\"600\" font-size=\"14\"");
  out += legend(chart);
  for (const double tick : nice_ticks(0, 100, 5)) {
    out += line(x_of(tick), kBarTop - 6, x_of(tick), bottom, "#e5e7eb");
    out += text_at(x_of(tick), bottom + 19, "middle", tick_label(tick));
  }
  out += line(kBarLeft, bottom, x_of(100), bottom, "#6b7280");
  out += text_at((kBarLeft + x_of(100)) / 2, bottom + kBarBottom - 12, "middle", chart.x_label);
  for (std::size_t i = 0; i < chart.rows.size(); ++i)
    out += draw_row(chart.rows[i], kBarTop + kBarRow * static_cast<double>(i));
  return out + "</svg>\n";
}

std::string render_svg(const Chart& chart) {
  return std::visit([](const auto& one) { return render_svg(one); }, chart);
}

bool is_empty(const Chart& chart) {
  return std::visit([](const auto& one) { return one.empty(); }, chart);
}

const std::string& title_of(const Chart& chart) {
  return std::visit([](const auto& one) -> const std::string& { return one.title; }, chart);
}

}  // namespace sxb::report
