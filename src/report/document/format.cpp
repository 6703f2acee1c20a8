#include "report/document/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"

namespace sxb::report {
namespace {

void write_json(const Json& value, int depth, std::string& out) {
  const bool flat = !value.is_structured() || value.empty() ||
                    (value.is_array() && std::none_of(value.begin(), value.end(),
                                                      [](const Json& item) { return item.is_structured(); }));
  if (flat) {
    out += dump(value);
    return;
  }
  const std::string indent(static_cast<std::size_t>(depth + 1) * 2, ' ');
  out += value.is_array() ? "[" : "{";
  bool first = true;
  for (const auto& item : value.items()) {
    out += fmt::format("{}\n{}", first ? "" : ",", indent);
    if (value.is_object()) out += fmt::format("{}: ", dump(Json(item.key())));
    write_json(item.value(), depth + 1, out);
    first = false;
  }
  out += fmt::format("\n{}{}", std::string(static_cast<std::size_t>(depth) * 2, ' '),
                     value.is_array() ? "]" : "}");
}

/// One digit after the point; never "-0.0".
std::string one_digit(double value) {
  const std::string text = format_fixed(value, 1);
  return text == "-0.0" ? "0.0" : text;
}

}  // namespace

std::string sensible(double value) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size >= 1e9 || size < 1e-3) return fmt::format("{:.3e}", value);
  if (size >= 1000) return fmt::format("{:.0f}", value);
  if (size >= 100) return fmt::format("{:.1f}", value);
  if (size >= 10) return fmt::format("{:.2f}", value);
  if (size >= 1) return fmt::format("{:.3f}", value);
  return fmt::format("{:.3g}", value);
}

std::string cell(const std::optional<double>& value) { return value ? sensible(*value) : "–"; }

std::string cell(const std::optional<double>& value, record::Hint hint) {
  if (!value) return "–";
  switch (hint) {
    case record::Hint::kCount:
      return format_fixed(*value, 0);
    case record::Hint::kRatio:
      return one_digit(*value * 100);
    case record::Hint::kPercent:
      return one_digit(*value);
    default:
      return sensible(*value);
  }
}

std::string shown_unit(record::Hint hint, const std::string& unit) {
  return hint == record::Hint::kRatio ? "%" : unit;
}

Json json_number(const std::optional<double>& value, record::Hint hint) {
  if (!value) return nullptr;
  const bool counts =
      hint == record::Hint::kCount || hint == record::Hint::kBytes || hint == record::Hint::kNanoseconds;
  if (!counts || *value != std::floor(*value) || std::abs(*value) >= 0x1p53) return *value;
  return static_cast<std::int64_t>(*value);
}

std::string csv(const std::optional<double>& value) { return value ? fmt::format("{:.7g}", *value) : ""; }

namespace {

/// Spreadsheets take a cell that begins so for a formula and do what it says. After a sign that takes a call,
/// a reference or a pipe to a program: "-0.5 % [-1.0, +0.0]" is text, a lone "-" a dash.
bool looks_like_formula(const std::string& text) {
  if (text.size() < 2) return false;
  if (std::string_view("=@\t\r").find(text.front()) != std::string_view::npos) return true;
  const bool is_signed = text.front() == '+' || text.front() == '-';
  return is_signed && text.find_first_of("(!|=@&\"'") != std::string::npos;
}

}  // namespace

std::string csv(const std::string& plain) {
  const std::string text = looks_like_formula(plain) ? "'" + plain : plain;
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_line(const std::vector<std::string>& cells) { return join(cells, ",") + "\n"; }

std::string readable_json(const Json& value) {
  std::string out;
  write_json(value, 0, out);
  return out + "\n";
}

}  // namespace sxb::report
