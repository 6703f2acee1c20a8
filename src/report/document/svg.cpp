#include "report/document/svg.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "report/document/document.h"

namespace sxb::report {
namespace {

constexpr const char* kColors[] = {"#2563eb", "#dc2626", "#059669", "#d97706",
                                   "#7c3aed", "#0891b2", "#be185d", "#4b5563"};

}  // namespace

const char* series_color(std::size_t i) { return kColors[i % std::size(kColors)]; }

std::string open_svg(const std::string& title, double width, double height) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "role=\"img\" "
      "font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#111827\">\n<title>{2}</title>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
      width, height, escape_xml(title));
}

std::string text_at(double x, double y, const char* anchor, const std::string& text, const char* extra) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, extra,
                     escape_xml(text));
}

std::string line(double x1, double y1, double x2, double y2, const char* stroke) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1,
                     y1, x2, y2, stroke);
}

std::string box(double x, double y, double width, double height, const char* fill) {
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:g}\" fill=\"{}\"/>\n", x, y,
                     width, height, fill);
}

std::string tick_label(double value) {
  if (value != 0 && (std::abs(value) < 1e-3 || std::abs(value) >= 1e6)) return fmt::format("{:.3g}", value);
  return fmt::format("{:.6g}", value);
}

}  // namespace sxb::report
