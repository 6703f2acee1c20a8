// A matrix of cells: green is normal, red half of it or less.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/document/chart.h"
#include "report/document/document.h"
#include "report/document/svg.h"

namespace sxb::report {
namespace {

constexpr double kHeatTop = 40, kHeatMargin = 16, kHeatLegend = 46, kHeatSecondLegend = 24;
constexpr double kTitleLetter = 8.8;
constexpr double kLargeCell = 52, kSmallCell = 14;
constexpr std::size_t kMostWithText = 16;  ///< rows; above it cells are too small for figures
/// At this share and below the colour is the darkest: faults stand out, noise does not.
constexpr double kDarkest = 0.5;
constexpr double kHalfway = (1 + kDarkest) / 2;
/// Below it the figures are white.
constexpr double kWhiteText = 0.65;

struct Colour {
  double red, green, blue;
};
/// From light to dark in grey too.
constexpr Colour kNormal{220, 252, 231}, kLess{252, 211, 77}, kSlow{185, 28, 28};
constexpr const char* kNotProbed = "#d1d5db";
constexpr const char* kNoAnswer = "#111827";
constexpr const char* kDiagonal = "#f3f4f6";

std::string mixed(const Colour& from, const Colour& to, double depth) {
  const auto mix = [&](double a, double b) { return std::lround(a + std::clamp(depth, 0.0, 1.0) * (b - a)); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(from.red, to.red), mix(from.green, to.green),
                     mix(from.blue, to.blue));
}

std::string colour_of(double share) {
  if (share == 0) return kNoAnswer;
  if (share >= kHalfway) return mixed(kNormal, kLess, (1 - share) / (1 - kHalfway));
  return mixed(kLess, kSlow, (kHalfway - share) / (kHalfway - kDarkest));
}

struct Frame {
  double left, cell;
  std::size_t rows;
  double width() const { return left + cell * static_cast<double>(rows); }
  double x(std::size_t i) const { return left + cell * static_cast<double>(i); }
};

std::string draw_cell(const HeatMap& map, const Frame& frame, double top, std::size_t i, std::size_t j) {
  const HeatMap::Cell& cell = map.cells[i][j];
  const double x = frame.x(j), y = top + frame.cell * static_cast<double>(i);
  const std::string fill = i == j ? kDiagonal : cell.share ? colour_of(*cell.share) : kNotProbed;
  const std::string figure = !cell.share        ? "not probed"
                             : *cell.share == 0 ? "no answer"
                                                : fmt::format("{} ({:.0f} %)", cell.text, *cell.share * 100);
  const std::string words = fmt::format("{} - {}: {}", map.labels[i], map.labels[j], figure);
  std::string out = fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:g}\" height=\"{:g}\" fill=\"{}\" stroke=\"#ffffff\">"
      "<title>{}</title></rect>\n",
      x, y, frame.cell, frame.cell, fill, escape_xml(i == j ? map.labels[i] : words));
  if (cell.share && map.cells.size() <= kMostWithText) {
    out += text_at(x + frame.cell / 2, y + frame.cell / 2 + 4, "middle", cell.text,
                   *cell.share < kWhiteText ? " fill=\"#ffffff\" font-size=\"11\"" : " font-size=\"11\"");
  }
  return out;
}

/// What else than a figure cells show.
struct Others {
  bool not_probed = false, no_answer = false;
  bool any() const { return not_probed || no_answer; }
};

Others others_of(const HeatMap& map) {
  Others others;
  for (std::size_t i = 0; i < map.cells.size(); ++i) {
    for (std::size_t j = 0; j < map.cells[i].size(); ++j) {
      const std::optional<double>& share = map.cells[i][j].share;
      others.not_probed = others.not_probed || (i != j && !share);
      others.no_answer = others.no_answer || (share && *share == 0);
    }
  }
  return others;
}

std::string legend(const Frame& frame, double top, const Others& others) {
  std::string out;
  double x = frame.left;
  for (const double share : {1.0, 0.9, 0.8, 0.7, 0.6, kDarkest}) {
    const bool last = share == kDarkest;
    out += box(x, top, 28, 12, colour_of(share).c_str());
    out += text_at(x + 14, top + 26, "middle", fmt::format("{}{:.0f}", last ? "≤ " : "", share * 100),
                   " font-size=\"11\"");
    x += 28;
  }
  out += text_at(x + 8, top + 11, "start", "% of normal", " font-size=\"11\"");
  x = frame.left;
  const auto add = [&](const char* fill, const char* words) {
    out += box(x, top + 34, 12, 12, fill) + text_at(x + 18, top + 44, "start", words, " font-size=\"11\"");
    x += 96;
  };
  if (others.no_answer) add(kNoAnswer, "no answer");
  if (others.not_probed) add(kNotProbed, "not probed");
  return out;
}

}  // namespace

std::string render_svg(const HeatMap& map) {
  std::size_t longest = 0;
  for (const std::string& label : map.labels) longest = std::max(longest, label.size());
  const double label_width = kLetterWidth * static_cast<double>(longest) + 12;
  const Frame frame{kHeatMargin + label_width, map.labels.size() <= kMostWithText ? kLargeCell : kSmallCell,
                    map.labels.size()};
  // Names above the columns stand upright: they are longer than a cell is wide.
  const double top = kHeatTop + label_width;
  const double bottom = top + frame.cell * static_cast<double>(frame.rows);
  const double width = std::max(frame.width() + kHeatMargin,
                                kTitleLetter * static_cast<double>(map.title.size()) + 2 * kHeatMargin);
  const Others others = others_of(map);
  const double height = bottom + kHeatLegend + (others.any() ? kHeatSecondLegend : 0) + 8;
  std::string out = open_svg(map.title, std::ceil(std::max(width, frame.left + 260)), std::ceil(height));
  out += text_at(kHeatMargin, 22, "start", map.title, " font-weight=\"600\" font-size=\"14\"");
  for (std::size_t i = 0; i < frame.rows; ++i) {
    const double middle = frame.cell * (static_cast<double>(i) + 0.5) + 4;
    out += text_at(frame.left - 6, top + middle, "end", map.labels[i]);
    out += fmt::format("<text transform=\"translate({:.1f},{:.1f}) rotate(-90)\">{}</text>\n",
                       frame.left + middle, top - 6, escape_xml(map.labels[i]));
  }
  for (std::size_t i = 0; i < frame.rows; ++i) {
    for (std::size_t j = 0; j < frame.rows; ++j) out += draw_cell(map, frame, top, i, j);
  }
  return out + legend(frame, bottom + 16, others) + "</svg>\n";
}

}  // namespace sxb::report
