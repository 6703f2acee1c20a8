// A matrix of cells, the darker the less of normal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/chart.h"
#include "report/document.h"
#include "report/svg.h"

namespace sxb::report {
namespace {

constexpr double kTop = 40, kMargin = 16, kLegend = 46;
constexpr double kTitleLetter = 8.8;
constexpr double kLargeCell = 52, kSmallCell = 14;
constexpr std::size_t kMostWithText = 16;  ///< rows; above it cells are too small for figures
/// At this share and below the colour is the darkest: faults stand out, noise does not.
constexpr double kDarkest = 0.5;

struct Colour {
  double red, green, blue;
};
constexpr Colour kNormal{236, 253, 245}, kSlow{185, 28, 28};
constexpr const char* kAbsent = "#f3f4f6";

std::string colour_of(double share) {
  const double depth = std::clamp((1 - share) / (1 - kDarkest), 0.0, 1.0);
  const auto mix = [&](double from, double to) { return std::lround(from + depth * (to - from)); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(kNormal.red, kSlow.red), mix(kNormal.green, kSlow.green),
                     mix(kNormal.blue, kSlow.blue));
}

bool dark(double share) { return share < (1 + kDarkest) / 2; }

struct Frame {
  double left, cell;
  std::size_t rows;
  double width() const { return left + cell * static_cast<double>(rows); }
  double x(std::size_t i) const { return left + cell * static_cast<double>(i); }
};

std::string draw_cell(const HeatMap& map, const Frame& frame, double top, std::size_t i, std::size_t j) {
  const HeatMap::Cell& cell = map.cells[i][j];
  const double x = frame.x(j), y = top + frame.cell * static_cast<double>(i);
  const std::string fill = cell.share ? colour_of(*cell.share) : kAbsent;
  const std::string words = cell.share ? fmt::format("{} - {}: {} ({:.0f} %)", map.labels[i], map.labels[j],
                                                     cell.text, *cell.share * 100)
                                       : fmt::format("{} - {}: not probed", map.labels[i], map.labels[j]);
  std::string out = fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:g}\" height=\"{:g}\" fill=\"{}\" stroke=\"#ffffff\">"
      "<title>{}</title></rect>\n",
      x, y, frame.cell, frame.cell, fill, escape_xml(i == j ? map.labels[i] : words));
  if (cell.share && map.cells.size() <= kMostWithText) {
    out += text_at(x + frame.cell / 2, y + frame.cell / 2 + 4, "middle", cell.text,
                   dark(*cell.share) ? " fill=\"#ffffff\" font-size=\"11\"" : " font-size=\"11\"");
  }
  return out;
}

std::string legend(const Frame& frame, double top) {
  std::string out;
  double x = frame.left;
  for (const double share : {1.0, 0.9, 0.8, 0.7, 0.6, 0.5}) {
    out += box(x, top, 28, 12, colour_of(share).c_str());
    out += text_at(x + 14, top + 26, "middle", fmt::format("{:.0f}", share * 100), " font-size=\"11\"");
    x += 28;
  }
  return out + text_at(x + 8, top + 11, "start", "% of normal", " font-size=\"11\"");
}

}  // namespace

std::string render_svg(const HeatMap& map) {
  std::size_t longest = 0;
  for (const std::string& label : map.labels) longest = std::max(longest, label.size());
  const double label_width = kLetterWidth * static_cast<double>(longest) + 12;
  const Frame frame{kMargin + label_width, map.labels.size() <= kMostWithText ? kLargeCell : kSmallCell,
                    map.labels.size()};
  // Names above the columns stand upright: they are longer than a cell is wide.
  const double top = kTop + label_width;
  const double bottom = top + frame.cell * static_cast<double>(frame.rows);
  const double width =
      std::max(frame.width() + kMargin, kTitleLetter * static_cast<double>(map.title.size()) + 2 * kMargin);
  std::string out =
      open_svg(map.title, std::ceil(std::max(width, frame.left + 260)), std::ceil(bottom + kLegend + 8));
  out += text_at(kMargin, 22, "start", map.title, " font-weight=\"600\" font-size=\"14\"");
  for (std::size_t i = 0; i < frame.rows; ++i) {
    const double middle = frame.cell * (static_cast<double>(i) + 0.5) + 4;
    out += text_at(frame.left - 6, top + middle, "end", map.labels[i]);
    out += fmt::format("<text transform=\"translate({:.1f},{:.1f}) rotate(-90)\">{}</text>\n",
                       frame.left + middle, top - 6, escape_xml(map.labels[i]));
  }
  for (std::size_t i = 0; i < frame.rows; ++i) {
    for (std::size_t j = 0; j < frame.rows; ++j) out += draw_cell(map, frame, top, i, j);
  }
  return out + legend(frame, bottom + 16) + "</svg>\n";
}

}  // namespace sxb::report
