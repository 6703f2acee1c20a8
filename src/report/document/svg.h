// Pieces of SVG text that the charts share.
#pragma once

#include <cstddef>
#include <string>

namespace sxb::report {

/// About the width of a letter at the font's size.
inline constexpr double kLetterWidth = 6.8;

/// Of the i-th series; repeats after eight.
const char* series_color(std::size_t i);

/// "<svg ...>" with its <title> and a white ground; the caller ends it with "</svg>\n".
std::string open_svg(const std::string& title, double width, double height);
/// `anchor`: start, middle or end. `extra`: more attributes, with a leading blank.
std::string text_at(double x, double y, const char* anchor, const std::string& text, const char* extra = "");
std::string line(double x1, double y1, double x2, double y2, const char* stroke);
std::string box(double x, double y, double width, double height, const char* fill);

std::string tick_label(double value);

}  // namespace sxb::report
