// Charts as SVG text: axes, ticks, legend, nothing else. Same data, same bytes.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sxb::report {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< (x, y), ascending in x
};

struct LineChart {
  std::string title, x_label, y_label;
  bool bytes_x = false;  ///< x is a size: logarithmic to base 2, ticks like "32 MiB"
  bool y_from_zero = true;
  std::vector<Series> series;

  bool empty() const;  ///< nothing to draw
};

/// Bars whose parts are shares of a whole.
struct BarChart {
  struct Row {
    std::string label, total;     ///< before the bar; after it
    std::vector<double> percent;  ///< of each part
  };
  std::string title, x_label;
  std::vector<std::string> parts;  ///< names for the legend
  std::vector<Row> rows;

  bool empty() const { return rows.empty(); }
};

/// A symmetric matrix.
struct HeatMap {
  struct Cell {
    std::optional<double> share;  ///< of normal, gives the colour; absent: not measured; 0: no answer
    std::string text;             ///< the figure
  };
  std::string title;
  std::vector<std::string> labels;       ///< of rows and columns
  std::vector<std::vector<Cell>> cells;  ///< as many rows and columns as labels

  bool empty() const { return labels.empty(); }
};

using Chart = std::variant<LineChart, BarChart, HeatMap>;
bool is_empty(const Chart& chart);
const std::string& title_of(const Chart& chart);

/// A complete <svg> element.
std::string render_svg(const LineChart& chart);
std::string render_svg(const BarChart& chart);
std::string render_svg(const HeatMap& map);
std::string render_svg(const Chart& chart);

/// At most `limit` of the points, evenly taken, first and last included.
std::vector<std::pair<double, double>> thin(const std::vector<std::pair<double, double>>& points,
                                            std::size_t limit);

/// Round numbers (1, 2 or 5 times a power of ten) that cover [low, high] with about `count` steps.
std::vector<double> nice_ticks(double low, double high, int count);

}  // namespace sxb::report
