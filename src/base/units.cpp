#include "base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace sxb {
namespace {

struct Number {
  double value = 0;
  std::string_view suffix;
};

Result<Number> parse_number(std::string_view text, const char* what, const char* help) {
  text = trim(text);
  Number number;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (ec != std::errc() || !std::isfinite(number.value) || number.value < 0) {
    return Error{fmt::format("\"{}\" is not {}", text, what), "", help};
  }
  number.suffix = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  return number;
}

Result<std::int64_t> scaled(const Number& number, double factor, std::string_view text) {
  const double value = number.value * factor;
  if (value > 9e18) return Error{fmt::format("\"{}\" is too large", text), "", ""};
  return static_cast<std::int64_t>(std::llround(value));
}

}  // namespace

Result<std::int64_t> parse_bytes(std::string_view text) {
  constexpr const char* kHelp = "write a number with an optional suffix K, M, G or T (binary), e.g. 8G";
  SXB_ASSIGN_OR_RETURN(const Number number, parse_number(text, "a size", kHelp));
  std::string_view suffix = number.suffix;
  for (std::string_view tail : {"iB", "B"}) {
    if (suffix.size() >= tail.size() && suffix.substr(suffix.size() - tail.size()) == tail) {
      suffix.remove_suffix(tail.size());
      break;
    }
  }
  if (suffix.empty()) return scaled(number, 1, text);
  const std::size_t power = std::string_view("KMGT").find(static_cast<char>(suffix[0] & ~0x20));
  if (suffix.size() != 1 || power == std::string_view::npos) {
    return Error{fmt::format("\"{}\" is not a size", text), "", kHelp};
  }
  return scaled(number, std::pow(1024.0, static_cast<double>(power) + 1), text);
}

std::string format_bytes(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (std::abs(value) >= 1024 && unit < 6) {
    value /= 1024;
    ++unit;
  }
  if (value == std::floor(value)) return fmt::format("{:.0f} {}", value, kUnits[unit]);
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Result<std::int64_t> parse_seconds(std::string_view text) {
  constexpr const char* kHelp = "write seconds, or a number with s, m, h or d, e.g. 60s or 12h";
  SXB_ASSIGN_OR_RETURN(const Number number, parse_number(text, "a duration", kHelp));
  const double factor = number.suffix.empty() || number.suffix == "s" ? 1
                        : number.suffix == "m"                        ? 60
                        : number.suffix == "h"                        ? 3600
                        : number.suffix == "d"                        ? 86'400
                                                                      : 0;
  const double seconds = number.value * factor;
  if (seconds < 1 || seconds > 1e9 || seconds != std::floor(seconds)) {
    return Error{fmt::format("\"{}\" is not a duration of whole seconds", text), "", kHelp};
  }
  return static_cast<std::int64_t>(seconds);
}

std::string format_duration(std::int64_t ns) {
  const double value = static_cast<double>(ns);
  if (value < 1e3) return fmt::format("{} ns", ns);
  if (value < 1e6) return fmt::format("{:.3g} µs", value / 1e3);
  if (value < 1e9) return fmt::format("{:.3g} ms", value / 1e6);
  if (value < 60e9) return fmt::format("{:.3g} s", value / 1e9);
  const std::int64_t seconds = ns / 1'000'000'000;
  if (seconds < 3600) return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string format_fixed(double value, int decimals) {
  if (std::abs(value) >= 1e15) return fmt::format("{:.3e}", value);
  return fmt::format("{:.{}f}", value, decimals);
}

std::int64_t saturated(double value) {
  if (std::isnan(value)) return 0;
  // 2^63 is a double, the largest int64 is none: what lies below it fits.
  if (value >= 0x1p63) return std::numeric_limits<std::int64_t>::max();
  if (value < -0x1p63) return std::numeric_limits<std::int64_t>::min();
  return std::llround(value);
}

}  // namespace sxb
